"""Nessie, whose habits are others."""

import unittest

from checks.oidc.test_users import user_token
from checks.support import DELEGATION, ENV, Catalog, oidc_token
from http_client import Store, form, send


class Nessie(unittest.TestCase):
    def catalog(self, token):
        return Catalog(token, ENV["NESSIE_URI"])

    def test_prefix_is_encoded_already(self):
        self.assertIn("%7C", self.catalog(oidc_token().json["access_token"]).config["prefix"])

    def test_keys_are_in_config_only(self):
        catalog = self.catalog(oidc_token().json["access_token"])
        table = catalog.load_table("test_ns", "table_a", DELEGATION).json
        self.assertNotIn("storage-credentials", table)
        store = Store.vended(table["config"])
        self.assertEqual(200, store.get(table["metadata-location"]).status)
        other = catalog.load_table("test_ns", "table_b", DELEGATION).json
        self.assertEqual(403, store.get(other["metadata-location"]).status)

    def test_rights(self):
        catalog = self.catalog(user_token("user_a"))
        self.assertEqual(200, catalog.load_table("test_ns", "table_a", DELEGATION).status)
        denied = catalog.load_table("test_ns", "table_b", DELEGATION)
        self.assertEqual((500, "AccessCheckException"), (denied.status, denied.error["type"]))

    def test_no_token(self):
        query = form(warehouse=ENV["WAREHOUSE"])
        answer = send("GET", f"{ENV['NESSIE_URI']}/v1/config?{query}")
        self.assertEqual((401, b""), (answer.status, answer.body))
