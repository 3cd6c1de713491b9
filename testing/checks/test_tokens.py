"""The catalog's own tokens."""

import unittest

from checks.support import ENV, Catalog, client_token, root_token
from http_client import form, send


class Tokens(unittest.TestCase):
    def test_right_secret(self):
        answer = client_token(ENV["CLIENT_ID"], ENV["CLIENT_SECRET"])
        self.assertEqual(200, answer.status)
        self.assertEqual("bearer", answer.json["token_type"].lower())
        self.assertGreater(answer.json["expires_in"], 0)

    def test_wrong_secret(self):
        for client_id, secret in ((ENV["CLIENT_ID"], "wrong"), ("nobody", ENV["CLIENT_SECRET"])):
            answer = client_token(client_id, secret)
            self.assertEqual(401, answer.status)
            self.assertEqual("unauthorized_client", answer.json["error"])

    def test_wrong_scope(self):
        answer = client_token(ENV["CLIENT_ID"], ENV["CLIENT_SECRET"], scope="profile")
        self.assertEqual(400, answer.status)

    def test_no_valid_token(self):
        token = root_token()
        head, body, signature = token.split(".")
        tampered = f"{head}.{body}.{signature[:-4]}AAAA"
        for bad in (None, "", "garbage", tampered, f"{head}.{body}."):
            for path in ("config?" + form(warehouse=ENV["WAREHOUSE"]), "none/namespaces"):
                answer = send("GET", f"{ENV['CATALOG_URI']}/v1/{path}", token=bad)
                self.assertEqual((401, b""), (answer.status, answer.body), bad)

    def test_no_role_is_activated_that_is_not_asked_for(self):
        secret = ENV["CLIENT_SECRET"]
        token = client_token(ENV["CLIENT_ID"], secret, "PRINCIPAL_ROLE:none").json["access_token"]
        self.assertEqual(403, Catalog(token).send("GET", "namespaces").status)
