"""PyIceberg and DuckDB read what SQE wrote, in the catalog they share."""

import datetime
import decimal
import math
import uuid

import pytest
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import EqualTo, IsNull

from oracle import duck, rows


@pytest.fixture(scope="module")
def judge():
    return duck("avro", "iceberg")


UTC = datetime.timezone.utc
DATETIME, TIME, DATE = datetime.datetime, datetime.time, datetime.date
D = decimal.Decimal
LONG = "ä" * 40

# Name, type in SQL, type in Iceberg, and the SQL and the value of two rows; a third one is NULL.
COLUMNS = [
    ("flag", "BOOLEAN", "boolean", ("true", True), ("false", False)),
    ("i", "INT", "int", ("-2147483648", -(2**31)), ("2147483647", 2**31 - 1)),
    (
        "l",
        "BIGINT",
        "long",
        ("-9223372036854775807", -(2**63) + 1),
        ("9223372036854775807", 2**63 - 1),
    ),
    ("f", "REAL", "float", ("1.5", 1.5), ("CAST('inf' AS REAL)", math.inf)),
    ("d", "DOUBLE", "double", ("-0.1", -0.1), ("CAST('-inf' AS DOUBLE)", -math.inf)),
    (
        "p9",
        "DECIMAL(9, 2)",
        "decimal(9, 2)",
        ("-9999999.99", D("-9999999.99")),
        ("0.01", D("0.01")),
    ),
    (
        "p18",
        "DECIMAL(18, 4)",
        "decimal(18, 4)",
        ("-1.2345", D("-1.2345")),
        (
            "99999999999999.9999",
            D("99999999999999.9999"),
        ),
    ),
    (
        "p38",
        "DECIMAL(38, 10)",
        "decimal(38, 10)",
        (
            "1234567890123456789012345678.0123456789",
            D("1234567890123456789012345678.0123456789"),
        ),
        ("-1", D("-1.0000000000")),
    ),
    (
        "day",
        "DATE",
        "date",
        ("DATE '1969-12-31'", DATE(1969, 12, 31)),
        ("DATE '2024-02-29'", DATE(2024, 2, 29)),
    ),
    (
        "clock",
        "TIME",
        "time",
        ("TIME '00:00:00'", TIME(0)),
        ("TIME '23:59:59.999999'", TIME(23, 59, 59, 999999)),
    ),
    (
        "ts",
        "TIMESTAMP",
        "timestamp",
        ("TIMESTAMP '1969-12-31 23:59:59.999999'", DATETIME(1969, 12, 31, 23, 59, 59, 999999)),
        ("TIMESTAMP '2024-02-29 12:00:00'", DATETIME(2024, 2, 29, 12)),
    ),
    (
        "instant",
        "TIMESTAMP WITH TIME ZONE",
        "timestamptz",
        ("TIMESTAMP '2024-02-29 12:00:00+02:00'", DATETIME(2024, 2, 29, 10, tzinfo=UTC)),
        ("TIMESTAMP '1960-01-01 00:00:00Z'", DATETIME(1960, 1, 1, tzinfo=UTC)),
    ),
    ("s", "VARCHAR", "string", ("''", ""), (f"'{LONG}'", LONG)),
    (
        "u",
        "UUID",
        "uuid",
        (f"X'{'00' * 15}01'", uuid.UUID(int=1)),
        (f"X'{'ff' * 16}'", uuid.UUID(int=2**128 - 1)),
    ),
    ("fx", "BINARY(4)", "fixed[4]", ("X'00010203'", b"\0\1\2\3"), ("X'ffffffff'", b"\xff" * 4)),
    ("b", "BINARY", "binary", ("X''", b""), (f"X'{'ab' * 40}'", b"\xab" * 40)),
    ("list", "ARRAY<INT>", "list<int>", ("[1, NULL, 3]", [1, None, 3]), ("[]", [])),
    (
        "st",
        "STRUCT<a INT, b ARRAY<VARCHAR>>",
        "struct<19: a: optional int, 20: b: optional list<string>>",
        ("named_struct('a', 1, 'b', ['x'])", {"a": 1, "b": ["x"]}),
        ("named_struct('a', NULL, 'b', NULL)", {"a": None, "b": None}),
    ),
    (
        "m",
        "MAP(VARCHAR, INT)",
        "map<string, int>",
        ("MAP(['k'], [1])", [("k", 1)]),
        ("MAP(['x', 'y'], [NULL, 2])", [("x", None), ("y", 2)]),
    ),
]
NAMES = [name for name, *_ in COLUMNS]


