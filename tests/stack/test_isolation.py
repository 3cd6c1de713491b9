"""Who may do what: two users of the provider, three tables, every way to reach a table.

`both` may be read by both users, `one` be read and written by user_ab, `none` by neither. The
catalog decides that; what is shown here is that SQE never gives more than it, in no answer and in no
error.
"""

import pytest

from lake import AdbcStatusCode, Error, Namespace, Store, User, leaks, root, token

USERS = ("user_a", "user_ab")
TABLES = ("both", "one", "none")
READS = {("user_a", "both"), ("user_ab", "both"), ("user_ab", "one")}
WRITES = {("user_ab", "one")}
DENIED = AdbcStatusCode.UNAUTHORIZED

# Numbers and words that stand nowhere but in the rows and statistics of the tables.
ROWS = 48611
VALUE = "confidential"

MATRIX = [(user, table) for user in USERS for table in TABLES]
FORBIDDEN = [pair for pair in MATRIX if pair not in READS]


@pytest.fixture(scope="module")
def namespace(minimal):
    with Namespace("isolation") as made, root(minimal) as service:
        for table in TABLES:
            service.rows(
                f"CREATE TABLE {made.full}.{table} AS SELECT value AS id, concat('{VALUE}-', value)"
                f" AS v FROM generate_series(1, {ROWS})"
            )
            service.rows(
                f"CREATE VIEW {made.full}.{table}_view AS SELECT v FROM {made.full}.{table}"
            )
            made.grant("analyst", "VIEW_READ_PROPERTIES", view=f"{table}_view")
        made.grant("analyst", "TABLE_READ_DATA", table="both")
        made.grant("engineer", "TABLE_WRITE_DATA", table="one")
        yield made


@pytest.fixture(scope="module")
def users(oidc):
    with User(oidc, "user_a", "user_a") as user_a, User(oidc, "user_ab", "user_ab") as user_ab:
        yield {"user_a": user_a, "user_ab": user_ab}


@pytest.fixture
def table(minimal, namespace):
    """A table of a test's own, with one row, that nobody may use yet."""
    name = "own"
    with root(minimal) as service:
        service.rows(f"CREATE TABLE {namespace.full}.{name} AS SELECT 1 AS id, '{VALUE}' AS v")
        yield name
        service.rows(f"DROP TABLE IF EXISTS {namespace.full}.{name}")


def assert_denied(error: Error, may_read: bool = False):
    """It is the refusal, and tells nothing of the table, but to who may read it."""
    assert error.status_code == DENIED, error
    if may_read:
        return
    text = f"{error} {error.details}"
    assert not leaks(text), text
    assert str(ROWS) not in text and VALUE not in text, text


@pytest.mark.parametrize(("user", "table"), MATRIX)
def test_select(users, namespace, user, table):
    sql = f"SELECT count(*), count(DISTINCT v), max(id) FROM {namespace.full}.{table}"
    if (user, table) in READS:
        assert users[user].rows(sql) == [(ROWS, ROWS, ROWS)]
    else:
        assert_denied(users[user].error(sql))


@pytest.mark.parametrize(("user", "table"), MATRIX)
def test_insert(users, minimal, namespace, user, table):
    # Who may write adds no row, so that the other tests find what they expect.
    rows = (
        "SELECT id, v FROM {0}.{1} WHERE id < 0" if (user, table) in WRITES else "VALUES (0, 'x')"
    )
    sql = f"INSERT INTO {namespace.full}.{table} {rows.format(namespace.full, table)}"
    if (user, table) in WRITES:
        assert users[user].rows(sql) == []
    else:
        assert_denied(users[user].error(sql), (user, table) in READS)
    with root(minimal) as service:
        assert service.rows(f"SELECT count(*) FROM {namespace.full}.{table}") == [(ROWS,)]


