"""Errors as a client sees them: status, place in the statement, nearest name, nothing changed."""

import pytest
from adbc_driver_manager import AdbcStatusCode, Error

INVALID = AdbcStatusCode.INVALID_ARGUMENT
NOT_FOUND = AdbcStatusCode.NOT_FOUND
NOT_BUILT = AdbcStatusCode.NOT_IMPLEMENTED


def failure(cursor, sql):
    with pytest.raises(Error) as raised:
        cursor.execute(sql)
        cursor.fetchall()
    return raised.value.status_code, str(raised.value)


@pytest.mark.parametrize(
    ("sql", "status", "parts"),
    [
        ("SELEC 1", INVALID, ["line 1, column 1"]),
        ("SELECT (1\n  FROM t", INVALID, ["line 2, column 3"]),
        ("SELECT 'open", INVALID, ["line 1, column 8"]),
        (" -- nothing\n;", INVALID, ["the statement is empty"]),
        ("SELECT * FROM peopel", NOT_FOUND, ["peopel", "people"]),
        ("SELECT * FROM nowhere.people", NOT_FOUND, ["nowhere"]),
        ("SELECT * FROM no_catalog.main.people", NOT_FOUND, ["no_catalog"]),
        ("SELECT nmae FROM people", NOT_FOUND, ["nmae", "name"]),
        ("SELECT people.agee FROM people", NOT_FOUND, ["agee", "age"]),
        ("SELECT lenght('x')", NOT_FOUND, ["lenght", "length"]),
        ("SELECT DATE '2024-13-01'", INVALID, ["2024-13-01"]),
        ("SELECT CAST('x' AS INT)", INVALID, ["'x'"]),
        ("SELECT sum(name) FROM people", INVALID, ["sum"]),
        ("INSERT INTO people VALUES (1)", INVALID, ["got 1 values", "expected 2"]),
        ("INSERT INTO peopel VALUES (1)", NOT_FOUND, ["peopel", "people"]),
        ("INSERT INTO people VALUES ('x', 'not a number')", INVALID, ["not a number"]),
        ("CREATE TABLE people (a INT)", AdbcStatusCode.ALREADY_EXISTS, ["people"]),
        ("CREATE SCHEMA {schema}", AdbcStatusCode.ALREADY_EXISTS, ["{schema}"]),
        ("DROP TABLE nobody", NOT_FOUND, ["nobody"]),
        ("CREATE TABLE u (a UUID) PARTITIONED BY (a)", NOT_BUILT, ["a", "uuid"]),
        ("SHOW CREATE TABLE tpch.sf1.nation", NOT_BUILT, ["tpch.sf1.nation", "generated"]),
        ("SELECT * FROM read_parquet('/nowhere/at/all.parquet')", NOT_FOUND, ["/nowhere/at/all"]),
    ],
)
def test_an_error_names_its_cause(schema, cursor, sql, status, parts):
    cursor.execute("CREATE TABLE people AS SELECT 'ada' AS name, 36 AS age")
    actual, message = failure(cursor, sql.format(schema=schema))
    assert actual == status, message
    for part in parts:
        assert part.format(schema=schema) in message
    cursor.execute("SELECT name, age FROM people")
    assert cursor.fetchall() == [("ada", 36)]


def test_two_statements_in_one_text_are_refused(schema, cursor):
    cursor.execute("CREATE TABLE t (a INT)")
    status, message = failure(cursor, "INSERT INTO t VALUES (1); DROP TABLE t")
    assert status == INVALID and "line 1, column 25" in message
    cursor.execute("SELECT count(*) FROM t;")
    assert cursor.fetchall() == [(0,)]


def test_a_failed_insert_leaves_the_table_and_its_folder_as_they_were(server, schema, cursor):
    cursor.execute("CREATE TABLE t AS SELECT 1 AS a")
    files = set(server.data_dir.rglob("*"))
    status, _ = failure(
        cursor,
        "INSERT INTO t SELECT CAST(100 / (value - 90000) AS INT) FROM generate_series(1, 100000)",
    )
    assert status != AdbcStatusCode.OK
    cursor.execute("SELECT a FROM t")
    assert cursor.fetchall() == [(1,)]
    assert {path for path in server.data_dir.rglob("*.parquet")} <= files
