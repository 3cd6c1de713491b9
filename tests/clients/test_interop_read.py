"""SQE reads what PyIceberg wrote, in the catalog they share."""

import datetime
import decimal

import pyarrow as pa
import pytest
from pyiceberg.expressions import EqualTo
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    IdentityTransform,
    MonthTransform,
    TruncateTransform,
)
from pyiceberg.types import (
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
)

from oracle import rows

DATETIME, DATE, D = datetime.datetime, datetime.date, decimal.Decimal

FIELDS = Schema(
    NestedField(1, "id", IntegerType()),
    NestedField(2, "f", FloatType()),
    NestedField(3, "p", DecimalType(9, 2)),
    NestedField(4, "s", StringType()),
    NestedField(5, "day", DateType()),
    NestedField(6, "ts", TimestampType()),
    NestedField(
        7, "st", StructType(NestedField(8, "x", IntegerType(), required=False)), required=False
    ),
    NestedField(9, "items", ListType(10, LongType(), element_required=False), required=False),
    NestedField(
        11, "m", MapType(12, StringType(), 13, DoubleType(), value_required=False), required=False
    ),
)
ARROW = pa.schema(
    [
        ("id", pa.int32()),
        ("f", pa.float32()),
        ("p", pa.decimal128(9, 2)),
        ("s", pa.string()),
        ("day", pa.date32()),
        ("ts", pa.timestamp("us")),
        ("st", pa.struct([("x", pa.int32())])),
        ("items", pa.list_(pa.int64())),
        ("m", pa.map_(pa.string(), pa.float64())),
    ]
)


def written(numbers):
    """A few rows for `FIELDS`, one for each number; every fifth is NULL but for its id."""
    listed = [
        {
            "id": n,
            "f": n / 2,
            "p": D(n) / 4,
            "s": f"name {n}",
            "day": DATE(2024, 1, 1) + datetime.timedelta(days=20 * n),
            "ts": DATETIME(2024, 1, 1) + datetime.timedelta(hours=n),
            "st": {"x": n},
            "items": [n, None],
            "m": [("k", float(n))],
        }
        if n % 5
        else {"id": n}
        for n in numbers
    ]
    return pa.Table.from_pylist(listed, ARROW)


PARTITIONS = {
    "none": [],
    "identity": [PartitionField(4, 1000, IdentityTransform(), "s")],
    "bucket": [PartitionField(1, 1000, BucketTransform(4), "id_bucket")],
    "truncate": [PartitionField(4, 1000, TruncateTransform(6), "s_trunc")],
    "month and day": [
        PartitionField(5, 1000, MonthTransform(), "day_month"),
        PartitionField(6, 1001, DayTransform(), "ts_day"),
    ],
}


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("partitions", PARTITIONS)
def test_sqe_reads_what_pyiceberg_wrote(schema, ask, iceberg, version, partitions):
    table = iceberg.create_table(
        f"{schema}.t",
        FIELDS,
        partition_spec=PartitionSpec(*PARTITIONS[partitions]),
        properties={"format-version": version},
    )
    assert ask("SELECT * FROM t").num_rows == 0
    table.append(written(range(10)))
    table.append(written(range(10, 20)))
    expected = rows(written(range(20)))
    assert rows(ask("SELECT * FROM t ORDER BY id")) == expected
    for where, holds in [
        ("id = 7", lambda row: row[0] == 7),
        ("id IN (3, 12)", lambda row: row[0] in (3, 12)),
        ("id >= 18", lambda row: row[0] >= 18),
        ("s = 'name 7'", lambda row: row[3] == "name 7"),
        ("s LIKE 'name 1%'", lambda row: (row[3] or "").startswith("name 1")),
        ("s IS NULL", lambda row: row[3] is None),
        ("day < DATE '2024-03-01'", lambda row: row[4] is not None and row[4] < DATE(2024, 3, 1)),
        ("ts = TIMESTAMP '2024-01-01 07:00:00'", lambda row: row[5] == DATETIME(2024, 1, 1, 7)),
        ("p > 4.25", lambda row: row[2] is not None and row[2] > D("4.25")),
    ]:
        answer = ask(f"SELECT * FROM t WHERE {where} ORDER BY id")
        assert rows(answer) == [row for row in expected if holds(row)], where
    table.delete("id = 7")
    assert ask("SELECT count(*) AS n FROM t")["n"].to_pylist() == [19]
    table.overwrite(written([42]))
    assert ask("SELECT id FROM t")["id"].to_pylist() == [42]