def test_who_may_write_writes(users, namespace, minimal, table):
    insert = f"INSERT INTO {namespace.full}.{table} VALUES (2, 'two')"
    for user in USERS:
        assert_denied(users[user].error(insert))
    namespace.grant("engineer", "TABLE_WRITE_DATA", table=table)
    users["user_ab"].rows(insert)
    assert_denied(users["user_a"].error(insert))
    # Who may read only gets keys that cannot write, and the catalog takes no commit.
    namespace.grant("analyst", "TABLE_READ_DATA", table=table)
    assert_denied(users["user_a"].error(insert), may_read=True)
    with root(minimal) as service:
        ids = service.rows(f"SELECT id FROM {namespace.full}.{table} ORDER BY id")
        assert ids == [(1,), (2,)]


@pytest.mark.parametrize(("user", "table"), MATRIX)
@pytest.mark.parametrize("kind", ["TABLE", "TABLE IF EXISTS", "VIEW"])
def test_drop(users, minimal, namespace, user, table, kind):
    name = f"{table}_view" if kind == "VIEW" else table
    assert_denied(users[user].error(f"DROP {kind} {namespace.full}.{name}"))
    with root(minimal) as service:
        assert service.rows(f"SELECT count(*) FROM {namespace.full}.{name}") == [(ROWS,)]


def test_who_may_drop_drops(users, namespace, table):
    namespace.grant("engineer", "TABLE_DROP", table=table)
    assert_denied(users["user_a"].error(f"DROP TABLE {namespace.full}.{table}"))
    users["user_ab"].rows(f"DROP TABLE {namespace.full}.{table}")


WAYS = [
    "SELECT * FROM {table}",
    "SELECT 1 FROM {table}",
    "SELECT count(*) FROM {table}",
    "SELECT min(id), max(v) FROM {table}",
    "SELECT * FROM {table} LIMIT 0",
    "SELECT * FROM {table} WHERE false",
    "SELECT nothing_of_this_name FROM {table}",
    "SELECT CAST(v AS INT) FROM {table}",
    "SELECT b.id FROM {both} AS b JOIN {table} AS t ON b.id = t.id",
    "SELECT b.id FROM {both} AS b LEFT JOIN {table} AS t ON b.id = t.id",
    "SELECT b.id FROM {both} AS b, {table} AS t LIMIT 1",
    "SELECT id FROM {both} WHERE EXISTS (SELECT 1 FROM {table})",
    "SELECT id FROM {both} WHERE id NOT IN (SELECT id FROM {table})",
    "SELECT (SELECT max(v) FROM {table}) AS m FROM {both}",
    "SELECT id FROM {both} UNION ALL SELECT id FROM {table}",
    "SELECT id FROM {both} EXCEPT SELECT id FROM {table}",
    "WITH t AS (SELECT * FROM {table}) SELECT id FROM {both}, t",
    "EXPLAIN SELECT * FROM {table}",
    "EXPLAIN VERBOSE SELECT * FROM {table} WHERE id = 7",
    "EXPLAIN ANALYZE SELECT count(*) FROM {table}",
    "EXPLAIN SELECT b.id FROM {both} AS b JOIN {table} AS t ON b.id = t.id",
    "EXPLAIN INSERT INTO {table} VALUES (1, 'x')",
    "DESCRIBE {table}",
    "SHOW COLUMNS FROM {table}",
    "SHOW CREATE TABLE {table}",
    "CREATE TABLE {schema}.copied AS SELECT * FROM {table}",
    "CREATE VIEW {schema}.seen AS SELECT * FROM {table}",
    "INSERT INTO {one} SELECT id, v FROM {table}",
    "SELECT * FROM {table}_view",
    "SELECT count(*) FROM {table}_view",
    "SELECT b.id FROM {both} AS b JOIN {table}_view AS t ON b.v = t.v",
    "EXPLAIN SELECT * FROM {table}_view",
    "DESCRIBE {table}_view",
]


@pytest.mark.parametrize(("user", "table"), FORBIDDEN)
@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_around_a_refusal(users, namespace, user, table, way):
    names = {name: f"{namespace.full}.{name}" for name in ("both", "one")}
    sql = way.format(schema=namespace.full, **{**names, "table": f"{namespace.full}.{table}"})
    assert_denied(users[user].error(sql))


