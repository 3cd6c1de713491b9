//! Scans of small Parquet files whose tables have changed since they were written.

use std::collections::HashMap;

use arrow::array::{
    ArrayRef, Decimal128Array, Float32Array, Int32Array, Int64Array, ListArray, MapArray,
    RecordBatch, StringArray, StructArray, TimestampNanosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use arrow::util::pretty::pretty_format_batches;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};
use iceberg::spec::{
    FormatVersion, ListType, Literal, ManifestContentType, MapType, NestedField, NestedFieldRef,
    PrimitiveType, Struct, StructType, Type,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::WriterProperties;

use super::align::{Conversion, conversion};
use super::*;
use crate::cache::ManifestCache;
use crate::plan::tests::{TestTable, data_file, field};
use crate::provider::IcebergTable;

mod remote;
mod round_trip;
mod travel;

fn with_id(id: i32, name: &str, data_type: DataType) -> Field {
    let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
    Field::new(name, data_type, true).with_metadata(id)
}

/// Columns of a file: field id, name, values.
type Columns = Vec<(i32, &'static str, ArrayRef)>;

fn write_columns(path: &str, columns: Columns) {
    let fields = columns.iter().map(|(id, name, values)| {
        let field = with_id(*id, name, values.data_type().clone());
        if *id == 0 { field.with_metadata(HashMap::new()) } else { field }
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, _, values)| values).collect();
    let batch = RecordBatch::try_new(schema, arrays).unwrap();
    // As a writer that knows nothing of Arrow.
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(3)).build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new_with_options(file, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

async fn add_file(table: &mut TestTable, name: &str, columns: Columns) {
    let records = columns[0].2.len() as u64;
    let path = table.path(name);
    write_columns(&path, columns);
    let mut file = data_file(&path);
    let size = std::fs::metadata(&path).unwrap().len();
    file.record_count(records).file_size_in_bytes(size);
    table.append(ManifestContentType::Data, vec![file.build().unwrap()]).await;
}

async fn run(table: &TestTable, sql: &str, pushdown: bool) -> Result<String, String> {
    run_on(table, sql, pushdown, false).await
}

/// Runs a query, where it was planned or where its plan was sent to.
async fn run_on(
    table: &TestTable,
    sql: &str,
    pushdown: bool,
    elsewhere: bool,
) -> Result<String, String> {
    let mut config = SessionConfig::new().with_target_partitions(2);
    config.options_mut().execution.parquet.pushdown_filters = pushdown;
    let context = SessionContext::new_with_config(config);
    let provider = IcebergTable::try_new(table.table(), ManifestCache::new(1 << 20)).unwrap();
    context.register_table("t", Arc::new(provider)).unwrap();
    let run = async {
        let plan = context.sql(sql).await?.create_physical_plan().await?;
        let (plan, context) = match elsewhere {
            true => travel::sent(&plan, codec::storages_of(&plan))?,
            false => (plan, context),
        };
        collect(plan, context.task_ctx()).await
    };
    match run.await {
        Ok(batches) => Ok(pretty_format_batches(&batches).unwrap().to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs a query with filters above the scan and within the decoder, here and elsewhere.
async fn query(table: &TestTable, sql: &str) -> Result<String, String> {
    let answer = run(table, sql, false).await;
    assert_eq!(answer, run(table, sql, true).await, "filters in the decoder change the answer");
    for pushdown in [false, true] {
        let elsewhere = run_on(table, sql, pushdown, true).await;
        assert_eq!(answer, elsewhere, "the answer is another one elsewhere");
    }
    answer
}

async fn check(table: &TestTable, sql: &str, expected: &str) {
    let answer = query(table, sql).await.unwrap();
    let rows: Vec<String> = answer
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(1)
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned())
        .collect();
    assert_eq!(rows.join("; "), expected, "{sql}");
}

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn strings(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[tokio::test]
async fn columns_are_found_by_id_whatever_their_names_are() {
    use PrimitiveType::{Int, String};
    let fields = vec![field(1, "a", Int), field(2, "b", Int), field(3, "pos", String)];
    let mut table = TestTable::new(FormatVersion::V2, fields, &[]);
    let columns: Columns =
        vec![(1, "a", ints(&[1, 2])), (2, "b", ints(&[10, 20])), (3, "pos", strings(&["x", "y"]))];
    add_file(&mut table, "old", columns).await;
    check(&table, "SELECT b, a FROM t ORDER BY 1", "10 1; 20 2").await;
    check(&table, "SELECT pos FROM t WHERE pos = 'y'", "y").await;

    // Swapped names, another order, `c` renamed from `pos`, and a new `pos`.
    table.evolve(vec![
        field(3, "c", String),
        field(2, "a", Int),
        field(1, "b", Int),
        field(4, "pos", Int),
    ]);
    check(&table, "SELECT a, b, c, pos FROM t ORDER BY a", "10 1 x; 20 2 y").await;
    check(&table, "SELECT b FROM t WHERE a = 20", "2").await;
    check(&table, "SELECT count(*) FROM t WHERE pos IS NULL", "2").await;
    check(&table, "SELECT count(*) FROM t WHERE pos = 1", "0").await;
    check(&table, "SELECT count(*), count(pos), min(a) FROM t", "2 0 10").await;
    let columns: Columns = vec![(2, "a", ints(&[30])), (4, "pos", ints(&[7]))];
    add_file(&mut table, "new", columns).await;
    check(&table, "SELECT a, b, pos FROM t WHERE pos = 7 OR b = 1 ORDER BY a", "10 1; 30  7").await;
    check(&table, "SELECT a FROM t ORDER BY a DESC LIMIT 2", "30; 20").await;
}

#[tokio::test]
async fn promoted_columns_keep_their_rows() {
    use PrimitiveType::{Decimal, Double, Float, Int, Long, Timestamp};
    let decimal = |precision| Decimal { precision, scale: 2 };
    let fields = vec![
        field(1, "i", Int),
        field(2, "f", Float),
        field(3, "d", decimal(5)),
        field(4, "t", Timestamp),
    ];
    let mut table = TestTable::new(FormatVersion::V2, fields, &[]);
    let decimals = Decimal128Array::from(vec![100, -250]).with_precision_and_scale(5, 2).unwrap();
    let columns: Columns = vec![
        (1, "i", ints(&[1, -1])),
        (2, "f", Arc::new(Float32Array::from(vec![0.5, -0.5]))),
        (3, "d", Arc::new(decimals)),
        (4, "t", Arc::new(TimestampNanosecondArray::from(vec![1_999, -1]))),
    ];
    add_file(&mut table, "old", columns).await;
    table.evolve(vec![
        field(1, "i", Long),
        field(2, "f", Double),
        field(3, "d", decimal(20)),
        field(4, "t", Timestamp),
    ]);
    check(
        &table,
        "SELECT i, f, d FROM t WHERE i > -2147483649 ORDER BY i",
        "-1 -0.5 -2.50; 1 0.5 1.00",
    )
    .await;
    check(&table, "SELECT i FROM t WHERE i < 3000000000 AND i > 0", "1").await;
    check(&table, "SELECT i FROM t WHERE i = 3000000000", "").await;
    check(&table, "SELECT i FROM t WHERE f < 0.1", "-1").await;
    check(&table, "SELECT i FROM t WHERE d = -2.5", "-1").await;
    let micros = "SELECT i FROM t WHERE t = TIMESTAMP '1970-01-01T00:00:00.000001'";
    check(&table, micros, "1").await;
    check(&table, "SELECT CAST(t AS BIGINT) AS micros FROM t ORDER BY micros", "-1; 1").await;
}

#[tokio::test]
async fn nested_columns_are_reshaped_by_id() {
    let int = |id, name| field(id, name, PrimitiveType::Int);
    let long = |id, name| field(id, name, PrimitiveType::Long);
    let structs = |fields| Type::Struct(StructType::new(fields));
    let schema = |of_struct, of_list, of_map| {
        let key = NestedField::map_key_element(6, Type::Primitive(PrimitiveType::String));
        let value = NestedField::map_value_element(7, structs(of_map), false);
        let map = Type::Map(MapType::new(Arc::new(key), Arc::new(value)));
        let element = NestedField::list_element(4, structs(of_list), false);
        let list = Type::List(ListType::new(Arc::new(element)));
        vec![
            Arc::new(NestedField::optional(1, "s", structs(of_struct))),
            Arc::new(NestedField::optional(2, "l", list)),
            Arc::new(NestedField::optional(3, "m", map)),
        ]
    };

    let inner = |x: i32| {
        Fields::from(vec![with_id(x, "x", DataType::Int32), with_id(x + 1, "y", DataType::Int32)])
    };
    let pair = |x| StructArray::new(inner(x), vec![ints(&[1, 2]), ints(&[10, 20])], None);
    let element = with_id(4, "element", DataType::Struct(inner(12)));
    let offsets = OffsetBuffer::new(vec![0, 2, 2].into());
    let list = ListArray::new(Arc::new(element), offsets.clone(), Arc::new(pair(12)), None);
    let value = Fields::from(vec![with_id(20, "v", DataType::Int32)]);
    let value_array = StructArray::new(value.clone(), vec![ints(&[100, 200])], None);
    let entry = Fields::from(vec![
        with_id(6, "key", DataType::Utf8).with_nullable(false),
        with_id(7, "value", DataType::Struct(value)),
    ]);
    let entries =
        StructArray::new(entry.clone(), vec![strings(&["a", "b"]), Arc::new(value_array)], None);
    let entries_field = Arc::new(Field::new("key_value", DataType::Struct(entry), false));
    let map = MapArray::new(entries_field, offsets, entries, None, false);

    let old = |x: i32| vec![int(x, "x"), int(x + 1, "y")];
    let mut table = TestTable::new(FormatVersion::V2, vec![int(1, "s")], &[]);
    table.evolve(schema(old(10), old(12), vec![int(20, "v")]));
    let file: Columns =
        vec![(1, "s", Arc::new(pair(10))), (2, "l", Arc::new(list)), (3, "m", Arc::new(map))];
    add_file(&mut table, "old", file).await;
    check(&table, "SELECT s.x, l[1]['y'], m['b']['v'] FROM t ORDER BY 1", "1 10 200; 2").await;

    // Renamed, promoted, moved and added fields at every place.
    let new = |x: i32, added| {
        vec![field(added, "z", PrimitiveType::String), long(x + 1, "x"), int(x, "w")]
    };
    table.evolve(schema(new(10, 30), new(12, 31), vec![long(20, "u")]));
    check(&table, "SELECT s FROM t ORDER BY s.w", "{z: , x: 10, w: 1}; {z: , x: 20, w: 2}").await;
    check(&table, "SELECT s.w, s.x + 1, s.z FROM t WHERE s.x = 20", "2 21").await;
    check(&table, "SELECT count(*) FROM t WHERE s.z IS NULL", "2").await;
    check(&table, "SELECT l[2]['x'], l[2]['w'] FROM t WHERE l[1]['w'] = 1", "20 2").await;
    check(&table, "SELECT m['a']['u'] FROM t WHERE m['a']['u'] > 1", "100").await;
    check(&table, "SELECT m FROM t WHERE s.w = 1", "{a: {u: 100}, b: {u: 200}}").await;
}

#[tokio::test]
async fn a_column_that_only_the_partition_has_is_read_from_it() {
    let fields = || vec![field(1, "p", PrimitiveType::Int), field(2, "v", PrimitiveType::Int)];
    let mut table = TestTable::new(FormatVersion::V2, fields(), &[(1, Transform::Identity)]);
    let path = table.path("f");
    write_columns(&path, vec![(2, "v", ints(&[5, 6]))]);
    let mut file = data_file(&path);
    file.partition(Struct::from_iter([Some(Literal::int(42))]))
        .record_count(2)
        .file_size_in_bytes(std::fs::metadata(&path).unwrap().len());
    table.append(ManifestContentType::Data, vec![file.build().unwrap()]).await;
    check(&table, "SELECT p, v FROM t ORDER BY v", "42 5; 42 6").await;
    check(&table, "SELECT v FROM t WHERE p = 42 AND v > 5", "6").await;
}

#[tokio::test]
async fn a_nan_is_larger_than_every_number_also_for_row_groups() {
    let fields = vec![field(1, "f", PrimitiveType::Float), field(2, "i", PrimitiveType::Int)];
    let mut table = TestTable::new(FormatVersion::V2, fields, &[]);
    // A row group has three rows.
    let floats = Float32Array::from(vec![1.0, f32::NAN, 2.0, 3.0, 4.0, 5.0, -f32::NAN]);
    let columns: Columns = vec![(1, "f", Arc::new(floats)), (2, "i", ints(&[1, 2, 3, 4, 5, 6, 7]))];
    add_file(&mut table, "f", columns).await;
    check(&table, "SELECT i FROM t WHERE f > 4 ORDER BY i", "2; 6").await;
    check(&table, "SELECT i FROM t WHERE f < 0", "7").await;
    check(&table, "SELECT i FROM t WHERE f <= 2 ORDER BY i", "1; 3; 7").await;
    check(&table, "SELECT count(*) FROM (SELECT * FROM t WHERE f <= 5 LIMIT 6)", "6").await;
}

#[tokio::test]
async fn files_that_cannot_be_read_are_named() {
    async fn check(fields: Vec<NestedFieldRef>, columns: Columns, expected: &str) {
        let mut table = TestTable::new(FormatVersion::V2, fields, &[]);
        add_file(&mut table, "f", columns).await;
        let error = query(&table, "SELECT * FROM t WHERE a > 0").await.unwrap_err();
        let error = error.replace(&table.path("f"), "FILE");
        assert!(error.contains(expected), "{error}");
    }
    let a = || field(1, "a", PrimitiveType::Int);
    let required = Type::Primitive(PrimitiveType::Int);
    let required = Arc::new(NestedField::required(2, "b", required));
    check(
        vec![a(), required],
        vec![(1, "a", ints(&[1]))],
        r#"required column "b" is not in data file FILE"#,
    )
    .await;
    check(vec![a()], vec![(0, "a", ints(&[1]))], "data file FILE has no field ids").await;
    check(
        vec![a()],
        vec![(1, "a", strings(&["x"]))],
        r#"column "a" of data file FILE has the type Utf8, which cannot be read as Int32"#,
    )
    .await;

    let mut table = TestTable::new(FormatVersion::V2, vec![a()], &[]);
    add_file(&mut table, "f", vec![(1, "a", ints(&[1]))]).await;
    let path = table.path("f");
    let length = std::fs::metadata(&path).unwrap().len() as usize;
    std::fs::write(&path, vec![0; length]).unwrap();
    let error = query(&table, "SELECT * FROM t").await.unwrap_err();
    assert!(error.contains(&format!("failed to read data file {path}: ")), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = query(&table, "SELECT * FROM t").await.unwrap_err();
    assert!(error.contains(&format!("failed to read data file {path}: ")), "{error}");
}

#[tokio::test]
async fn the_plan_keeps_its_own_source_and_reads_no_more_than_it_must() {
    let fields = vec![field(1, "a", PrimitiveType::Long), field(2, "b", PrimitiveType::Long)];
    let mut table = TestTable::new(FormatVersion::V2, fields, &[]);
    check(&table, "SELECT count(*) FROM t", "0").await;
    check(&table, "SELECT a FROM t WHERE b = 1", "").await;
    for name in ["f", "g"] {
        let longs = |n| Arc::new(Int64Array::from_iter_values(0..n)) as ArrayRef;
        add_file(&mut table, name, vec![(1, "a", longs(9)), (2, "b", longs(9))]).await;
    }
    let explain = async |sql: &str| {
        let plan = run(&table, &format!("EXPLAIN {sql}"), false).await.unwrap();
        plan.lines().filter(|line| line.contains("Exec")).collect::<Vec<_>>().join("\n")
    };
    let plan = explain("SELECT b FROM t WHERE a > 3 ORDER BY b LIMIT 1").await;
    assert!(plan.contains("file_type=iceberg") && plan.contains("2 groups"), "{plan}");
    let plan = explain("SELECT * FROM t LIMIT 5").await;
    assert!(plan.contains("1 group") && plan.contains("limit=5"), "{plan}");
    // Answered by the manifests.
    let plan = explain("SELECT count(*) FROM t").await;
    assert!(plan.contains("PlaceholderRowExec"), "{plan}");
}

#[test]
fn types_that_lose_values_are_not_converted() {
    use Conversion::{Align, Cast, Impossible, None};
    use DataType as T;
    let check = |file: T, table: T, expected| assert_eq!(conversion(&file, &table), expected);
    check(T::Int32, T::Int64, Cast);
    check(T::Int64, T::Int32, Impossible);
    check(T::Float64, T::Float32, Impossible);
    check(T::Decimal128(9, 2), T::Decimal128(12, 2), Cast);
    check(T::Decimal128(9, 2), T::Decimal128(12, 3), Impossible);
    check(T::Utf8, T::Utf8View, Cast);
    check(T::Int32, T::Utf8View, Impossible);
    check(T::Date32, T::Date32, None);
    check(T::Date32, T::Timestamp(TimeUnit::Microsecond, Option::None), Impossible);
    check(
        T::Timestamp(TimeUnit::Nanosecond, Option::None),
        T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Align,
    );
    let dictionary = T::Dictionary(Box::new(T::Int32), Box::new(T::Utf8));
    check(dictionary, T::Utf8View, Cast);
    check(T::new_list(T::Int32, true), T::new_list(T::Int64, true), Align);
    check(T::new_list(T::Int64, true), T::new_list(T::Int32, true), Impossible);
}
