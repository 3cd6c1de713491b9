"""Users of the OIDC provider at the catalog."""

import base64
import contextlib
import json
import time
import unittest

from approve_device import approve
from checks.support import DELEGATION, ENV, Catalog, oidc_token
from http_client import Store, form, send


def claims(token, part=1):
    text = token.split(".")[part]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def header(token):
    return claims(token, part=0)


def admin_token():
    """A token of the provider's own administrator, which comes from its realm `master`."""
    issuer = ENV["OIDC_ISSUER"].replace("/realms/iceberg", "/realms/master")
    body = form(
        grant_type="password",
        client_id="admin-cli",
        username=ENV["OIDC_ADMIN_USER"],
        password=ENV["OIDC_ADMIN_PASSWORD"],
    )
    answer = send("POST", issuer + "/protocol/openid-connect/token", body)
    return answer.json["access_token"]


@contextlib.contextmanager
def new_signing_key():
    """Lets the provider sign with a key that is new, as at a rotation; takes it away afterwards."""
    components = ENV["OIDC_ISSUER"].replace("/realms/", "/admin/realms/") + "/components"
    key = {
        "name": "rotated",
        "providerId": "rsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider",
        "config": {"priority": ["1000"], "algorithm": ["RS256"]},
    }
    made = send("POST", components, key, token=admin_token())
    try:
        yield
    finally:
        send("DELETE", made.headers["Location"], token=admin_token())


def user_token(name, **fields):
    return oidc_token(username=name, password=name, **fields).json["access_token"]


class Users(unittest.TestCase):
    def test_rights(self):
        for user, allowed in (("user_a", {"table_a"}), ("user_ab", {"table_a", "table_b"})):
            catalog = Catalog(user_token(user))
            listed = catalog.send("GET", "namespaces/test_ns/tables").json["identifiers"]
            self.assertLessEqual({"table_a", "table_b"}, {table["name"] for table in listed})
            for table in ("table_a", "table_b"):
                answer = catalog.load_table("test_ns", table, DELEGATION)
                if table in allowed:
                    self.assertEqual(200, answer.status, answer.body)
                    store = Store.vended(answer.json["config"])
                    self.assertEqual(200, store.get(answer.json["metadata-location"]).status)
                else:
                    self.assertEqual(403, answer.status)
                    self.assertIn(user, answer.error["message"])
                    self.assertIn("LOAD_TABLE_WITH_READ_DELEGATION", answer.error["message"])

    def test_service_account(self):
        catalog = Catalog(oidc_token().json["access_token"])
        self.assertEqual(200, catalog.load_table("test_ns", "table_b", DELEGATION).status)

    def test_lives(self):
        for client, life in (("OIDC_CLIENT_ID", 300), ("OIDC_SHORT_CLIENT_ID", 60)):
            token = claims(user_token("user_a", client=client))
            self.assertEqual(life, token["exp"] - token["iat"])
            self.assertEqual("user_a", token["principal"])
            self.assertEqual("catalog", token["aud"])

    def test_refusals(self):
        good = user_token("user_a")
        head, body, signature = good.split(".")
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        wrong_audience = user_token("user_a", realm_client="admin-cli")
        config = f"{ENV['CATALOG_URI']}/v1/config?{form(warehouse=ENV['WAREHOUSE'])}"
        self.assertEqual(200, send("GET", config, token=good).status)
        for bad in (
            f"{head}.{body}.{signature[:-8]}AAAAAAAA",
            f"{none}.{body}.",
            admin_token(),
            wrong_audience,
        ):
            answer = send("GET", config, token=bad)
            self.assertEqual((401, b""), (answer.status, answer.body))

    def test_a_new_signing_key(self):
        before = user_token("user_a")
        with new_signing_key():
            after = user_token("user_a")
            self.assertNotEqual(header(before)["kid"], header(after)["kid"])
            for token in (before, after):
                self.assertEqual(200, Catalog(token).send("GET", "namespaces").status)

    def test_wrong_password(self):
        answer = oidc_token(username="user_a", password="wrong")
        self.assertIn(answer.status, (400, 401))
        self.assertEqual("invalid_grant", answer.json["error"])

    def test_refresh(self):
        tokens = oidc_token(username="user_a", password="user_a").json
        again = oidc_token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        self.assertEqual(200, again.status)
        self.assertEqual(200, Catalog(again.json["access_token"]).send("GET", "namespaces").status)

    def poll(self, endpoint, body):
        """Asks until there is a token; the provider refuses to be asked too often."""
        while True:
            answer = send("POST", endpoint, body)
            if answer.status == 200:
                return answer.json["access_token"]
            self.assertEqual("slow_down", answer.json["error"])
            time.sleep(1)

    def test_device_code(self):
        client = ENV["OIDC_CLI_CLIENT_ID"]
        connect = ENV["OIDC_ISSUER"] + "/protocol/openid-connect"
        code = send("POST", f"{connect}/auth/device", form(client_id=client)).json
        poll = form(
            grant_type="urn:ietf:params:oauth:grant-type:device_code",
            client_id=client,
            device_code=code["device_code"],
        )
        pending = send("POST", f"{connect}/token", poll)
        self.assertEqual((400, "authorization_pending"), (pending.status, pending.json["error"]))
        approve(code["verification_uri_complete"], "user_a", "user_a")
        token = self.poll(f"{connect}/token", poll)
        self.assertEqual("user_a", claims(token)["principal"])
        self.assertEqual(200, Catalog(token).load_table("test_ns", "table_a").status)
