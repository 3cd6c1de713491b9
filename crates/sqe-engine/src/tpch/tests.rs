use std::sync::Arc;

use arrow::{array::RecordBatch, util::pretty::pretty_format_batches};
use datafusion::{
    catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider},
    common::stats::Precision,
    physical_plan::statistics::{StatisticsArgs, StatisticsContext},
    prelude::{SessionConfig, SessionContext},
};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};

use super::exec::Shares;
use super::*;
use crate::codec::tests::check_elsewhere;

/// A session with all tables of `schema` under their own names.
fn session(schema: &str, target_partitions: usize, batch_size: usize) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(target_partitions)
        .with_batch_size(batch_size)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, schema);
    let context = SessionContext::new_with_config(config);
    let tables = Arc::new(MemorySchemaProvider::new());
    for name in TABLES {
        tables.register_table(name.to_owned(), table(schema, name).unwrap()).unwrap();
    }
    let catalog = Arc::new(MemoryCatalogProvider::new());
    catalog.register_schema(schema, tables).unwrap();
    context.register_catalog(CATALOG, catalog);
    context
}

async fn rows(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    context.sql(sql).await.unwrap().collect().await.unwrap()
}

/// The rows of a table in the format of `dbgen`, one line each, sorted.
async fn lines(context: &SessionContext, table: &str) -> Vec<String> {
    let batches = rows(context, &format!("SELECT * FROM {table}")).await;
    let mut lines = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(|column| {
            arrow::util::display::ArrayFormatter::try_new(column, &Default::default()).unwrap()
        });
        let columns = columns.collect::<Vec<_>>();
        for row in 0..batch.num_rows() {
            lines.push(columns.iter().map(|column| format!("{}|", column.value(row))).collect());
        }
    }
    lines.sort_unstable();
    lines
}

/// What the generator itself prints, in the same format.
fn generated(table: &str, scale: f64) -> Vec<String> {
    fn sorted(rows: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
        let mut lines = rows.into_iter().map(|row| row.to_string()).collect::<Vec<_>>();
        lines.sort_unstable();
        lines
    }
    match table {
        "customer" => sorted(CustomerGenerator::new(scale, 1, 1)),
        "lineitem" => sorted(LineItemGenerator::new(scale, 1, 1).iter().map(|row| {
            // The format prints quantities as whole pieces.
            let line = row.to_string();
            let mut values = line.split('|').collect::<Vec<_>>();
            let quantity = format!("{}.00", values[4]);
            values[4] = &quantity;
            values.join("|")
        })),
        "nation" => sorted(NationGenerator::new(scale, 1, 1)),
        "orders" => sorted(OrderGenerator::new(scale, 1, 1)),
        "part" => sorted(PartGenerator::new(scale, 1, 1)),
        "partsupp" => sorted(PartSuppGenerator::new(scale, 1, 1)),
        "region" => sorted(RegionGenerator::new(scale, 1, 1)),
        "supplier" => sorted(SupplierGenerator::new(scale, 1, 1)),
        _ => panic!("no generator for {table}"),
    }
}

async fn check(context: &SessionContext, sql: &str, expected: &[&str]) {
    let table = pretty_format_batches(&rows(context, sql).await).unwrap().to_string();
    let lines = table.lines().filter(|line| !line.starts_with('+')).skip(1);
    let actual = lines.map(|line| line.trim_matches(['|', ' '])).collect::<Vec<_>>();
    assert_eq!(actual, expected, "{sql}");
}

#[test]
fn schemas_are_scales() {
    for (schema, expected) in [
        ("sf1", Some(1.0)),
        ("sf10", Some(10.0)),
        ("sf0_1", Some(0.1)),
        ("sf0_01", Some(0.01)),
        ("sf2_50", Some(2.5)),
        ("sf100000", Some(100_000.0)),
        ("sf100001", None),
        ("sf0", None),
        ("sf0_0001", None),
        ("sf", None),
        ("sf_1", None),
        ("sf1_", None),
        ("sf01", None),
        ("sf1.0", None),
        ("sf-1", None),
        ("sf1e3", None),
        ("public", None),
    ] {
        assert_eq!(scale(schema), expected, "{schema}");
    }
    assert!(SCHEMAS.iter().all(|schema| is_schema(schema)));
}

#[test]
fn what_is_not_there_is_not_found() {
    let error = table("sf1", "line_item").unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "table tpch.sf1.line_item not found");
    let error = table("main", "orders").unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "schema tpch.main not found");
}

#[tokio::test]
async fn rows_are_those_of_the_generator_in_any_number_of_partitions() {
    for (target_partitions, batch_size) in [(1, 8192), (4, 100)] {
        let context = session("sf0_01", target_partitions, batch_size);
        for table in TABLES {
            // Strings of a wrong row would be unreadable in a message.
            let same = lines(&context, table).await == generated(table, 0.01);
            assert!(same, "{table} in {target_partitions} partitions");
        }
    }
}