@pytest.mark.parametrize("version", ["1", "2"])
def test_sqe_reads_through_schema_changes(schema, cursor, ask, iceberg, version):
    table = iceberg.create_table(f"{schema}.t", FIELDS, properties={"format-version": version})
    table.append(written(range(1, 5)))
    with table.update_schema() as update:
        update.update_column("id", LongType())
        update.update_column("f", DoubleType())
        update.update_column("p", DecimalType(18, 2))
        update.rename_column("s", "name")
        update.delete_column("ts")
        update.add_column("extra", StringType())
        update.add_column(("st", "y"), IntegerType())
        # PyIceberg knows a column by its old name until the update is over.
        update.move_first("s")
    answer = ask("SELECT * FROM t ORDER BY id")
    assert answer.column_names == ["name", "id", "f", "p", "day", "st", "items", "m", "extra"]
    assert answer["st"].to_pylist() == [{"x": n, "y": None} for n in range(1, 5)]
    assert answer["extra"].to_pylist() == [None] * 4

    cursor.execute("INSERT INTO t (id, name, extra) VALUES (1099511627776, 'new', 'e')")
    with table.refresh().update_schema() as update:
        # The old name for a new column must not bring back the old values.
        update.add_column("s", StringType())
    old, new = [1, 2, 3, 4], [1099511627776]
    for where, expected in [
        ("id > 0", old + new),
        ("id >= 2147483648", new),
        ("id < 3", [1, 2]),
        ("f = 1.5", [3]),
        ("p >= 0.75", [3, 4]),
        ("name = 'name 2'", [2]),
        ("extra IS NULL", old),
        ("extra = 'e'", new),
        ("st['x'] = 4", [4]),
        ("s IS NULL", old + new),
        ("s = 'name 2'", []),
    ]:
        assert ask(f"SELECT id FROM t WHERE {where} ORDER BY id")["id"].to_pylist() == expected, (
            where
        )
    assert iceberg.load_table(f"{schema}.t").scan(row_filter="id >= 3").to_arrow().num_rows == 3


def test_inserts_follow_a_partition_spec_that_changed(schema, cursor, ask, iceberg):
    table = iceberg.create_table(
        f"{schema}.t", FIELDS, partition_spec=PartitionSpec(*PARTITIONS["bucket"])
    )
    table.append(written(range(5)))
    with table.update_spec() as update:
        update.remove_field("id_bucket")
        update.add_field("s", TruncateTransform(4), "s_trunc")
    cursor.execute("INSERT INTO t (id, s) VALUES (50, 'other'), (51, 'name 51')")
    table = table.refresh()
    for number in (3, 50, 51):
        assert table.scan(row_filter=EqualTo("id", number)).to_arrow().num_rows == 1
        assert ask(f"SELECT id FROM t WHERE id = {number}").num_rows == 1
    assert table.scan(row_filter=EqualTo("s", "other")).to_arrow()["id"].to_pylist() == [50]
    assert ask("SELECT id FROM t WHERE s = 'name 51'")["id"].to_pylist() == [51]


def test_both_write_the_same_table(schema, cursor, ask, iceberg):
    cursor.execute("CREATE TABLE t AS SELECT 1 AS a")
    for number in range(2, 6):
        iceberg.load_table(f"{schema}.t").append(pa.table({"a": [number * 10]}))
        cursor.execute(f"INSERT INTO t VALUES ({number})")
    expected = [1, 2, 3, 4, 5, 20, 30, 40, 50]
    assert ask("SELECT a FROM t ORDER BY a")["a"].to_pylist() == expected
    assert sorted(iceberg.load_table(f"{schema}.t").scan().to_arrow()["a"].to_pylist()) == expected
    table = iceberg.load_table(f"{schema}.t")
    assert len(table.history()) == 9
    assert table.current_snapshot().summary["total-records"] == "9"
