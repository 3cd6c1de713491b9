"""Peers that fail: what a user sees is the whole truth or an error, in time, and nothing in between.

Each test has a server of its own, so that nothing it reads is in a cache already.
"""

import contextlib
import time

import pyarrow as pa
import pytest

import faults
import lake
from faults import Faults
from lake import ENV, AdbcStatusCode, Error, User
from watch import Watch

FILES = 4
COLUMNS = "l_orderkey, l_linenumber, l_quantity, l_comment"
SOURCE = f"SELECT {COLUMNS} FROM tpch.sf0_01.lineitem"
ATTEMPTS_AT_THE_STORE = 9
ATTEMPTS_AT_THE_CATALOG = 4
SLACK = 15
"""Seconds that a busy machine may need beyond a limit."""

BUSY = faults.says(
    503, "<Error><Code>SlowDown</Code><Message>leak</Message></Error>", "application/xml"
)


class Lake:
    """A warehouse whose store and catalog are reached through proxies, and a table `t` in it."""

    def __init__(self, name: str, store: Faults, catalog: Faults):
        self.name, self.store, self.catalog = name, store, catalog
        self.table = f"{name}.s.t"

    @contextlib.contextmanager
    def user(self, directory, statement_timeout="5min", request_timeout="30s"):
        """A user of a new server."""
        config = lake.oidc_config(catalog=self.catalog.uri, warehouse=self.name)
        limits = {
            "SQE__LIMITS__STATEMENT_TIMEOUT": statement_timeout,
            "SQE__CATALOG__REQUEST_TIMEOUT": request_timeout,
        }
        with lake.serve(directory, config, **limits) as server:
            with User(server, bearer=lake.service_token()) as user:
                yield user
                self.clear()
            assert server.process.poll() is None, f"the server died:\n{server.log}"

    def clear(self):
        self.store.clear()
        self.catalog.clear()

    def assert_nothing_told(self, error: Error):
        watch = Watch()
        watch.secrets = set().union(*self.store.secrets.values(), *self.catalog.secrets.values())
        assert len(watch.secrets) > 3
        watch.says(f"{error} {error.details}")
        assert not watch.told() and "leak" not in str(error), watch.told()


@pytest.fixture(scope="module")
def whole(minimal):
    """All rows of the table, in order."""
    with lake.root(minimal) as service:
        return in_order(service.arrow(SOURCE))


def in_order(table: pa.Table) -> pa.Table:
    """The rows in order, without what says whether a column may be null."""
    table = pa.table(dict(zip(table.column_names, table.columns)))
    return table.sort_by([("l_orderkey", "ascending"), ("l_linenumber", "ascending")])


@pytest.fixture(scope="module")
def made(tmp_path_factory, whole):
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(Faults(ENV["S3_ENDPOINT"]))
        catalog = stack.enter_context(Faults(ENV["CATALOG_URI"]))
        name = stack.enter_context(lake.warehouse("faults", endpoint=store.uri))
        made = Lake(name, store, catalog)
        with made.user(tmp_path_factory.mktemp("made")) as user:
            user.rows(f"CREATE SCHEMA {name}.s")
            for number in range(FILES):
                begin = "INSERT INTO" if number else "CREATE TABLE"
                middle = "" if number else "AS"
                part = f"{SOURCE} WHERE l_orderkey % {FILES} = {number}"
                user.rows(f"{begin} {made.table} {middle} {part}")
        yield made
        made.clear()
        with made.user(tmp_path_factory.mktemp("unmade")) as user:
            user.rows(f"DROP TABLE {made.table}")
            user.rows(f"DROP SCHEMA {name}.s")


@pytest.fixture
def broken(made):
    """The lake, whose faults end with the test."""
    made.clear()
    yield made
    made.clear()


def data(request) -> bool:
    return request.method == "GET" and request.path.endswith(".parquet")


def manifests(request) -> bool:
    return request.method == "GET" and request.path.endswith(".avro")


def writes(request) -> bool:
    return request.method in ("PUT", "POST")


READS = {"data": data, "manifests": manifests}


class Timed:
    """How long a block takes, in seconds."""

    def __enter__(self):
        self._start = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self._start


def failure(broken, user, sql) -> tuple[Error, float]:
    """The error that a statement must end with, which tells no secret, and after how long."""
    with Timed() as timed:
        error = user.error(sql)
    broken.assert_nothing_told(error)
    return error, timed.seconds


def read(broken) -> str:
    return f"SELECT {COLUMNS} FROM {broken.table}"


@pytest.mark.parametrize("what", READS)
@pytest.mark.parametrize("fault", [BUSY, faults.says(500, "<html>leak</html>")], ids=["503", "500"])
def test_a_store_that_fails_at_first_changes_nothing(broken, tmp_path, whole, what, fault):
    with broken.user(tmp_path) as user:
        broken.store.inject(fault, READS[what], times=2)
        assert in_order(user.arrow(read(broken))) == whole
        assert broken.store.spoiled >= 2
        assert max(broken.store.attempts.values()) == 3


