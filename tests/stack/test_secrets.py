"""No secret of anybody stands in a log or in an error, whatever goes well or wrong."""

import uuid

import pyarrow.flight
import pytest

import issuer
import lake
from lake import ENV, Error, Namespace, User, send
from recorder import Recorder
from watch import WATCH, Watch, basic


class Watched:
    """A server that logs all it can, whose peers are watched; keeps all texts that it shows."""

    def __init__(self, directory, config):
        self.token_endpoint = Recorder(config.token_endpoint)
        self.catalog = Recorder(ENV["CATALOG_URI"])
        self._directory, self._config = directory, config
        self.errors: list[str] = []
        self.secrets: set[str] = set()

    def __enter__(self):
        self.token_endpoint.__enter__()
        self.catalog.__enter__()
        text = self._config(token_endpoint=self.token_endpoint.uri, catalog=self.catalog.uri)
        self.server = lake.serve(self._directory, text).__enter__()
        return self

    def __exit__(self, *_):
        self.server.__exit__()
        self.catalog.__exit__()
        self.token_endpoint.__exit__()

    def run(self, *statements: str, **credentials):
        """Runs statements, of which any may fail; remembers what is secret and what is said."""
        bearer, password = credentials.get("bearer"), credentials.get("password")
        self.secrets |= {secret for secret in (bearer, password) if secret}
        if password:
            self.secrets.add(basic(credentials["name"], password))
        results = []
        try:
            with User(self.server, **credentials) as user:
                for sql in statements:
                    results.append(self._try(user, sql))
        except Error as error:
            self._remember(error)
        return results

    def _try(self, user, sql):
        try:
            return user.rows(sql)
        except Error as error:
            self._remember(error)
            return error

    def _remember(self, error):
        self.errors.append(f"{error} {error.details}")

    def own_token(self, name: str, password: str):
        """Logs in as drivers do that keep the token of the handshake, which is a secret, too."""
        client = pyarrow.flight.connect(f"grpc://{self.server.address()}")
        _, header = client.authenticate_basic_token(name, password)
        self.secrets.add(WATCH.secret(header.decode().removeprefix("Bearer ")))

    def assert_nothing_told(self):
        metrics = send("GET", f"http://{self.server.address('http on ')}/metrics").body.decode()
        self.server.stop()
        seen = self.secrets.union(*self.token_endpoint.secrets.values())
        seen = seen.union(*self.catalog.secrets.values())
        log = self.server.log
        assert len(log.splitlines()) > 50, "a log at debug level is longer than this"
        assert len(self.errors) > 5
        watch = Watch()
        watch.secrets, watch.said = seen, [log, metrics, *self.errors]
        told = watch.told()
        assert not told, "\n".join(told)


def users_config(**uris):
    return lake.oidc_config(**uris)


users_config.token_endpoint = lake.TOKEN_ENDPOINT


def principals_config(token_endpoint, catalog):
    return f'[auth]\ntoken_endpoint = "{token_endpoint}"\n{lake.catalog_section(catalog)}'


principals_config.token_endpoint = ENV["TOKEN_ENDPOINT"]


@pytest.fixture(scope="module")
def namespace():
    with Namespace("secrets") as made:
        yield made


def test_a_secret_in_a_log_or_an_error_is_found():
    class Chatty:
        log = "a line\na line with hidden-0123456789 in it\n"

    watch = Watch()
    watch.secret("hidden-0123456789")
    watch.login("somebody", "short")
    assert watch.told() == []
    watch.server(Chatty())
    assert watch.told() == ["a line\na line with [SECRET] in it\n"]
    watch.says(f"authorization: Basic {basic('somebody', 'short')}=")
    assert watch.told()[1:] == ["authorization: Basic [SECRET]="]


