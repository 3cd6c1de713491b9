"""Scans and writes that outlast the token of their user and the keys of the store."""

import concurrent.futures
import contextlib
import dataclasses
import time

import pytest

import faults
import issuer
import lake
from faults import Faults
from lake import ENV, User
from recorder import Recorder
from server import Server

TOKEN_LIFE = 60
"""Of the provider's client for short tokens, in seconds."""

KEY_LIFE = 60
"""As the catalog tells it, in seconds."""

SOURCE = "tpch.sf0_1.lineitem"
WHOLE = "SELECT count(*), sum(l_orderkey), count(DISTINCT l_comment) FROM {}"
BUCKETS = 30
PUT_SECONDS = 5
"""Each task of a write closes its files one after the other, so that it takes 150 s."""


@dataclasses.dataclass
class Watched:
    """A server with short tokens and keys for a user, the name of its catalog, and what passes."""

    server: Server
    login: tuple[str, str]
    name: str
    store: Faults
    catalog: Recorder

    def user(self) -> User:
        return User(self.server, *self.login)

    def secrets(self) -> tuple[set[str], set[str]]:
        """Keys and tokens that the catalog has seen or given so far."""
        known = self.catalog.secrets
        return set(known["s3.session-token"]), set(known["access_token"])

    def assert_renewed(self, before: tuple[set[str], set[str]]):
        keys, tokens = self.secrets()
        assert keys - before[0], "the keys were renewed"
        assert tokens - before[1], "the token was renewed"


@pytest.fixture
def watched(tmp_path):
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(Faults(ENV["S3_ENDPOINT"]))
        life = {"sqe.test.credential-life": str(KEY_LIFE)}
        name = stack.enter_context(lake.warehouse("long", store.uri, **life))
        catalog = stack.enter_context(Recorder(ENV["CATALOG_URI"]))
        config = lake.oidc_config(
            client=ENV["OIDC_SHORT_CLIENT_ID"], catalog=catalog.uri, warehouse=name
        )
        server = stack.enter_context(lake.serve(tmp_path, config))
        login = stack.enter_context(issuer.new_user("service"))
        watched = Watched(server, login, name, store, catalog)
        with watched.user() as user:
            user.rows(f"CREATE SCHEMA {name}.s")
            try:
                yield watched
            finally:
                store.clear()
                for (table,) in user.rows(
                    f"SELECT table_name FROM information_schema.tables WHERE table_schema = 's'"
                    f" AND table_catalog = '{name}'"
                ):
                    user.rows(f"DROP TABLE {name}.s.{table}")
                user.rows(f"DROP SCHEMA {name}.s")


def test_a_scan_outlasts_tokens_and_keys(watched):
    table = f"{watched.name}.s.t"
    with watched.user() as user:
        user.rows(f"CREATE TABLE {table} AS SELECT * FROM {SOURCE}")
        for _ in range(2):
            user.rows(f"INSERT INTO {table} SELECT * FROM {table}")
        ((rows, total),) = user.rows(f"SELECT count(*), sum(l_orderkey) FROM {table}")
        with user.connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            reader = cursor.fetch_record_batch()
            first = reader.read_next_batch()
            before = watched.secrets()
            # A reader that pauses makes the scan pause, too.
            time.sleep(2 * TOKEN_LIFE + 5)
            batches = [first, *reader]
        assert sum(batch.num_rows for batch in batches) == rows
        column = first.schema.get_field_index("l_orderkey")
        assert sum(sum(batch.column(column).to_pylist()) for batch in batches) == total
        watched.assert_renewed(before)


def test_writes_outlast_tokens_and_keys(watched):
    """A table that is made and one that is added to, at the same time."""
    made, added_to = (f"{watched.name}.s.{name}" for name in ("made", "added_to"))
    spread = f"PARTITIONED BY (bucket({BUCKETS}, l_orderkey)) AS SELECT * FROM {SOURCE}"

    def timed(sql: str) -> float:
        start = time.monotonic()
        with watched.user() as user:
            user.rows(sql)
        return time.monotonic() - start

    with watched.user() as user:
        user.rows(f"CREATE TABLE {added_to} {spread} WHERE false")
        before, watched.store.secrets = watched.secrets(), {}
        slow = faults.late(PUT_SECONDS)
        watched.store.inject(
            slow, lambda request: request.method == "PUT" and request.path.endswith(".parquet")
        )
        writes = [f"CREATE TABLE {made} {spread}", f"INSERT INTO {added_to} SELECT * FROM {SOURCE}"]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            seconds = list(pool.map(timed, writes))
        assert min(seconds) > 2 * max(TOKEN_LIFE, KEY_LIFE), seconds
        watched.assert_renewed(before)
        # Of each table at least three: those at the begin, and two more.
        assert len(watched.store.secrets["s3.session-token"]) >= 6
        watched.store.clear()
        expected = user.rows(WHOLE.format(SOURCE))
        for table in (made, added_to):
            assert user.rows(WHOLE.format(table)) == expected
