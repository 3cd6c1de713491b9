//! What the writer writes, whatever it is partitioned by, is read as if it had stayed in memory.

use std::collections::HashMap;

use arrow::array::{
    BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use iceberg::spec::Transform;
use iceberg::{NamespaceIdent, TableIdent};

use super::*;
use crate::catalog::Catalog;
use crate::catalog::sqlite::{SqliteCatalog, SqliteOptions};
use crate::create::{NewTable, PartitionBy};

const ROWS: i64 = 60;

/// Some of everything: nulls, NaNs, moments before 1970, strings longer than bounds are.
fn rows() -> RecordBatch {
    let some = |k: i64| k % 7 != 3;
    let float = |k: i64| if k % 11 == 0 { f64::NAN } else { (k - 30) as f64 / 4.0 };
    let string = |k: i64| format!("{}{k:02}", ["ä", "b", "prefix that is long "][k as usize % 3]);
    let all = || 0..ROWS;
    let decimals: Decimal128Array =
        all().map(|k| some(k + 1).then(|| i128::from(k * 25 - 700))).collect();
    let micros = |k: i64| (k - 30) * 7 * 86_400_000_000 + k;
    RecordBatch::try_from_iter([
        ("k", Arc::new(Int64Array::from_iter_values(all())) as ArrayRef),
        ("b", Arc::new(all().map(|k| some(k).then_some(k % 2 == 0)).collect::<BooleanArray>())),
        ("i", Arc::new(all().map(|k| some(k).then_some(k as i32 - 30)).collect::<Int32Array>())),
        ("f", Arc::new(Float64Array::from_iter(all().map(|k| some(k + 2).then(|| float(k)))))),
        ("d", Arc::new(decimals.with_precision_and_scale(9, 2).unwrap())),
        ("s", Arc::new(StringArray::from_iter(all().map(|k| some(k + 3).then(|| string(k)))))),
        ("a", Arc::new(Date32Array::from_iter_values(all().map(|k| (k as i32 - 30) * 20)))),
        ("t", Arc::new(TimestampMicrosecondArray::from_iter_values(all().map(micros)))),
    ])
    .unwrap()
}

pub(super) const FILTERS: &[&str] = &[
    "true",
    "k = 17",
    "k IN (1, 5, 58, 100)",
    "k NOT BETWEEN 3 AND 50",
    "b",
    "NOT b",
    "b IS NULL",
    "i < -20",
    "i = 5",
    "i >= 28 OR i IS NULL",
    "f > 6",
    "f <= -7",
    "f = 1.5",
    "f IS NOT NULL AND f < 0",
    "d > 7.5",
    "d = -1.25",
    "s = 'b01'",
    "s >= 'prefix that is long 3'",
    "s LIKE 'ä%'",
    "s < 'c' AND k > 40",
    "a = DATE '1970-01-01'",
    "a < DATE '1968-12-01'",
    "t >= TIMESTAMP '1970-06-01 00:00:00'",
    "t < TIMESTAMP '1969-07-01 00:00:00' AND i IS NOT NULL",
    "date_trunc('month', t) = TIMESTAMP '1970-01-01 00:00:00'",
];

pub(super) async fn write(
    partition: Option<(&str, Transform)>,
) -> (tempfile::TempDir, IcebergTable) {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        path: directory.path().join("catalog.db"),
        warehouse: directory.path().join("warehouse"),
        catalog_name: "test".into(),
    };
    let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::open(options).await.unwrap());
    let namespace = NamespaceIdent::new("s".into());
    catalog.create_namespace(&namespace, HashMap::new()).await.unwrap();
    let partition =
        partition.map(|(column, transform)| PartitionBy { column: column.into(), transform });
    let rows = rows();
    let table = NewTable {
        ident: TableIdent::new(namespace, "t".into()),
        schema: crate::schema::from_arrow(&rows.schema()).unwrap(),
        partitioning: partition.into_iter().collect(),
        properties: HashMap::new(),
        location: None,
    };
    table.create(catalog.as_ref()).await.unwrap();
    let mut table = catalog.load_table(&table.ident).await.unwrap();
    let context = SessionContext::new();
    for start in [0, 20, 40] {
        let rows = context.read_batch(rows.slice(start, 20)).unwrap();
        let plan = rows.create_physical_plan().await.unwrap();
        let written = crate::write::append(&catalog, &table, plan, context.task_ctx()).await;
        assert_eq!(written.unwrap(), 20);
        table = catalog.load_table(&table.ident).await.unwrap();
    }
    (directory, IcebergTable::try_new(table, ManifestCache::new(1 << 20)).unwrap())
}

async fn check_partitioned(partition: Option<(&str, Transform)>) {
    let (_directory, table) = write(partition).await;
    let rows = rows();
    let memory = MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap();
    let mut config = SessionConfig::new().with_target_partitions(2);
    config.options_mut().execution.parquet.pushdown_filters = true;
    let context = SessionContext::new_with_config(config);
    context.register_table("t", Arc::new(table)).unwrap();
    context.register_table("m", Arc::new(memory)).unwrap();
    for filter in FILTERS {
        let read = async |from: &str| {
            let sql = format!("SELECT * FROM {from} WHERE {filter} ORDER BY k");
            let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
            pretty_format_batches(&batches).unwrap().to_string()
        };
        let (found, expected) = (read("t").await, read("m").await);
        assert_eq!(found, expected, "{filter} of a table by {partition:?}");
    }
}

#[tokio::test]
async fn partitioned_tables_are_read_as_they_were_written() {
    check_partitioned(None).await;
    let by = [
        ("i", Transform::Identity),
        ("b", Transform::Identity),
        ("f", Transform::Identity),
        ("s", Transform::Identity),
        ("i", Transform::Bucket(5)),
        ("s", Transform::Bucket(3)),
        ("d", Transform::Bucket(3)),
        ("i", Transform::Truncate(8)),
        ("d", Transform::Truncate(300)),
        ("s", Transform::Truncate(2)),
        ("a", Transform::Year),
        ("a", Transform::Month),
        ("t", Transform::Day),
        ("t", Transform::Hour),
        ("t", Transform::Void),
    ];
    for partition in by {
        check_partitioned(Some(partition)).await;
    }
}
