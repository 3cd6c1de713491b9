"""The test stack as the tests see it: servers of SQE beside it, its users, and grants.

Addresses and accounts come from the environment, that of testing/env. Nothing of a statement or of
a rule of SQE is known here.
"""

import contextlib
import os
import pathlib
import re
import sys
import uuid

_ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT / path) for path in ("tests/clients", "testing")]

from adbc_driver_flightsql import DatabaseOptions, dbapi  # noqa: E402
from adbc_driver_manager import AdbcStatusCode, Error  # noqa: E402
from checks.support import ENV, Catalog, manage, oidc_token, root_token  # noqa: E402
from http_client import Store, form, send  # noqa: E402
from server import Server, binary  # noqa: E402
from watch import WATCH  # noqa: E402

__all__ = ["AdbcStatusCode", "Store", "binary", "form", "manage", "oidc_token", "send"]

for _name in ("CLIENT_SECRET", "OIDC_CLIENT_SECRET", "S3_ROOT_SECRET"):
    WATCH.secret(ENV[_name], short=True)

MINIMAL = _ROOT / "testing" / "minimal.toml"
"""What an operator writes to run SQE beside the catalog: no key of the store, no user."""

WAREHOUSE = ENV["WAREHOUSE"]
TOKEN_ENDPOINT = f"{ENV['OIDC_ISSUER']}/protocol/openid-connect/token"


def catalog_section(uri: str = ENV["CATALOG_URI"], warehouse: str = WAREHOUSE) -> str:
    """The configuration of the catalog and the store, without keys."""
    return f"""
[catalog]
polaris_url = "{uri}"
warehouse = "{warehouse}"
[storage]
s3_endpoint = "{ENV["S3_ENDPOINT"]}"
s3_region = "{ENV["S3_REGION"]}"
s3_path_style = true
"""


def oidc_config(
    client: str = ENV["OIDC_CLIENT_ID"],
    token_endpoint: str = TOKEN_ENDPOINT,
    catalog: str = ENV["CATALOG_URI"],
    warehouse: str = WAREHOUSE,
    more: str = "",
) -> str:
    """A server whose users log in at the provider, as the client `client` of it.

    `more` stands below `[auth]`.
    """
    return f"""
[auth]
grant = "password"
token_endpoint = "{token_endpoint}"
client_id = "{client}"
client_secret = "{ENV["OIDC_CLIENT_SECRET"]}"
issuer = "{ENV["OIDC_ISSUER"]}"
audience = "catalog"
{more}
{catalog_section(catalog, warehouse)}"""


def serve(directory: pathlib.Path, config: str | pathlib.Path, **env: str) -> Server:
    """A server with this configuration, on free ports; a context manager that stops it.

    Its environment has nothing of the stack's, so that no key can reach it that way. It logs all it
    can, for the search for secrets.
    """
    file = config
    if isinstance(config, str):
        file = directory / "sqe.toml"
        file.write_text(config)
    hidden = {name: None for name in os.environ if name.startswith(("SQE_", "AWS_"))}
    env = {**hidden, "SQE__SERVER__LOG_LEVEL": "debug", **env}
    return WATCH.server(Server(directory / "data", "--config", str(file), env=env))


@contextlib.contextmanager
def listening():
    """Remembers an error that is raised, for the search for secrets."""
    try:
        yield
    except Error as error:
        WATCH.says(f"{error} {error.details}")
        raise


