"""Connections, statements, prepared statements and metadata through ADBC."""

import concurrent.futures

import pyarrow as pa
import pytest
from adbc_driver_manager import AdbcStatusCode, Error

from server import Server


def test_anonymous_and_named_users_connect(server):
    for user, expected in [(None, None), ("ada", "ada"), ("grace hopper", "grace hopper")]:
        with server.connect(user) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1 AS one, current_user AS name")
            ((one, name),) = cursor.fetchall()
            assert one == 1
            assert name and (expected is None or name == expected)


def test_a_wrong_port_is_an_io_error(server, tmp_path):
    with Server(tmp_path) as gone:
        gone.address()
    with pytest.raises(Exception) as raised:
        gone.connect().cursor().execute("SELECT 1")
    assert raised.value.status_code == AdbcStatusCode.IO


def test_the_server_says_what_it_is(connection):
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "SQE"
    assert info["vendor_version"]


def test_rowcount_is_the_number_of_rows_written(schema, cursor):
    def run(sql):
        cursor.execute(sql)
        assert cursor.fetchall() == []
        return cursor.rowcount

    run("CREATE TABLE t (a INT, b VARCHAR)")
    assert run("INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, NULL)") == 3
    assert run("INSERT INTO t SELECT a + 3, b FROM t WHERE a < 3") == 2
    assert run("INSERT INTO t SELECT * FROM t WHERE false") == 0
    assert run("CREATE TABLE copy AS SELECT * FROM t") == 5
    run("CREATE VIEW v AS SELECT count(*) AS n FROM t")
    cursor.execute("SELECT n FROM v")
    assert cursor.fetchall() == [(5,)]
    run("DROP VIEW v")
    run("DROP TABLE t")
    cursor.execute("SELECT * FROM copy ORDER BY a")
    assert cursor.fetchall() == [(1, "x"), (2, "y"), (3, None), (4, "x"), (5, "y")]


def test_a_prepared_statement_runs_again_and_sees_new_rows(server, schema, cursor):
    cursor.execute("CREATE TABLE t AS SELECT 1 AS a")
    count = "SELECT count(*) AS n FROM t"
    cursor.adbc_prepare(count)
    for expected in (1, 2, 3):
        cursor.execute(count)
        assert cursor.fetchall() == [(expected,)]
        with server.connect() as other, other.cursor() as writer:
            writer.execute(f"INSERT INTO {schema}.t VALUES ({expected})")


def test_a_prepared_statement_follows_its_view(server, schema, cursor):
    cursor.execute("CREATE TABLE t AS SELECT 1 AS a")
    cursor.execute("CREATE VIEW v AS SELECT a AS n FROM t")
    sql = "SELECT sum(n) AS n FROM v"
    cursor.adbc_prepare(sql)
    with server.connect() as other, other.cursor() as writer:
        for change, expected in [
            (f"INSERT INTO {schema}.t VALUES (10)", 11),
            (f"CREATE OR REPLACE VIEW {schema}.v AS SELECT a + 1 AS n FROM {schema}.t", 13),
        ]:
            writer.execute(change)
            cursor.execute(sql)
            assert cursor.fetchall() == [(expected,)]
        writer.execute(f"DROP VIEW {schema}.v")
        with pytest.raises(Error) as raised:
            cursor.execute(sql)
        assert raised.value.status_code == AdbcStatusCode.NOT_FOUND


def test_preparing_an_insert_writes_nothing(schema, cursor):
    cursor.execute("CREATE TABLE t (a INT)")
    insert = "INSERT INTO t VALUES (1)"
    cursor.adbc_prepare(insert)
    cursor.execute("SELECT count(*) FROM t")
    assert cursor.fetchall() == [(0,)]
    for _ in range(2):
        cursor.execute(insert)
    cursor.execute("SELECT count(*) FROM t")
    assert cursor.fetchall() == [(2,)]