@pytest.mark.parametrize("what", READS)
def test_a_store_that_goes_on_failing_is_asked_a_few_times(broken, tmp_path, what):
    with broken.user(tmp_path) as user:
        broken.store.inject(BUSY, READS[what])
        error, seconds = failure(broken, user, read(broken))
        assert error.status_code == AdbcStatusCode.IO, error
        assert "503 SlowDown" in str(error) and broken.name in str(error)
        assert max(broken.store.attempts.values()) <= ATTEMPTS_AT_THE_STORE
        assert seconds < 60 + SLACK


@pytest.mark.parametrize("what", READS)
@pytest.mark.parametrize(
    "fault", [faults.dripping(100), faults.late(20)], ids=["slow body", "late"]
)
def test_the_deadline_of_a_statement_holds(broken, tmp_path, what, fault):
    with broken.user(tmp_path, statement_timeout="3s") as user:
        broken.store.inject(fault, READS[what])
        error, seconds = failure(broken, user, read(broken))
        assert error.status_code == AdbcStatusCode.TIMEOUT, error
        assert 3 <= seconds < 3 + SLACK
        # The server does not go on for nobody, and works for the next statement.
        broken.clear()
        assert user.rows("SELECT 1") == [(1,)]


def test_slow_bodies_are_read_to_their_end(broken, tmp_path, whole):
    with broken.user(tmp_path) as user:
        broken.store.inject(faults.dripping(400_000), data)
        with Timed() as timed:
            assert in_order(user.arrow(read(broken))) == whole
        assert broken.store.spoiled >= FILES and timed.seconds > 0.5


SHORT = {
    "broken off": faults.broken_off,
    "short body": faults.short_body,
    "short range": faults.short_range,
    "whole object": faults.whole_object,
}


@pytest.mark.parametrize("kind", SHORT)
@pytest.mark.parametrize("what", READS)
def test_a_body_that_is_not_what_was_asked_for_is_an_error(broken, tmp_path, what, kind):
    if (what, kind) == ("manifests", "whole object"):
        # They are read whole.
        kind = "broken off"
    with broken.user(tmp_path) as user:
        broken.store.inject(SHORT[kind], READS[what])
        error, seconds = failure(broken, user, read(broken))
        assert broken.store.spoiled and broken.name in str(error), error
        assert max(broken.store.attempts.values()) <= ATTEMPTS_AT_THE_STORE
        assert seconds < 60 + SLACK


@pytest.mark.parametrize("kind", SHORT)
@pytest.mark.parametrize("after", [1, 3, 6])
def test_a_part_of_the_rows_is_never_shown_as_all(broken, tmp_path, whole, kind, after):
    with broken.user(tmp_path) as user:
        broken.store.inject(SHORT[kind], data, after=after)
        for sql in (read(broken), f"SELECT count(*) FROM ({read(broken)} WHERE l_quantity > 0)"):
            try:
                found = user.arrow(sql)
            except Error as error:
                broken.assert_nothing_told(error)
            else:
                # Right after all: nothing that was needed was spoiled.
                assert found.num_rows == 1 or in_order(found) == whole
                assert found.num_rows > 1 or found.column(0).to_pylist() == [whole.num_rows]
        assert broken.store.spoiled


@pytest.mark.parametrize("kind", ["broken off", "short body"])
def test_what_fails_once_succeeds_the_next_time(broken, tmp_path, whole, kind):
    with broken.user(tmp_path) as user:
        broken.store.inject(SHORT[kind], data, times=1)
        with contextlib.suppress(Error):
            assert in_order(user.arrow(read(broken))) == whole
        assert broken.store.spoiled
        broken.clear()
        assert in_order(user.arrow(read(broken))) == whole


def test_a_write_through_a_store_that_fails_at_first_happens_once(broken, tmp_path, whole):
    table = f"{broken.name}.s.written"
    with broken.user(tmp_path) as user:
        broken.store.inject(BUSY, writes, times=2)
        try:
            user.rows(f"CREATE TABLE {table} AS {SOURCE}")
            assert broken.store.spoiled >= 2
            assert in_order(user.arrow(f"SELECT * FROM {table}")) == whole
        finally:
            broken.clear()
            user.rows(f"DROP TABLE IF EXISTS {table}")


def test_a_write_that_the_store_does_not_take_leaves_nothing(broken, tmp_path, whole):
    table = f"{broken.name}.s.refused"
    with broken.user(tmp_path) as user:
        for sql in (f"CREATE TABLE {table} AS {SOURCE}", f"INSERT INTO {broken.table} {SOURCE}"):
            broken.store.inject(BUSY, writes)
            error, seconds = failure(broken, user, sql)
            assert "503 SlowDown" in str(error), error
            # Removals of several files, which are tried, too, have the same path.
            puts = {key: n for key, n in broken.store.attempts.items() if key[0] == "PUT"}
            assert puts and max(puts.values()) <= ATTEMPTS_AT_THE_STORE
            assert seconds < 60 + SLACK
            broken.clear()
        assert "not found" in str(user.error(f"SELECT * FROM {table}"))
        assert in_order(user.arrow(read(broken))) == whole