def statements(schema: str) -> list[str]:
    table = f"{schema}.t_{uuid.uuid4().hex[:8]}"
    return [
        "SELECT 1",
        "SELECT nonsense",
        "SHOW ALL",
        f"SELECT * FROM {lake.WAREHOUSE}.test_ns.table_a",
        f"SELECT * FROM {lake.WAREHOUSE}.test_ns.table_b",
        f"EXPLAIN ANALYZE SELECT * FROM {lake.WAREHOUSE}.test_ns.table_a",
        f"SELECT * FROM {schema}.nothing",
        f"CREATE TABLE {table} AS SELECT * FROM tpch.sf0_01.orders",
        f"INSERT INTO {table} SELECT * FROM {table}",
        f"SELECT count(*), max(o_comment) FROM {table}",
        f"SELECT CAST(o_comment AS INT) FROM {table}",
        f"INSERT INTO {table} VALUES (1)",
        f"SHOW CREATE TABLE {table}",
        "SELECT * FROM information_schema.columns",
        f"CREATE TABLE {table} (a INT)",
        f"DROP TABLE {table}",
        "SELECT * FROM read_parquet('s3://warehouse/x.parquet')",
    ]


def fail_at_each_peer(watched, schema, **credentials):
    """Peers that answer with what they should not say, and with no sense."""
    secret = WATCH.secret(f"leak-{uuid.uuid4().hex}")
    watched.secrets.add(secret)
    for peer in (watched.catalog, watched.token_endpoint):
        for status, body in (
            (500, f"<html>{secret}</html>"),
            (400, f'{{"error": "invalid_request", "access_token": "{secret}"}}'),
            (401, f'{{"error": "invalid_grant", "refresh_token": "{secret}"}}'),
            (200, f'{{"access_token": ["{secret}"]}}'),
            (200, f"<html>{secret}</html>"),
            (403, secret),
        ):
            peer.answer = (status, body.encode())
            watched.run(f"SHOW TABLES FROM {schema}", **credentials)
        peer.answer = None


def test_users_of_the_provider(tmp_path, namespace):
    with Watched(tmp_path, users_config) as watched, issuer.new_user("service") as (name, password):
        rows = watched.run(*statements(namespace.full), name=name, password=password)
        assert rows[9] and not isinstance(rows[9], Error), rows[9]
        watched.own_token(name, password)
        watched.run(*statements(namespace.full), bearer=lake.token("user_a"))
        watched.run("SELECT 1", name="token", password=lake.token("user_ab"))
        watched.run("SELECT 1", name=name, password=f"wrong-{uuid.uuid4().hex}")
        head, body, _ = lake.token("user_a").split(".")
        watched.run("SELECT 1", bearer=f"{head}.{body}.{'A' * 342}")
        watched.run("SELECT 1", bearer=f"garbage-{uuid.uuid4().hex}")
        fail_at_each_peer(watched, namespace.full, name=name, password=password)
        for kind in ("access_token", "refresh_token", "password", "client_secret"):
            assert watched.token_endpoint.secrets[kind]
        for kind in ("access_token", "s3.secret-access-key", "s3.session-token"):
            assert watched.catalog.secrets[kind]
        watched.assert_nothing_told()


def test_principals_of_the_catalog(tmp_path, namespace):
    with Watched(tmp_path, principals_config) as watched, namespace.principal() as (name, secret):
        root = {"name": ENV["CLIENT_ID"], "password": ENV["CLIENT_SECRET"]}
        rows = watched.run(*statements(namespace.full), **root)
        assert rows[9] and not isinstance(rows[9], Error), rows[9]
        watched.own_token(*root.values())
        watched.run(*statements(namespace.full), name=name, password=secret)
        watched.run("SELECT 1", name=name, password=f"wrong-{uuid.uuid4().hex}")
        watched.run("SELECT 1", bearer=f"garbage-{uuid.uuid4().hex}")
        fail_at_each_peer(watched, namespace.full, **root)
        for kind in ("access_token", "client_secret"):
            assert watched.token_endpoint.secrets[kind]
        for kind in ("access_token", "s3.secret-access-key", "s3.session-token"):
            assert watched.catalog.secrets[kind]
        watched.assert_nothing_told()