def test_preparing_tells_the_schema(cursor):
    cursor.adbc_prepare("SELECT 1 AS one")
    assert cursor.adbc_execute_schema("SELECT 1 AS one, 'x' AS x").names == ["one", "x"]


def test_rows_stream_in_batches(cursor):
    cursor.execute("SELECT l_orderkey, l_comment FROM tpch.sf0_01.lineitem")
    reader = cursor.fetch_record_batch()
    sizes = [batch.num_rows for batch in reader]
    assert sum(sizes) == 60175 and len(sizes) > 1


def test_many_cursors_at_once(server, schema, cursor):
    cursor.execute("CREATE TABLE t AS SELECT value AS a FROM generate_series(1, 1000)")

    def work(number):
        with server.connect(f"user{number}") as connection:
            answers = []
            for _ in range(5):
                with connection.cursor() as own:
                    own.execute(f"SELECT sum(a) + {number} FROM {schema}.t")
                    answers += own.fetchall()
            return answers

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        for number, answers in enumerate(pool.map(work, range(32))):
            assert answers == [(500500 + number,)] * 5


def test_open_cursors_of_one_connection_do_not_mix(connection):
    cursors = [connection.cursor() for _ in range(50)]
    for number, cursor in enumerate(cursors):
        cursor.execute(f"SELECT {number} AS n FROM generate_series(1, 10000)")
    for number, cursor in enumerate(cursors):
        answer = cursor.fetch_arrow_table()
        assert answer.num_rows == 10000 and set(answer["n"].to_pylist()) == {number}
        cursor.close()


def objects(connection, **arguments):
    return connection.adbc_get_objects(**arguments).read_all().to_pylist()


def test_get_objects_at_each_depth(connection, schema, cursor):
    cursor.execute("CREATE TABLE t (a INT, b VARCHAR)")
    cursor.execute("CREATE VIEW v AS SELECT a FROM t")

    catalogs = objects(connection, depth="catalogs")
    names = [catalog["catalog_name"] for catalog in catalogs]
    assert {"catalog", "tpch"} <= set(names) and names == sorted(names)

    only = {"catalog_filter": "catalog", "db_schema_filter": schema}
    (catalog,) = objects(connection, depth="db_schemas", catalog_filter="catalog")
    schemas = [entry["db_schema_name"] for entry in catalog["catalog_db_schemas"]]
    assert {"main", "information_schema", schema} <= set(schemas)

    def tables(depth, **filters):
        (catalog,) = objects(connection, depth=depth, **only, **filters)
        (found,) = catalog["catalog_db_schemas"]
        return found["db_schema_tables"]

    kinds = [(table["table_name"], table["table_type"]) for table in tables("tables")]
    assert kinds == [("t", "TABLE"), ("v", "VIEW")]
    assert [table["table_name"] for table in tables("tables", table_types_filter=["VIEW"])] == ["v"]
    assert [table["table_name"] for table in tables("tables", table_name_filter="t%")] == ["t"]

    (table,) = tables("all", table_name_filter="t")
    columns = [
        (column["column_name"], column["ordinal_position"]) for column in table["table_columns"]
    ]
    assert columns == [("a", 1), ("b", 2)]


def test_schema_and_kinds_of_tables(connection, schema, cursor):
    cursor.execute("CREATE TABLE t (a INT NOT NULL, b DECIMAL(9, 2), c DATE)")
    found = connection.adbc_get_table_schema("t", catalog_filter="catalog", db_schema_filter=schema)
    assert list(zip(found.names, found.types)) == [
        ("a", pa.int32()),
        ("b", pa.decimal128(9, 2)),
        ("c", pa.date32()),
    ]
    assert not found.field("a").nullable and found.field("b").nullable
    assert {"TABLE", "VIEW"} <= set(connection.adbc_get_table_types())


def test_generated_tables_are_listed_with_their_columns(connection):
    found = connection.adbc_get_table_schema(
        "region", catalog_filter="tpch", db_schema_filter="sf1"
    )
    assert found.names == ["r_regionkey", "r_name", "r_comment"]
