"""Who may do what in the second catalog, as far as its rules go.

They stand in its settings and name paths: both users may read `test_ns.table_a`, user_ab also
`test_ns.table_b`, nobody but the service what a test makes. Keys of who may only read are of no use
(`testing/README.md`), so that the two tables stay empty and only the third has rows.
"""

import uuid

import pytest

import lake
from lake import ENV, User
from recorder import Recorder
from test_isolation import ROWS, VALUE, WAYS, assert_denied

SCHEMA = f"{lake.WAREHOUSE}.test_ns"
USERS = ("user_a", "user_ab")
TABLES = ("table_a", "table_b", "own")
READS = {("user_a", "table_a"), ("user_ab", "table_a"), ("user_ab", "table_b")}
MATRIX = [(user, table) for user in USERS for table in TABLES]
FORBIDDEN = [pair for pair in MATRIX if pair not in READS]


@pytest.fixture(scope="module")
def nessie(tmp_path_factory):
    with Recorder(ENV["NESSIE_URI"]) as catalog:
        config = lake.oidc_config(catalog=catalog.uri)
        with lake.serve(tmp_path_factory.mktemp("nessie"), config) as server:
            yield server
            assert server.process.poll() is None, f"the server died:\n{server.log}"


@pytest.fixture(scope="module")
def users(nessie):
    with User(nessie, "user_a", "user_a") as user_a, User(nessie, "user_ab", "user_ab") as user_ab:
        yield {"user_a": user_a, "user_ab": user_ab}


@pytest.fixture(scope="module")
def names(nessie):
    """The full name of each table; `own` is made for the time of these tests."""
    own = f"own_{uuid.uuid4().hex[:8]}"
    names = {table: f"{SCHEMA}.{table}" for table in TABLES} | {"own": f"{SCHEMA}.{own}"}
    with User(nessie, bearer=lake.service_token()) as service:
        service.rows(
            f"CREATE TABLE {names['own']} AS SELECT value AS id, concat('{VALUE}-', value) AS v"
            f" FROM generate_series(1, {ROWS})"
        )
    yield names
    with User(nessie, bearer=lake.service_token()) as service:
        service.rows(f"DROP TABLE {names['own']}")


@pytest.fixture(scope="module")
def unchanged(nessie, names):
    """`unchanged()` asserts that nobody has changed a table."""

    def check():
        with User(nessie, bearer=lake.service_token()) as service:
            counts = [service.rows(f"SELECT count(*) FROM {name}") for name in names.values()]
        assert counts == [[(0,)], [(0,)], [(ROWS,)]]

    return check


@pytest.mark.parametrize(("user", "table"), MATRIX)
def test_select(users, names, user, table):
    sql = f"SELECT count(*), max(v) FROM {names[table]}"
    if (user, table) in READS:
        assert users[user].rows(sql) == [(0, None)]
    else:
        assert_denied(users[user].error(sql))


@pytest.mark.parametrize(("user", "table"), MATRIX)
def test_nobody_writes_or_drops(users, names, unchanged, user, table):
    may_read = (user, table) in READS
    assert_denied(users[user].error(f"INSERT INTO {names[table]} VALUES (0, 'x')"), may_read)
    assert_denied(users[user].error(f"DROP TABLE {names[table]}"), may_read)
    unchanged()


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE {schema}.new (a INT)",
        "CREATE TABLE {schema}.new AS SELECT 1 AS a",
        "CREATE SCHEMA {schema}_new",
    ],
)
def test_who_may_make_nothing_makes_nothing(users, user, sql):
    assert_denied(users[user].error(sql.format(schema=SCHEMA)))
    assert "new" not in str(users[user].rows(f"SHOW TABLES FROM {SCHEMA}"))


@pytest.mark.parametrize(("user", "table"), FORBIDDEN)
@pytest.mark.parametrize("way", [way for way in WAYS if "_view" not in way])
def test_no_way_leads_around_a_refusal(users, names, user, table, way):
    readable = names["table_a"]
    sql = way.format(schema=SCHEMA, table=names[table], both=readable, one=readable)
    assert_denied(users[user].error(sql))


@pytest.mark.parametrize(("user", "table"), MATRIX)
def test_information_schema_has_the_columns_of_readable_tables(users, names, user, table):
    name = names[table].rpartition(".")[2]
    columns = users[user].rows(
        "SELECT column_name FROM information_schema.columns"
        f" WHERE table_schema = 'test_ns' AND table_name = '{name}' ORDER BY 1"
    )
    assert columns == ([("id",), ("v",)] if (user, table) in READS else [])


def test_sessions_of_two_users_on_one_table_do_not_mix(users, names):
    sql = f"SELECT count(*) FROM {names['table_b']}"
    for _ in range(3):
        assert users["user_ab"].rows(sql) == [(0,)]
        assert_denied(users["user_a"].error(sql))