class User:
    """A connection of one user. A context manager that closes it."""

    def __init__(self, server: Server, name=None, password=None, bearer=None, options=None):
        """`options` are further ones of the driver, which speaks TLS if it is told whom to trust."""
        options = dict(options or {})
        if bearer is not None:
            options[DatabaseOptions.AUTHORIZATION_HEADER.value] = f"Bearer {bearer}"
            WATCH.secret(bearer)
        elif name is not None:
            options |= {"username": name, "password": password}
            WATCH.login(name, password)
        scheme = "grpc+tls" if DatabaseOptions.TLS_ROOT_CERTS.value in options else "grpc"
        uri = f"{scheme}://{server.address()}"
        with listening():
            self.connection = dbapi.connect(uri, db_kwargs=options, autocommit=True)

    def rows(self, sql: str) -> list[tuple]:
        with listening(), self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def arrow(self, sql: str):
        with listening(), self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    def error(self, sql: str) -> Error:
        """The error that `sql` must end with."""
        try:
            rows = self.rows(sql)
        except Error as error:
            return error
        raise AssertionError(f"no error, but {rows[:10]}: {sql}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def login_error(server: Server, sql: str = "SELECT 1", **credentials) -> Error:
    """The error of a login that must fail, or else of its first statement `sql`."""
    try:
        with User(server, **credentials) as user:
            rows = user.rows(sql)
    except Error as error:
        return error
    raise AssertionError(f"no error, but {rows[:10]}: {sql}")


def root(server: Server) -> User:
    """The account that may do everything, on a server with the catalog's own logins."""
    return User(server, ENV["CLIENT_ID"], ENV["CLIENT_SECRET"])


def token(user: str, password: str | None = None, **more) -> str:
    """An access token of the provider for a user, whose password is by default their name."""
    return _access_token(oidc_token(username=user, password=password or user, **more))


def service_token() -> str:
    """An access token of the account that may do everything in all warehouses of the tests."""
    return _access_token(oidc_token())


def _access_token(answer) -> str:
    assert answer.status == 200, answer.status
    return WATCH.secret(answer.json["access_token"])


@contextlib.contextmanager
def warehouse(prefix: str, endpoint: str = ENV["S3_ENDPOINT"], **properties: str):
    """The name of a new warehouse, where the role `service` may do everything.

    `endpoint` is the address of the store that clients are told.
    """
    name = f"{prefix}_{uuid.uuid4().hex[:8]}"
    location = f"s3://{ENV['S3_BUCKET']}/{name}"
    storage = {
        "storageType": "S3",
        "allowedLocations": [location],
        "endpoint": endpoint,
        "endpointInternal": ENV["S3_ENDPOINT"],
        "stsEndpoint": ENV["S3_ENDPOINT"],
        "region": ENV["S3_REGION"],
        "pathStyleAccess": True,
    }
    properties = {"default-base-location": location, **properties}
    catalog = {"name": name, "type": "INTERNAL", "properties": properties}
    manage("POST", "/catalogs", {"catalog": {**catalog, "storageConfigInfo": storage}})
    try:
        grant = {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}
        manage("PUT", f"/catalogs/{name}/catalog-roles/catalog_admin/grants", {"grant": grant})
        role = {"catalogRole": {"name": "catalog_admin"}}
        manage("PUT", f"/principal-roles/service/catalog-roles/{name}", role)
        yield name
    finally:
        manage("DELETE", f"/catalogs/{name}")


class Namespace:
    """A namespace of a test's own, with grants on what is in it. A context manager that empties it."""

    def __init__(self, prefix: str):
        self.name = f"{prefix}_{uuid.uuid4().hex[:8]}"
        self.full = f"{WAREHOUSE}.{self.name}"
        self.catalog = Catalog(root_token())
        answer = self.catalog.send("POST", "namespaces", {"namespace": [self.name]})
        assert answer.status == 200, answer.body

    def grant(self, role: str, privilege: str, take_away: bool = False, **target: str):
        """Gives a catalog role a privilege on `table=` or `view=`, else on the namespace."""
        grant = {"type": "namespace", "namespace": [self.name], "privilege": privilege}
        for kind, name in target.items():
            grant |= {"type": kind, f"{kind}Name": name}
        path = f"/catalogs/{WAREHOUSE}/catalog-roles/{role}/grants"
        manage("POST" if take_away else "PUT", path, {"grant": grant})

    def load(self, table: str, bearer: str) -> dict:
        """What the catalog tells the owner of a token of a table, with vended keys."""
        headers = {"X-Iceberg-Access-Delegation": "vended-credentials"}
        answer = Catalog(bearer).load_table(self.name, table, headers)
        assert answer.status == 200, answer.body
        for name in ("s3.access-key-id", "s3.secret-access-key", "s3.session-token"):
            WATCH.secret(answer.json["config"][name])
        return answer.json

    def names(self) -> dict[str, list[str]]:
        """The names of its tables and views, sorted."""
        path = f"namespaces/{self.name}"
        listed = {kind: self.catalog.send("GET", f"{path}/{kind}") for kind in ("tables", "views")}
        return {
            kind: sorted(found["name"] for found in answer.json["identifiers"])
            for kind, answer in listed.items()
        }

    @contextlib.contextmanager
    def principal(self):
        """A new principal of the catalog without any right: its id and its secret."""
        name = f"{self.name}_nobody"
        made = manage("POST", "/principals", {"principal": {"name": name}}).json["credentials"]
        WATCH.secret(made["clientSecret"])
        try:
            yield made["clientId"], made["clientSecret"]
        finally:
            manage("DELETE", f"/principals/{name}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        path = f"namespaces/{self.name}"
        self.catalog = Catalog(root_token())
        for kind, names in self.names().items():
            for name in names:
                self.catalog.send("DELETE", f"{path}/{kind}/{name}")
        assert self.catalog.send("DELETE", path).status == 204


def leaks(text: str) -> list[str]:
    """What an error must not tell: places of files, and names of files of tables."""
    return re.findall(r"s3a?://\S*|\S+\.(?:parquet|avro|metadata\.json|puffin)\b", text)