@pytest.mark.parametrize(("user", "table"), FORBIDDEN)
def test_a_copy_to_a_file_is_denied_and_leaves_none(users, namespace, tmp_path, user, table):
    file = tmp_path / "copy.csv"
    assert_denied(users[user].error(f"COPY {namespace.full}.{table} TO '{file}'"))
    assert not file.exists()


@pytest.mark.parametrize(("user", "table"), MATRIX)
def test_files_of_the_store_are_no_way_in(users, namespace, user, table):
    location = namespace.catalog.load_table(namespace.name, table).json["metadata"]["location"]
    for path in (f"{location}/data/*.parquet", f"{location}/metadata/*.json", location):
        for function in ("read_parquet", "read_json", "read_csv"):
            error = users[user].error(f"SELECT * FROM {function}('{path}')")
            # The path is the user's own, so that it may be repeated.
            assert error.status_code == DENIED and "allowed_prefixes" in str(error), error
            assert not leaks(str(error).replace(path, "")), error


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE {schema}.new (a INT)",
        "CREATE TABLE {schema}.new AS SELECT 1 AS a",
        "CREATE VIEW {schema}.new AS SELECT 1 AS a",
        "CREATE OR REPLACE VIEW {schema}.both_view AS SELECT 1 AS v",
        "CREATE SCHEMA {schema}_new",
        "DROP SCHEMA {schema}",
    ],
)
def test_who_may_make_nothing_makes_nothing(users, namespace, user, sql):
    before = namespace.names()
    assert_denied(users[user].error(sql.format(schema=namespace.full)))
    assert namespace.names() == before


@pytest.mark.parametrize(("user", "table"), sorted(READS))
def test_a_view_shows_what_its_reader_may_read(users, namespace, user, table):
    sql = f"SELECT count(DISTINCT v) FROM {namespace.full}.{table}_view"
    assert users[user].rows(sql) == [(ROWS,)]


@pytest.mark.parametrize("user", USERS)
def test_listings_have_names_where_they_may_be_listed(users, namespace, user):
    # The catalog lets both users list all names; what is behind them it does not.
    rows = users[user].rows(f"SHOW TABLES FROM {namespace.full}")
    listed = {str(part) for row in rows for part in row}
    assert set(TABLES) <= listed
    assert not leaks(str(rows)) and VALUE not in str(rows)


@pytest.mark.parametrize(("user", "table"), MATRIX)
def test_information_schema_has_the_columns_of_readable_tables(users, namespace, user, table):
    columns = users[user].rows(
        "SELECT column_name FROM information_schema.columns"
        f" WHERE table_schema = '{namespace.name}' AND table_name = '{table}' ORDER BY 1"
    )
    assert columns == ([("id",), ("v",)] if (user, table) in READS else [])


@pytest.mark.parametrize(("user", "table"), MATRIX)
def test_metadata_of_the_protocol_has_the_columns_of_readable_tables(users, namespace, user, table):
    found = users[user].connection.adbc_get_objects(
        depth="all", db_schema_filter=namespace.name, table_name_filter=table
    )
    columns = [
        column["column_name"]
        for catalog in found.read_all().to_pylist()
        for schema in catalog["catalog_db_schemas"] or []
        for listed in schema["db_schema_tables"] or []
        for column in listed["table_columns"] or []
    ]
    assert columns == (["id", "v"] if (user, table) in READS else [])


def test_who_may_list_nothing_sees_nothing(minimal, namespace):
    with namespace.principal() as (name, secret), User(minimal, name, secret) as nobody:
        for sql in (f"SHOW TABLES FROM {namespace.full}", f"SHOW VIEWS FROM {namespace.full}"):
            assert_denied(nobody.error(sql))
        assert_denied(nobody.error(f"SELECT * FROM {namespace.full}.both"))
        for view in ("tables", "columns", "schemata", "views"):
            shown = str(nobody.rows(f"SELECT * FROM information_schema.{view}"))
            assert namespace.name not in shown, view


