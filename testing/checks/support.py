"""What the checks share: the catalog with a token, and a namespace that is gone afterwards."""

import os
import unittest
import urllib.parse
import uuid

from http_client import form, send

ENV = {
    name.removeprefix("SQE_TEST_"): value
    for name, value in os.environ.items()
    if name.startswith("SQE_TEST_")
}
DELEGATION = {"X-Iceberg-Access-Delegation": "vended-credentials"}
SCHEMA = {
    "type": "struct",
    "schema-id": 0,
    "fields": [{"id": 1, "name": "id", "type": "long", "required": False}],
}


def client_token(client_id, secret, scope="PRINCIPAL_ROLE:ALL"):
    """The answer of the catalog's own token endpoint."""
    body = form(
        grant_type="client_credentials", client_id=client_id, client_secret=secret, scope=scope
    )
    return send("POST", ENV["TOKEN_ENDPOINT"], body)


def root_token():
    return client_token(ENV["CLIENT_ID"], ENV["CLIENT_SECRET"]).json["access_token"]


def oidc_token(client="OIDC_CLIENT_ID", realm_client=None, **fields):
    """The answer of the provider's token endpoint for a password, or for the client itself."""
    client_id = realm_client or ENV[client]
    if realm_client is None:
        fields["client_secret"] = ENV["OIDC_CLIENT_SECRET"]
    fields.setdefault("grant_type", "password" if "username" in fields else "client_credentials")
    endpoint = ENV["OIDC_ISSUER"] + "/protocol/openid-connect/token"
    return send("POST", endpoint, form(client_id=client_id, **fields))


def manage(method, path, body=None):
    """A request to the management API as root, which must succeed."""
    answer = send(method, ENV["MANAGEMENT_URI"] + path, body, token=root_token())
    if answer.status // 100 != 2:
        raise AssertionError(f"{method} {path}: {answer.status} {answer.body}")
    return answer


def quoted(*levels):
    """Names as they stand in a path: levels of a namespace are joined by the unit separator."""
    return "%1F".join(urllib.parse.quote(level, safe="") for level in levels)


class Catalog:
    """The REST catalog at `uri` with a token; paths are below the prefix of the warehouse."""

    def __init__(self, token, uri=None, warehouse=None):
        self.token, self.uri = token, uri or ENV["CATALOG_URI"]
        query = form(warehouse=warehouse or ENV["WAREHOUSE"])
        config = send("GET", f"{self.uri}/v1/config?{query}", token=token).json
        self.config = {**config["defaults"], **config["overrides"]}
        self.endpoints = config.get("endpoints")

    def send(self, method, path, body=None, headers=None):
        url = f"{self.uri}/v1/{self.config['prefix']}/{path}"
        return send(method, url, body, headers, self.token)

    def create_table(self, namespace, name, headers=None, **more):
        body = {"name": name, "schema": SCHEMA, **more}
        return self.send("POST", f"namespaces/{namespace}/tables", body, headers)

    def load_table(self, namespace, name, headers=None):
        return self.send("GET", f"namespaces/{namespace}/tables/{quoted(name)}", headers=headers)

    def commit(self, namespace, name, requirements, updates, headers=None):
        body = {"requirements": requirements, "updates": updates}
        return self.send("POST", f"namespaces/{namespace}/tables/{name}", body, headers)


class CatalogCase(unittest.TestCase):
    """Has a namespace of its own, `self.namespace`, and root's catalog, `self.root`."""

    def setUp(self):
        self.root = Catalog(root_token())
        self.namespace = self.make_namespace()

    def make_namespace(self, *levels):
        levels = levels or (f"check_{uuid.uuid4().hex[:8]}",)
        self.assertStatus(200, self.root.send("POST", "namespaces", {"namespace": list(levels)}))
        self.addCleanup(self.remove_namespace, quoted(*levels))
        return quoted(*levels)

    def remove_namespace(self, namespace):
        for kind in ("tables", "views"):
            listed = self.root.send("GET", f"namespaces/{namespace}/{kind}").json["identifiers"]
            for identifier in listed:
                path = f"namespaces/{namespace}/{kind}/{quoted(identifier['name'])}"
                self.assertStatus(204, self.root.send("DELETE", path))
        self.assertStatus(204, self.root.send("DELETE", f"namespaces/{namespace}"))

    def make_warehouse(self, **properties):
        """A warehouse with these properties; returns its name."""
        name = f"check_{uuid.uuid4().hex[:8]}"
        location = f"s3://{ENV['S3_BUCKET']}/{name}"
        body = {
            "name": name,
            "type": "INTERNAL",
            "properties": {"default-base-location": location, **properties},
            "storageConfigInfo": {
                "storageType": "S3",
                "allowedLocations": [location],
                "endpoint": ENV["S3_ENDPOINT"],
                "region": ENV["S3_REGION"],
                "pathStyleAccess": True,
            },
        }
        manage("POST", "/catalogs", {"catalog": body})
        self.addCleanup(manage, "DELETE", f"/catalogs/{name}")
        return name

    def make_principal(self, *grants):
        """A principal with these grants; returns its catalog, its name and the name of its role."""
        name = f"check_{uuid.uuid4().hex[:8]}"
        roles = f"/catalogs/{ENV['WAREHOUSE']}/catalog-roles"
        made = manage("POST", "/principals", {"principal": {"name": name}}).json["credentials"]
        self.addCleanup(manage, "DELETE", f"/principals/{name}")
        manage("POST", "/principal-roles", {"principalRole": {"name": name}})
        self.addCleanup(manage, "DELETE", f"/principal-roles/{name}")
        manage("PUT", f"/principals/{name}/principal-roles", {"principalRole": {"name": name}})
        manage("POST", roles, {"catalogRole": {"name": name}})
        self.addCleanup(manage, "DELETE", f"{roles}/{name}")
        assigned = f"/principal-roles/{name}/catalog-roles/{ENV['WAREHOUSE']}"
        manage("PUT", assigned, {"catalogRole": {"name": name}})
        for grant in grants:
            self.grant(name, grant)
        token = client_token(made["clientId"], made["clientSecret"]).json["access_token"]
        return Catalog(token), name

    def grant(self, role, grant, method="PUT"):
        """With POST the grant is taken away."""
        path = f"/catalogs/{ENV['WAREHOUSE']}/catalog-roles/{role}/grants"
        manage(method, path, {"grant": grant})

    def table_grant(self, table, privilege):
        return {
            "type": "table",
            "namespace": [self.namespace],
            "tableName": table,
            "privilege": privilege,
        }

    def assertStatus(self, status, answer):
        self.assertEqual(status, answer.status, answer.body)
        return answer

    def assertForbidden(self, answer, principal, operation):
        self.assertStatus(403, answer)
        self.assertEqual("ForbiddenException", answer.error["type"])
        self.assertEqual(403, answer.error["code"])
        self.assertIn(principal, answer.error["message"])
        self.assertIn(operation, answer.error["message"])
