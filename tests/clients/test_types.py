"""Values of every type arrive as the right Arrow type, NULLs too."""

import datetime
import decimal

import pyarrow as pa
import pytest

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)


@pytest.mark.parametrize(
    ("sql", "arrow", "value"),
    [
        ("true", pa.bool_(), True),
        ("CAST(-128 AS TINYINT)", pa.int8(), -128),
        ("CAST(-32768 AS SMALLINT)", pa.int16(), -32768),
        ("CAST(-2147483648 AS INT)", pa.int32(), -(2**31)),
        ("9223372036854775807", pa.int64(), 2**63 - 1),
        ("CAST(4294967295 AS INT UNSIGNED)", pa.uint32(), 2**32 - 1),
        ("CAST(18446744073709551615 AS BIGINT UNSIGNED)", pa.uint64(), 2**64 - 1),
        ("CAST(1.5 AS REAL)", pa.float32(), 1.5),
        ("CAST('-inf' AS DOUBLE)", pa.float64(), float("-inf")),
        ("CAST('-1.50' AS DECIMAL(5, 2))", pa.decimal128(5, 2), decimal.Decimal("-1.50")),
        (
            "CAST('12345678901234567890123456789012345678' AS DECIMAL(38, 0))",
            pa.decimal128(38, 0),
            decimal.Decimal("12345678901234567890123456789012345678"),
        ),
        ("'Grüße, 世界'", pa.string(), "Grüße, 世界"),
        ("''", pa.string(), ""),
        ("X'00ff'", pa.binary(), b"\x00\xff"),
        ("DATE '0001-01-01'", pa.date32(), datetime.date(1, 1, 1)),
        ("CAST('12:34:56.789' AS TIME)", pa.time64("us"), MOMENT.time()),
        (
            "arrow_cast('2024-02-29T12:34:56.789', 'Timestamp(Microsecond, None)')",
            pa.timestamp("us"),
            MOMENT,
        ),
        (
            "arrow_cast('2024-02-29T12:34:56.789Z', 'Timestamp(Microsecond, Some(\"UTC\"))')",
            pa.timestamp("us", "UTC"),
            MOMENT.replace(tzinfo=UTC),
        ),
        ("INTERVAL '1 month 2 days'", pa.month_day_nano_interval(), pa.MonthDayNano([1, 2, 0])),
        ("[1, NULL, 3]", pa.list_(pa.int64()), [1, None, 3]),
        ("[['a'], []]", pa.list_(pa.list_(pa.string())), [["a"], []]),
        (
            "named_struct('a', 1, 'b', ['x'])",
            pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))]),
            {"a": 1, "b": ["x"]},
        ),
        ("MAP(['k'], [1])", pa.map_(pa.string(), pa.int64()), [("k", 1)]),
        ("NULL", pa.null(), None),
    ],
)
def test_a_value_and_its_null(ask, sql, arrow, value):
    answer = ask(f"SELECT {sql} AS v")
    assert same_type(answer.schema.field("v").type, arrow), answer.schema
    assert answer["v"].to_pylist() == [value]
    # A union makes one column of the value and a NULL, which must be of the same type.
    both = ask(f"SELECT {sql} AS v UNION ALL SELECT NULL")
    assert same_type(both.schema.field("v").type, arrow)
    assert sorted(both["v"].to_pylist(), key=lambda v: v is None) == [value, None]


def same_type(actual: pa.DataType, expected: pa.DataType) -> bool:
    """Equal but for the names of list items and map entries, and for nullability inside."""
    if pa.types.is_map(expected):
        return (
            pa.types.is_map(actual)
            and same_type(actual.key_type, expected.key_type)
            and same_type(actual.item_type, expected.item_type)
        )
    if pa.types.is_list(expected):
        return pa.types.is_list(actual) and same_type(actual.value_type, expected.value_type)
    if pa.types.is_struct(expected):
        return pa.types.is_struct(actual) and all(
            ours.name == theirs.name and same_type(ours.type, theirs.type)
            for ours, theirs in zip(actual, expected, strict=True)
        )
    return actual == expected


def test_the_same_types_with_no_rows(ask):
    answer = ask("SELECT 1 AS a, 'x' AS b, DATE '2024-01-01' AS c WHERE false")
    assert answer.num_rows == 0
    assert answer.schema.types == [pa.int64(), pa.string(), pa.date32()]