@pytest.mark.parametrize("sql", ["SELECT v FROM {}", "SELECT count(*) FROM {}", "DESCRIBE {}"])
def test_a_grant_and_a_revoke_count_from_the_next_statement(users, namespace, table, sql):
    sql = sql.format(f"{namespace.full}.{table}")
    for _ in range(2):
        assert_denied(users["user_a"].error(sql))
        namespace.grant("analyst", "TABLE_READ_DATA", table=table)
        assert users["user_a"].rows(sql)
        namespace.grant("analyst", "TABLE_READ_DATA", table=table, take_away=True)
    assert_denied(users["user_a"].error(sql))


def test_a_statement_prepared_before_a_revoke_is_denied(users, namespace, table):
    namespace.grant("analyst", "TABLE_READ_DATA", table=table)
    sql = f"SELECT v FROM {namespace.full}.{table}"
    with users["user_a"].connection.cursor() as cursor:
        cursor.adbc_prepare(sql)
        cursor.execute(sql)
        assert cursor.fetchall() == [(VALUE,)]
        namespace.grant("analyst", "TABLE_READ_DATA", table=table, take_away=True)
        with pytest.raises(Error) as raised:
            cursor.execute(sql)
            cursor.fetchall()
        assert_denied(raised.value)


def test_an_insert_prepared_before_a_revoke_is_denied(users, minimal, namespace, table):
    namespace.grant("engineer", "TABLE_WRITE_DATA", table=table)
    sql = f"INSERT INTO {namespace.full}.{table} VALUES (2, 'two')"
    with users["user_ab"].connection.cursor() as cursor:
        cursor.adbc_prepare(sql)
        namespace.grant("engineer", "TABLE_WRITE_DATA", table=table, take_away=True)
        with pytest.raises(Error) as raised:
            cursor.execute(sql)
            cursor.fetchall()
        assert_denied(raised.value)
    with root(minimal) as service:
        assert service.rows(f"SELECT id FROM {namespace.full}.{table}") == [(1,)]


def test_a_view_over_a_table_that_is_revoked_is_denied(users, minimal, namespace, table):
    with root(minimal) as service:
        service.rows(f"CREATE VIEW {namespace.full}.over AS SELECT v FROM {namespace.full}.{table}")
    namespace.grant("analyst", "VIEW_READ_PROPERTIES", view="over")
    namespace.grant("analyst", "TABLE_READ_DATA", table=table)
    sql = f"SELECT v FROM {namespace.full}.over"
    assert users["user_a"].rows(sql) == [(VALUE,)]
    namespace.grant("analyst", "TABLE_READ_DATA", table=table, take_away=True)
    assert_denied(users["user_a"].error(sql))


def test_sessions_of_two_users_on_one_table_do_not_mix(users, namespace):
    # user_ab's session has loaded the table, its metadata and its keys before.
    sql = f"SELECT count(*), max(v) FROM {namespace.full}.one"
    for _ in range(3):
        assert users["user_ab"].rows(sql)[0][0] == ROWS
        assert_denied(users["user_a"].error(sql))


def test_vended_keys_end_at_the_prefix_of_their_table(namespace):
    loaded = namespace.load("both", token("user_a"))
    store = Store.vended(loaded["config"])
    assert store.get(loaded["metadata-location"]).status == 200
    other = namespace.load("one", token("user_ab"))
    outside = other["metadata-location"]
    assert Store.vended(other["config"]).get(outside).status == 200
    for answer in (
        store.get(outside),
        store.list(other["metadata"]["location"] + "/"),
        store.put(other["metadata"]["location"] + "/data/x", b"x"),
        store.put(loaded["metadata"]["location"] + "/data/x", b"x"),
        store.delete(outside),
    ):
        assert answer.status == 403 and b"AccessDenied" in answer.body
    assert Store.vended(other["config"]).get(outside).status == 200