@pytest.fixture
def all_types(server, schema, cursor):
    """A table with every type; its rows as Python values."""
    definitions = ", ".join(f"{name} {sql}" for name, sql, *_ in COLUMNS)
    cursor.execute(f"CREATE TABLE all_types (n INT NOT NULL, {definitions})")
    for number in (0, 1):
        values = ", ".join(column[3 + number][0] for column in COLUMNS)
        cursor.execute(f"INSERT INTO all_types VALUES ({number}, {values})")
    cursor.execute("INSERT INTO all_types (n) VALUES (2)")
    values = [(number, *(column[3 + number][1] for column in COLUMNS)) for number in (0, 1)]
    return [*values, (2, *[None] * len(COLUMNS))]


def test_sqe_reads_its_own_values(all_types, ask):
    answer = ask("SELECT * FROM all_types ORDER BY n")
    assert rows(answer) == all_types


def test_nested_columns_meet_nested_literals(schema, cursor, ask):
    cursor.execute("CREATE TABLE t (n INT, l ARRAY<INT>, st STRUCT<a INT, b ARRAY<VARCHAR>>)")
    cursor.execute(
        "INSERT INTO t VALUES (1, [1, NULL], named_struct('a', 1, 'b', ['x'])), (2, [2], NULL)"
    )
    cursor.execute("INSERT INTO t SELECT 3, NULL, named_struct('a', 3, 'b', NULL)")
    for where, expected in [
        ("l = [2]", [2]),
        ("l = [1, NULL]", [1]),
        ("l <> [2]", [1]),
        ("st = named_struct('a', 1, 'b', ['x'])", [1]),
        ("st['b'] = ['x']", [1]),
        ("st['a'] > 1", [3]),
        ("array_has(l, 2)", [2]),
    ]:
        assert ask(f"SELECT n FROM t WHERE {where} ORDER BY n")["n"].to_pylist() == expected, where
    both = ask("SELECT n, l FROM t UNION ALL SELECT 4, [4] ORDER BY n")
    assert both["l"].to_pylist() == [[1, None], [2], None, [4]]
    assert ask("SELECT coalesce(l, [0]) AS l FROM t ORDER BY n")["l"].to_pylist()[2] == [0]


def test_pyiceberg_reads_every_type(all_types, schema, iceberg):
    table = iceberg.load_table(f"{schema}.all_types")
    assert table.metadata.format_version == 2
    types = {field.name: str(field.field_type) for field in table.schema().fields}
    for name, _, expected, *_ in COLUMNS:
        if name not in ("st", "list", "m"):
            assert types[name] == expected
    assert table.schema().find_field("n").required and not table.schema().find_field("i").required
    assert types["list"] == "list<int>" and types["m"] == "map<string, int>"
    answer = table.scan().to_arrow().sort_by("n")
    assert rows(answer) == all_types


def test_duckdb_reads_every_type(all_types, schema, iceberg, judge):
    location = iceberg.load_table(f"{schema}.all_types").metadata_location
    answer = judge.execute(f"SELECT * FROM iceberg_scan('{location}') ORDER BY n").to_arrow_table()
    text = {"u": lambda value: value and str(value)}
    expected = [
        tuple(text.get(name, lambda v: v)(value) for name, value in zip(["n", *NAMES], row))
        for row in all_types
    ]
    assert rows(answer) == expected


def test_statistics_tell_the_truth(schema, cursor, iceberg):
    cursor.execute(
        "CREATE TABLE t AS SELECT * FROM (VALUES (1, 'b', CAST('NaN' AS DOUBLE)), (3, 'a', 2.5),"
        f" (NULL, '{'z' * 100}', NULL)) AS v (i, s, d)"
    )
    table = iceberg.load_table(f"{schema}.t")
    (task,) = table.scan().plan_files()
    ids = {field.name: field.field_id for field in table.schema().fields}
    file = task.file

    def bounds(name):
        field = ids[name]
        kind = table.schema().find_type(name)
        return from_bytes(kind, file.lower_bounds[field]), from_bytes(
            kind, file.upper_bounds[field]
        )

    assert file.record_count == 3
    assert {name: file.value_counts[field] for name, field in ids.items()} == {
        "i": 3,
        "s": 3,
        "d": 3,
    }
    assert {name: file.null_value_counts[field] for name, field in ids.items()} == {
        "i": 1,
        "s": 0,
        "d": 1,
    }
    assert file.nan_value_counts[ids["d"]] == 1
    assert bounds("i") == (1, 3) and bounds("d") == (2.5, 2.5)
    lower, upper = bounds("s")
    assert lower == "a" and len(upper) == 16 and "z" * 100 <= upper
    assert all(size > 0 for size in file.column_sizes.values()) and file.split_offsets == [4]
    summary = table.current_snapshot().summary
    assert (summary["total-records"], summary["total-data-files"]) == ("3", "1")