CATALOG_FAULTS = {
    "html": (faults.says(200, "<html>leak</html>"), "something that is not JSON"),
    "html of a gateway": (faults.says(502, "<html>leak</html>"), "502"),
    "other json": (faults.says(200, '{"leak": 1}', "application/json"), "protocol does not allow"),
    "broken off": (faults.broken_off, "broke off the connection"),
}


def loads(request) -> bool:
    return request.method == "GET" and "/tables/" in request.path


def commits(request) -> bool:
    return request.method == "POST" and "/tables/" in request.path


@pytest.mark.parametrize("kind", CATALOG_FAULTS)
@pytest.mark.parametrize("where", [loads, lambda request: True], ids=["table", "everything"])
def test_a_catalog_that_talks_nonsense_is_an_error(broken, tmp_path, kind, where):
    fault, said = CATALOG_FAULTS[kind]
    with broken.user(tmp_path) as user:
        broken.catalog.inject(fault, where)
        error, seconds = failure(broken, user, read(broken))
        assert said in str(error) and broken.name in str(error), error
        assert max(broken.catalog.attempts.values()) <= ATTEMPTS_AT_THE_CATALOG
        assert seconds < 30 + SLACK


def test_a_catalog_that_is_down_is_an_error(tmp_path):
    config = lake.oidc_config(catalog="http://127.0.0.1:1/api/catalog")
    with lake.serve(tmp_path, config) as server:
        with User(server, bearer=lake.service_token()) as user:
            with Timed() as timed:
                error = user.error(f"SELECT * FROM {lake.WAREHOUSE}.test_ns.table_a")
            assert error.status_code == AdbcStatusCode.IO and "cannot be reached" in str(error)
            assert timed.seconds < 30 + SLACK
            assert user.rows("SELECT 1") == [(1,)]


def test_a_slow_catalog_is_an_error_in_time(broken, tmp_path):
    with broken.user(tmp_path, request_timeout="1s") as user:
        broken.catalog.inject(faults.late(30), loads)
        error, seconds = failure(broken, user, read(broken))
        assert error.status_code == AdbcStatusCode.IO, error
        assert "did not answer in" in str(error)
        # One call with its retries takes three times as long at most.
        assert 1 <= seconds < 3 + SLACK


@pytest.mark.parametrize("where", [loads, lambda request: True], ids=["table", "everything"])
def test_a_catalog_that_is_slower_than_a_statement_may_take(broken, tmp_path, where):
    with broken.user(tmp_path, statement_timeout="2s") as user:
        broken.catalog.inject(faults.late(20), where)
        error, seconds = failure(broken, user, read(broken))
        assert error.status_code == AdbcStatusCode.TIMEOUT, error
        assert 2 <= seconds < 2 + SLACK


@pytest.mark.parametrize(
    "fault",
    [faults.says(500, ""), faults.says(503, "<html>leak</html>"), faults.broken_off],
    ids=["500", "503", "broken off"],
)
def test_a_catalog_that_fails_at_first_changes_nothing(broken, tmp_path, whole, fault):
    with broken.user(tmp_path) as user:
        broken.catalog.inject(fault, lambda request: request.method == "GET", times=2)
        assert in_order(user.arrow(read(broken))) == whole
        assert broken.catalog.spoiled >= 2


@pytest.mark.parametrize(
    "fault",
    [faults.says(500, ""), faults.lost(500), faults.lost(502), faults.broken_off],
    ids=["not done", "done and 500", "done and 502", "done and broken off"],
)
def test_a_commit_of_which_the_answer_is_bad_happens_once(broken, tmp_path, fault):
    table = f"{broken.name}.s.committed"
    with broken.user(tmp_path) as user:
        user.rows(f"CREATE TABLE {table} (id INT)")
        try:
            broken.catalog.inject(fault, commits, times=1)
            user.rows(f"INSERT INTO {table} VALUES (1), (2)")
            assert broken.catalog.spoiled == 1
            broken.clear()
            assert user.rows(f"SELECT id FROM {table} ORDER BY id") == [(1,), (2,)]
        finally:
            broken.clear()
            user.rows(f"DROP TABLE {table}")


def test_a_commit_that_the_catalog_never_takes_changes_nothing(broken, tmp_path, whole):
    with broken.user(tmp_path) as user:
        broken.catalog.inject(faults.says(500, ""), commits)
        error, seconds = failure(broken, user, f"INSERT INTO {broken.table} {SOURCE}")
        assert "500" in str(error), error
        assert broken.catalog.attempts.total() <= 2 * ATTEMPTS_AT_THE_CATALOG
        assert seconds < 60 + SLACK
        broken.clear()
        assert in_order(user.arrow(read(broken))) == whole
