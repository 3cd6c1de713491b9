"""Who may do what: principals see and do what is granted to them, and no more."""

from checks.support import DELEGATION, ENV, CatalogCase, manage
from http_client import send


class Grants(CatalogCase):
    def setUp(self):
        super().setUp()
        for name in ("mine", "other"):
            self.assertStatus(200, self.root.create_table(self.namespace, name))

    def test_nothing_without_grants(self):
        catalog, name = self.make_principal()
        tables = f"namespaces/{self.namespace}/tables"
        for operation, answer in (
            ("LIST_NAMESPACES", catalog.send("GET", "namespaces")),
            ("LIST_TABLES", catalog.send("GET", tables)),
            ("LIST_VIEWS", catalog.send("GET", f"namespaces/{self.namespace}/views")),
            ("LOAD_TABLE", catalog.load_table(self.namespace, "mine")),
            (
                "LOAD_TABLE_WITH_READ_DELEGATION",
                catalog.load_table(self.namespace, "mine", DELEGATION),
            ),
            ("CREATE_TABLE_DIRECT", catalog.create_table(self.namespace, "t")),
            ("DROP_TABLE_WITHOUT_PURGE", catalog.send("DELETE", f"{tables}/mine")),
            ("CREATE_NAMESPACE", catalog.send("POST", "namespaces", {"namespace": ["x"]})),
        ):
            self.assertForbidden(answer, name, operation)
        update = [{"action": "set-properties", "updates": {"a": "b"}}]
        self.assertStatus(403, catalog.commit(self.namespace, "mine", [], update))
        self.assertStatus(404, catalog.load_table(self.namespace, "none"))
        self.assertStatus(403, catalog.send("HEAD", f"{tables}/mine"))

    def test_one_table(self):
        catalog, name = self.make_principal(self.table_grant("mine", "TABLE_READ_DATA"))
        self.assertStatus(200, catalog.load_table(self.namespace, "mine"))
        self.assertStatus(200, catalog.load_table(self.namespace, "mine", DELEGATION))
        self.assertForbidden(catalog.load_table(self.namespace, "other"), name, "LOAD_TABLE")
        update = [{"action": "set-properties", "updates": {"a": "b"}}]
        self.assertStatus(403, catalog.commit(self.namespace, "mine", [], update))

    def test_a_namespace_holds_for_its_tables(self):
        grant = {"type": "namespace", "namespace": [self.namespace]}
        catalog, _ = self.make_principal({**grant, "privilege": "TABLE_WRITE_DATA"})
        tables = f"namespaces/{self.namespace}/tables"
        self.assertStatus(200, catalog.send("GET", tables))
        for name in ("mine", "other"):
            self.assertStatus(200, catalog.load_table(self.namespace, name, DELEGATION))
        self.assertStatus(403, catalog.create_table(self.namespace, "t"))

    def test_a_revoke_counts_at_once(self):
        grant = self.table_grant("mine", "TABLE_READ_DATA")
        catalog, name = self.make_principal(grant)
        tag = self.assertStatus(200, catalog.load_table(self.namespace, "mine")).headers["ETag"]
        self.grant(name, grant, method="POST")
        for headers in ({}, DELEGATION, {"If-None-Match": tag}):
            self.assertStatus(403, catalog.load_table(self.namespace, "mine", headers))
        refresh = f"namespaces/{self.namespace}/tables/mine/credentials"
        self.assertStatus(403, catalog.send("GET", refresh))

    def test_grants_are_of_the_table_not_of_its_name(self):
        grant = self.table_grant("mine", "TABLE_READ_DATA")
        catalog, _ = self.make_principal(grant)
        ends = [{"namespace": [self.namespace], "name": name} for name in ("mine", "moved")]
        self.root.send("POST", "tables/rename", dict(zip(("source", "destination"), ends)))
        self.assertStatus(200, catalog.load_table(self.namespace, "moved"))
        path = f"namespaces/{self.namespace}/tables/moved"
        self.assertStatus(204, self.root.send("DELETE", path))
        self.assertStatus(200, self.root.create_table(self.namespace, "moved"))
        self.assertStatus(403, catalog.load_table(self.namespace, "moved"))

    def test_a_refused_drop_is_refused_with_its_key_too(self):
        catalog, _ = self.make_principal()
        path = f"namespaces/{self.namespace}/tables/mine"
        key = {"Idempotency-Key": "01900000-0000-7000-8000-000000000000"}
        for _ in range(2):
            self.assertStatus(403, catalog.send("DELETE", path, headers=key))

    def test_a_principal_that_is_gone(self):
        catalog, name = self.make_principal(self.table_grant("mine", "TABLE_READ_DATA"))
        self.assertStatus(200, catalog.load_table(self.namespace, "mine"))
        manage("DELETE", f"/principals/{name}")
        answer = self.assertStatus(401, catalog.load_table(self.namespace, "mine"))
        self.assertEqual(b"", answer.body)
        # Once more, for the one that the end of the check removes.
        manage("POST", "/principals", {"principal": {"name": name}})

    def test_the_management_api_is_for_administrators(self):
        catalog, _ = self.make_principal()
        answer = send("GET", ENV["MANAGEMENT_URI"] + "/principals", token=catalog.token)
        self.assertStatus(403, answer)