MOMENTS = [
    DATETIME(1969, 12, 31, 23),
    DATETIME(1970, 1, 1),
    DATETIME(2024, 2, 29, 12, 30),
    DATETIME(2024, 3, 1),
]
TRANSFORMS = [
    ("n", "n", [0, 1, -7, 2**40]),
    ("bucket(4, n)", "n", [0, 1, -7, 34, 2**40]),
    ("bucket(16, s)", "s", ["", "iceberg", LONG, "x"]),
    ("bucket(8, p)", "p", [D("14.20"), D("-0.01"), D("0.00")]),
    ("bucket(8, day)", "day", [moment.date() for moment in MOMENTS]),
    ("bucket(8, ts)", "ts", MOMENTS),
    ("bucket(8, b)", "b", [b"", b"\0\1\2\3"]),
    ("truncate(10, n)", "n", [0, 9, 10, -1, -10, -11]),
    ("truncate(3, s)", "s", ["", "ab", "abcd", "abce", "äöüß"]),
    ("truncate(50, p)", "p", [D("10.65"), D("-0.01"), D("0.00")]),
    ("year(day)", "day", [moment.date() for moment in MOMENTS]),
    ("month(day)", "day", [moment.date() for moment in MOMENTS]),
    ("day(day)", "day", [moment.date() for moment in MOMENTS]),
    ("year(ts)", "ts", MOMENTS),
    ("month(ts)", "ts", MOMENTS),
    ("day(ts)", "ts", MOMENTS),
    ("hour(ts)", "ts", MOMENTS),
    ("s", "s", ["", "a/b=c", "ü%20", "x"]),
    ("day", "day", [moment.date() for moment in MOMENTS]),
    ("flag", "flag", [True, False]),
    ("void(n)", "n", [1, 2]),
]

# What DuckDB 1.5.5 does not find over the same table of PyIceberg either: it truncates negative
# decimals and counts months and days before 1970 in a way of its own.
DUCKDB_MISSES = [
    ("truncate(50, p)", D("-0.01")),
    ("month(ts)", MOMENTS[0]),
    ("day(ts)", MOMENTS[0]),
]


def literal(value) -> str:
    match value:
        case bytes():
            return f"X'{value.hex()}'"
        case DATETIME():
            return f"TIMESTAMP '{value}'"
        case DATE():
            return f"DATE '{value}'"
        case str():
            return f"'{value}'"
    return str(value)


@pytest.mark.parametrize(("transform", "column", "values"), TRANSFORMS)
def test_others_find_rows_by_partition(schema, cursor, iceberg, judge, transform, column, values):
    cursor.execute(
        "CREATE TABLE t (n BIGINT, s VARCHAR, p DECIMAL(9, 2), day DATE, ts TIMESTAMP, b BINARY, flag BOOLEAN)"
        f" PARTITIONED BY ({transform})"
    )
    listed = ", ".join(f"({literal(value)})" for value in values)
    cursor.execute(f"INSERT INTO t ({column}) VALUES {listed}, (NULL)")
    table = iceberg.load_table(f"{schema}.t")
    assert len(table.spec().fields) == 1
    # PyIceberg and DuckDB prune by their own idea of the transform: a wrong partition loses a row.
    for value in values:
        found = table.scan(row_filter=EqualTo(column, value)).to_arrow()
        assert found[column].to_pylist() == [value]
        scan = f"SELECT {column} FROM iceberg_scan('{table.metadata_location}')"
        if (transform, value) in DUCKDB_MISSES:
            assert (value,) in judge.execute(scan).fetchall()
        else:
            assert judge.execute(f"{scan} WHERE {column} = ?", [value]).fetchall() == [(value,)]
        cursor.execute(f"SELECT {column} FROM t WHERE {column} = {literal(value)}")
        assert cursor.fetchall() == [(value,)]
    assert table.scan(row_filter=IsNull(column)).to_arrow().num_rows == 1
    assert table.scan().to_arrow().num_rows == len(values) + 1


def test_pyiceberg_sees_namespaces_tables_and_properties(schema, cursor, iceberg):
    cursor.execute("CREATE TABLE t (a INT) TBLPROPERTIES ('owner' = 'ada')")
    cursor.execute("CREATE VIEW v AS SELECT 1 AS one")
    assert ("main",) in iceberg.list_namespaces() and (schema,) in iceberg.list_namespaces()
    assert iceberg.list_tables(schema) == [(schema, "t")]
    assert iceberg.load_table(f"{schema}.t").properties["owner"] == "ada"
    cursor.execute("DROP TABLE t")
    assert iceberg.list_tables(schema) == []