#[tokio::test]
async fn counts_are_those_of_the_specification() {
    for (schema, counts) in [
        ("sf0_01", [1_500, 60_175, 25, 15_000, 2_000, 8_000, 5, 100]),
        ("sf0_001", [150, 6_005, 25, 1_500, 200, 800, 5, 10]),
    ] {
        let context = session(schema, 3, 500);
        for (table, count) in TABLES.into_iter().zip(counts) {
            let sql = format!("SELECT count(*) FROM {table}");
            check(&context, &sql, &[&count.to_string()]).await;
            // Columns that are never NULL, so that the rows themselves are counted.
            let column = table_schema(table).field(0).name().clone();
            let sql = format!("SELECT sum(CASE WHEN {column} >= 0 THEN 1 END) FROM {table}");
            check(&context, &sql, &[&count.to_string()]).await;
        }
    }
}

fn table_schema(name: &str) -> arrow::datatypes::SchemaRef {
    table("sf1", name).unwrap().schema()
}

#[tokio::test]
async fn projection_does_not_change_values() {
    let context = session("sf0_01", 2, 8192);
    check(
        &context,
        "SELECT s_phone, s_name FROM supplier WHERE s_suppkey = 1",
        &["27-918-335-1736 | Supplier#000000001"],
    )
    .await;
    check(
        &context,
        "SELECT l_comment, l_quantity, l_shipdate FROM lineitem \
         WHERE l_orderkey = 1 AND l_linenumber = 1",
        &["egular courts above the | 17.00      | 1996-03-13"],
    )
    .await;
    check(
        &context,
        "SELECT max(l_receiptdate), sum(l_extendedprice) FROM lineitem",
        &["1998-12-25                  | 2152189760.47"],
    )
    .await;
}

#[tokio::test]
async fn a_limit_ends_each_partition() {
    let context = session("sf0_01", 4, 1000);
    let plan = context.sql("SELECT o_orderkey FROM orders LIMIT 7").await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    let shown = datafusion::physical_plan::displayable(&*plan).indent(false).to_string();
    assert!(
        shown.contains(
            "TpchExec: table=orders, scale=0.01, partitions=4, projection=[o_orderkey], limit=7"
        ),
        "{shown}"
    );
    let batches = datafusion::physical_plan::collect(plan, context.task_ctx()).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 7);
}

#[tokio::test]
async fn batches_have_the_size_of_the_session() {
    let context = session("sf0_01", 1, 4096);
    let batches = rows(&context, "SELECT o_orderkey FROM orders").await;
    let sizes = batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>();
    assert_eq!(sizes, [4096, 4096, 4096, 2712]);
}

#[test]
fn statistics_know_rows_and_keys() {
    let statistics = |name: &str, limit, partition| {
        let table = Table::from_name(name).unwrap();
        let plan = TpchExec::try_new(table, 1.0, Shares::all(7), 7, vec![0, 1], limit).unwrap();
        let args = StatisticsArgs::new().with_partition(partition);
        StatisticsContext::new().compute(&plan, &args).unwrap()
    };
    let orders = statistics("orders", None, None);
    assert_eq!(orders.num_rows, Precision::Exact(1_500_000));
    assert_eq!(orders.column_statistics[0].distinct_count, Precision::Inexact(1_500_000));
    assert_eq!(orders.column_statistics[1].distinct_count, Precision::Inexact(150_000));
    assert_eq!(statistics("orders", None, Some(0)).num_rows, Precision::Exact(214_285));
    assert_eq!(statistics("orders", None, Some(6)).num_rows, Precision::Exact(214_290));
    assert_eq!(statistics("orders", Some(10), None).num_rows, Precision::Exact(70));
    assert_eq!(statistics("lineitem", None, None).num_rows, Precision::Inexact(6_000_000));
}

#[tokio::test]
async fn rows_are_the_same_elsewhere_and_in_parts() {
    for (schema, target_partitions) in [("sf0_001", 3), ("sf0_01", 1)] {
        let context = session(schema, target_partitions, 100);
        for table in TABLES.iter().filter(|table| schema == "sf0_001" || **table != "lineitem") {
            check_elsewhere(&context, &format!("SELECT * FROM {table}")).await;
        }
        check_elsewhere(&context, "SELECT p_size, p_partkey FROM part").await;
        check_elsewhere(&context, "SELECT count(*) FROM orders").await;
    }
}

#[test]
fn a_part_of_a_part_keeps_its_shares() {
    let check = |name: &str, tasks: [usize; 2], expected: &[std::ops::Range<i32>], all: i32| {
        let table = Table::from_name(name).unwrap();
        let shares = Shares::all(if table.divides() { 2 } else { 1 });
        let partitions = shares.count();
        let whole = TpchExec::try_new(table, 1.0, shares, partitions, vec![0], None).unwrap();
        let split = |exec: &TpchExec, tasks: usize| {
            let parts = exec.split(std::num::NonZeroUsize::new(tasks).unwrap()).unwrap();
            let parts = parts.iter().map(|part| part.downcast_ref::<TpchExec>().unwrap().clone());
            parts.collect::<Vec<_>>()
        };
        let parts = split(&whole, tasks[0]);
        let parts = parts.iter().flat_map(|part| split(part, tasks[1])).collect::<Vec<_>>();
        let own = parts.iter().map(|part| part.shares.own.clone()).collect::<Vec<_>>();
        assert_eq!(own, expected, "{name}");
        assert!(parts.iter().all(|part| part.shares.all == all && part.partitions() == partitions));
    };
    check("orders", [3, 1], &[0..2, 2..4, 4..6], 6);
    check("orders", [2, 2], &[0..1, 1..2, 2..3, 3..4], 4);
    check("nation", [1, 3], &[0..0, 0..0, 0..1], 1);
}
