"""Keys that the catalog vends: told where the specification says, and held to by the store."""

import time

from checks.support import DELEGATION, ENV, Catalog, CatalogCase, manage, root_token
from http_client import Store


class Keys(CatalogCase):
    def setUp(self):
        super().setUp()
        self.locations = {}
        for name in ("mine", "other"):
            created = self.assertStatus(200, self.root.create_table(self.namespace, name)).json
            self.locations[name] = created["metadata"]["location"]

    def load(self, catalog, name="mine"):
        return self.assertStatus(200, catalog.load_table(self.namespace, name, DELEGATION)).json

    def assertDenied(self, answer):
        self.assertStatus(403, answer)
        self.assertIn(b"AccessDenied", answer.body)

    def test_none_without_being_asked(self):
        config = self.root.load_table(self.namespace, "mine").json["config"]
        self.assertEqual(
            {
                "s3.endpoint": ENV["S3_ENDPOINT"],
                "s3.path-style-access": "true",
                "client.region": ENV["S3_REGION"],
            },
            config,
        )

    def test_remote_signing_is_not_offered(self):
        header = {"X-Iceberg-Access-Delegation": "remote-signing"}
        self.assertStatus(400, self.root.load_table(self.namespace, "mine", header))

    def test_where_they_stand(self):
        table = self.load(self.root)
        path = f"v1/{ENV['WAREHOUSE']}/namespaces/{self.namespace}/tables/mine/credentials"
        self.assertEqual(path, table["config"]["client.refresh-credentials-endpoint"])
        (credential,) = table["storage-credentials"]
        self.assertEqual(self.locations["mine"], credential["prefix"])
        for name in ("access-key-id", "secret-access-key", "session-token"):
            self.assertEqual(table["config"][f"s3.{name}"], credential["config"][f"s3.{name}"])
        expires = int(credential["config"]["s3.session-token-expires-at-ms"])
        self.assertGreater(expires, time.time() * 1000)

    def test_inside_and_outside_of_the_table(self):
        store = Store.vended(self.load(self.root)["config"])
        inside, outside = (f"{self.locations[name]}/data/x" for name in ("mine", "other"))
        self.assertStatus(200, store.put(inside, b"x"))
        self.assertEqual(b"x", self.assertStatus(200, store.get(inside)).body)
        self.assertStatus(200, store.list(self.locations["mine"] + "/"))
        self.assertDenied(store.list(self.locations["mine"]))
        self.assertStatus(204, store.delete(inside))
        self.assertIn(b"NoSuchKey", self.assertStatus(404, store.get(inside)).body)
        self.assertDenied(store.put(outside, b"x"))
        self.assertDenied(store.get(outside))
        self.assertDenied(store.delete(outside))
        self.assertDenied(store.list(self.locations["other"] + "/"))
        self.assertDenied(store.list(f"s3://{ENV['S3_BUCKET']}/"))

    def test_a_table_whose_name_begins_alike(self):
        created = self.root.create_table(self.namespace, "mine_too").json["metadata"]
        store = Store.vended(self.load(self.root)["config"])
        self.assertDenied(store.put(f"{created['location']}/x", b"x"))

    def test_readers_cannot_write(self):
        grant = self.table_grant("mine", "TABLE_READ_DATA")
        catalog, _ = self.make_principal(grant)
        metadata = self.load(catalog)
        store = Store.vended(metadata["config"])
        self.assertStatus(200, store.get(metadata["metadata-location"]))
        self.assertDenied(store.put(f"{self.locations['mine']}/x", b"x"))
        self.assertDenied(store.delete(metadata["metadata-location"]))

    def test_refresh(self):
        table = self.load(self.root)
        endpoint = table["config"]["client.refresh-credentials-endpoint"]
        path = endpoint.removeprefix(f"v1/{ENV['WAREHOUSE']}/")
        answer = self.assertStatus(200, self.root.send("GET", path)).json
        (credential,) = answer["storage-credentials"]
        self.assertEqual(self.locations["mine"], credential["prefix"])
        store = Store.vended({**table["config"], **credential["config"]})
        self.assertStatus(200, store.get(table["metadata-location"]))

    def test_for_a_table_that_is_being_created(self):
        more = {"stage-create": True, "location": f"{self.locations['mine']}_staged"}
        staged = self.root.create_table(self.namespace, "staged", DELEGATION, **more)
        table = self.assertStatus(200, staged).json
        store = Store.vended(table["config"])
        file = f"{table['metadata']['location']}/data/x"
        self.assertStatus(200, store.put(file, b"x"))
        self.assertStatus(204, store.delete(file))
        self.assertDenied(store.put(f"{self.locations['mine']}/x", b"x"))

    def test_short_lives(self):
        name = self.make_warehouse(**{"sqe.test.credential-life": "60"})
        grant = {"grant": {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}}
        manage("PUT", f"/catalogs/{name}/catalog-roles/catalog_admin/grants", grant)
        other = Catalog(root_token(), warehouse=name)
        other.send("POST", "namespaces", {"namespace": ["n"]})
        self.addCleanup(other.send, "DELETE", "namespaces/n")
        table = self.assertStatus(200, other.create_table("n", "t", DELEGATION)).json
        self.addCleanup(other.send, "DELETE", "namespaces/n/tables/t")
        left = int(table["config"]["s3.session-token-expires-at-ms"]) / 1000 - time.time()
        self.assertLess(left, 61)
