"""The REST specification, in the form in which Polaris has it."""

import uuid

from checks.support import ENV, SCHEMA, Catalog, CatalogCase, form, quoted, root_token
from http_client import send


class TheCatalog(CatalogCase):
    def test_config(self):
        self.assertEqual(ENV["WAREHOUSE"], self.root.config["prefix"])
        path = "/v1/{prefix}/namespaces/{namespace}/tables/{table}"
        self.assertIn(f"GET {path}", self.root.endpoints)
        self.assertIn(f"HEAD {path}", self.root.endpoints)
        query = form(warehouse="none")
        answer = send("GET", f"{ENV['CATALOG_URI']}/v1/config?{query}", token=root_token())
        self.assertStatus(404, answer)

    def test_create_and_load(self):
        created = self.assertStatus(200, self.root.create_table(self.namespace, "t")).json
        loaded = self.assertStatus(200, self.root.load_table(self.namespace, "t")).json
        self.assertEqual(created["metadata-location"], loaded["metadata-location"])
        location = f"{self.root.config['default-base-location']}/{self.namespace}/t"
        self.assertEqual(location, loaded["metadata"]["location"])
        again = self.assertStatus(409, self.root.create_table(self.namespace, "t"))
        self.assertEqual("AlreadyExistsException", again.error["type"])
        self.assertNotIn("stack", again.error)

    def test_what_does_not_exist(self):
        for status, kind, answer in (
            (404, "NoSuchTableException", self.root.load_table(self.namespace, "none")),
            (404, "NoSuchNamespaceException", self.root.send("GET", "namespaces/none/tables")),
            (404, "NoSuchNamespaceException", self.root.create_table("none", "t")),
            (404, "NoSuchNamespaceException", self.root.send("GET", "namespaces?parent=none")),
        ):
            self.assertStatus(status, answer)
            self.assertEqual(kind, answer.error["type"])

    def test_staged_create(self):
        staged = self.root.create_table(self.namespace, "t", **{"stage-create": True})
        metadata = self.assertStatus(200, staged).json["metadata"]
        self.assertStatus(404, self.root.load_table(self.namespace, "t"))
        create = [
            {"action": "assign-uuid", "uuid": metadata["table-uuid"]},
            {"action": "upgrade-format-version", "format-version": 2},
            {"action": "add-schema", "schema": SCHEMA},
            {"action": "set-current-schema", "schema-id": -1},
            {"action": "add-spec", "spec": {"spec-id": 0, "fields": []}},
            {"action": "set-default-spec", "spec-id": -1},
            {"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}},
            {"action": "set-default-sort-order", "sort-order-id": -1},
            {"action": "set-location", "location": metadata["location"]},
        ]
        assert_create = [{"type": "assert-create"}]
        answer = self.root.commit(self.namespace, "t", assert_create, create)
        self.assertStatus(200, answer)
        self.assertStatus(409, self.root.commit(self.namespace, "t", assert_create, create))
        self.assertStatus(200, self.root.load_table(self.namespace, "t"))

    def test_entity_tag(self):
        tag = self.root.create_table(self.namespace, "t").headers["ETag"]
        loaded = self.root.load_table(self.namespace, "t", {"If-None-Match": tag})
        self.assertEqual((304, b""), (loaded.status, loaded.body))
        update = [{"action": "set-properties", "updates": {"a": "b"}}]
        self.assertStatus(200, self.root.commit(self.namespace, "t", [], update))
        loaded = self.root.load_table(self.namespace, "t", {"If-None-Match": f'W/"x", {tag}'})
        self.assertStatus(200, loaded)
        self.assertNotEqual(tag, loaded.headers["ETag"])

    def test_conflict(self):
        self.root.create_table(self.namespace, "t")
        wrong = [{"type": "assert-table-uuid", "uuid": str(uuid.uuid4())}]
        answer = self.assertStatus(409, self.root.commit(self.namespace, "t", wrong, []))
        self.assertEqual("CommitFailedException", answer.error["type"])

    def test_a_transaction_happens_whole_or_not_at_all(self):
        ids = {}
        for name in ("one", "two"):
            created = self.root.create_table(self.namespace, name).json
            ids[name] = created["metadata"]["table-uuid"]

        def commit(expected):
            changes = [
                {
                    "identifier": {"namespace": [self.namespace], "name": name},
                    "requirements": [{"type": "assert-table-uuid", "uuid": uuid_}],
                    "updates": [{"action": "set-properties", "updates": {"done": "yes"}}],
                }
                for name, uuid_ in expected.items()
            ]
            return self.root.send("POST", "transactions/commit", {"table-changes": changes})

        def done(name):
            metadata = self.root.load_table(self.namespace, name).json["metadata"]
            return metadata["properties"].get("done")

        self.assertStatus(409, commit({**ids, "two": str(uuid.uuid4())}))
        self.assertEqual([None, None], [done("one"), done("two")])
        self.assertStatus(204, commit(ids))
        self.assertEqual(["yes", "yes"], [done("one"), done("two")])

    def test_names_that_need_encoding(self):
        odd = f"a.b/c d%{uuid.uuid4().hex[:8]}ä"
        parent = self.make_namespace(odd)
        child = self.make_namespace(odd, "x+y")
        listed = self.root.send("GET", f"namespaces?{form(parent=odd)}")
        self.assertEqual([[odd, "x+y"]], self.assertStatus(200, listed).json["namespaces"])
        self.assertIn([odd], self.root.send("GET", "namespaces").json["namespaces"])
        for namespace in (parent, child, child.replace(".", "%2E")):
            self.assertStatus(204, self.root.send("HEAD", f"namespaces/{namespace}"))
        self.assertStatus(200, self.root.create_table(child, "t.u v"))
        self.assertStatus(200, self.root.load_table(child, "t.u v"))
        self.assertStatus(409, self.root.send("DELETE", f"namespaces/{parent}"))

    def test_pages(self):
        for name in ("a", "b", "c"):
            self.root.create_table(self.namespace, name)
        names, token = [], ""
        while token is not None:
            query = form(pageToken=token, pageSize=2)
            page = self.root.send("GET", f"namespaces/{self.namespace}/tables?{query}").json
            names += [identifier["name"] for identifier in page["identifiers"]]
            token = page.get("next-page-token")
        self.assertEqual(["a", "b", "c"], names)

    def test_views(self):
        version = {
            "version-id": 1,
            "timestamp-ms": 1,
            "schema-id": 0,
            "summary": {},
            "default-namespace": [self.namespace],
            "representations": [{"type": "sql", "sql": "SELECT 1 AS id", "dialect": "ansi"}],
        }
        body = {"name": "v", "schema": SCHEMA, "view-version": version, "properties": {}}
        views = f"namespaces/{self.namespace}/views"
        self.assertStatus(200, self.root.send("POST", views, body))
        self.assertStatus(204, self.root.send("HEAD", f"{views}/v"))
        loaded = self.assertStatus(200, self.root.send("GET", f"{views}/v")).json
        self.assertEqual(1, loaded["metadata"]["current-version-id"])
        self.assertStatus(404, self.root.load_table(self.namespace, "v"))
        self.assertStatus(409, self.root.create_table(self.namespace, "v"))

    def test_a_renamed_table_keeps_its_location(self):
        self.root.create_table(self.namespace, "old")
        ends = [{"namespace": [self.namespace], "name": name} for name in ("old", "new")]
        body = dict(zip(("source", "destination"), ends))
        self.assertEqual(2, self.root.send("POST", "tables/rename", body).status // 100)
        self.assertStatus(404, self.root.load_table(self.namespace, "old"))
        self.assertStatus(200, self.root.load_table(self.namespace, "new"))
        self.assertStatus(403, self.root.create_table(self.namespace, "old"))

    def test_locations_outside_of_the_warehouse(self):
        for location in ("s3://warehouse/elsewhere", "s3://other/test_warehouse"):
            answer = self.root.create_table(self.namespace, "t", location=location)
            self.assertStatus(403, answer)
        self.root.create_table(self.namespace, "t")
        taken = self.root.load_table(self.namespace, "t").json["metadata"]["location"]
        answer = self.root.create_table(self.namespace, "u", location=f"{taken}/inside")
        self.assertStatus(403, answer)
        self.root.create_table(self.namespace, "u")
        move = [{"action": "set-location", "location": taken}]
        self.assertStatus(403, self.root.commit(self.namespace, "u", [], move))

    def test_register(self):
        file = self.root.create_table(self.namespace, "t").json["metadata-location"]
        path = f"namespaces/{self.namespace}/register"
        self.assertStatus(204, self.root.send("DELETE", f"namespaces/{self.namespace}/tables/t"))
        body = {"name": "again", "metadata-location": file}
        self.assertStatus(200, self.root.send("POST", path, body))
        self.assertStatus(200, self.root.load_table(self.namespace, "again"))

    def test_a_key_makes_a_drop_repeatable(self):
        self.root.create_table(self.namespace, "t")
        path = f"namespaces/{self.namespace}/tables/t"
        key = {"Idempotency-Key": "01900000-0000-7000-8000-" + uuid.uuid4().hex[:12]}
        for _ in range(2):
            self.assertStatus(204, self.root.send("DELETE", path, headers=key))
        self.assertStatus(404, self.root.send("DELETE", path))
        self.root.create_table(self.namespace, "t")
        self.assertStatus(204, self.root.send("DELETE", path, headers=key))
        self.assertStatus(200, self.root.load_table(self.namespace, "t"))


class AnotherWarehouse(CatalogCase):
    def test_it_is_made_by_the_management_api(self):
        name = self.make_warehouse()
        other = Catalog(root_token(), warehouse=name)
        self.assertEqual([], other.send("GET", "namespaces").json["namespaces"])
        self.assertEqual(quoted(name), other.config["prefix"])
