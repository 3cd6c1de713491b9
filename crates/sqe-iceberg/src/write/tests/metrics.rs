//! What data files say about their columns.

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int32Array, ListArray,
    StringArray, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Int32Type};

use super::*;

/// Writes one file with several row groups and gives its metrics, a line for each column:
/// `id values nulls nans lower..upper`.
async fn check(columns: Vec<(&str, ArrayRef)>, properties: &[(&str, &str)], expected: &[&str]) {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let fixture = Fixture::new().await;
    let mut properties = properties.to_vec();
    properties.push(("write.parquet.row-group-size-bytes", "1"));
    let table = with_properties(table_like(&batch, &[]), &properties);
    let table = fixture.create(table).await;
    let rows = batch.num_rows();
    let batches = [batch.slice(0, 1), batch.slice(1, rows - 1)];
    fixture.append(&table, &batches).await.unwrap();

    let file = fixture.data_files().await.remove(0);
    let offsets = file.split_offsets().unwrap();
    assert!(offsets.len() == 2 && offsets.is_sorted() && offsets[0] == 4, "{offsets:?}");
    let mut ids: Vec<_> = file.column_sizes().keys().copied().collect();
    ids.sort_unstable();
    assert!(file.column_sizes().values().all(|size| *size > 0));
    let found = ids.iter().map(|id| {
        let show = |count: Option<&u64>| count.map_or("-".to_owned(), u64::to_string);
        let bound = |bounds: &HashMap<i32, iceberg::spec::Datum>| {
            bounds.get(id).map_or("-".to_owned(), ToString::to_string)
        };
        format!(
            "{id} {} {} {} {}..{}",
            show(file.value_counts().get(id)),
            show(file.null_value_counts().get(id)),
            show(file.nan_value_counts().get(id)),
            bound(file.lower_bounds()),
            bound(file.upper_bounds()),
        )
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn bounds_and_counts() {
    let long = "a text of more than sixteen characters";
    let decimals = Decimal128Array::from(vec![Some(-150), None, Some(7)]);
    check(
        vec![
            ("int", Arc::new(Int32Array::from(vec![Some(5), None, Some(-5)]))),
            ("text", Arc::new(StringArray::from(vec![Some(long), None, Some("b")]))),
            ("small", Arc::new(decimals.clone().with_precision_and_scale(5, 2).unwrap())),
            ("large", Arc::new(decimals.with_precision_and_scale(30, 2).unwrap())),
            ("bool", Arc::new(BooleanArray::from(vec![Some(true), None, Some(true)]))),
            ("null", Arc::new(Int32Array::from(vec![None, None, None]))),
            ("long", Arc::new(StringArray::from(vec![Some(long), None, None]))),
        ],
        &[],
        &[
            "1 3 1 - -5..5",
            r#"2 3 1 - "a text of more t".."b""#,
            "3 3 1 - -1.50..0.07",
            "4 3 1 - -1.50..0.07",
            "5 3 1 - true..true",
            "6 3 3 - -..-",
            r#"7 3 2 - "a text of more t".."a text of more u""#,
        ],
    )
    .await;
}

#[tokio::test]
async fn nans_are_counted_and_bound_nothing() {
    check(
        vec![
            ("some", Arc::new(Float64Array::from(vec![f64::NAN, 1.5, -1.5]))),
            ("all", Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(f64::NAN)]))),
            ("zero", Arc::new(Float32Array::from(vec![0.0, 0.0, 0.0]))),
        ],
        &[],
        &["1 3 0 1 -1.5..1.5", "2 3 1 2 -..-", "3 3 0 0 -0..0"],
    )
    .await;
}

#[tokio::test]
async fn nested_columns() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    // The NaN in a struct that is null does not exist.
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![2.0, f64::NAN, f64::NAN]));
    let fields = vec![Field::new("float", DataType::Float64, true)];
    let nulls = NullBuffer::from(vec![true, false, true]);
    let structs = StructArray::new(fields.into(), vec![floats], Some(nulls));
    check(
        vec![("list", Arc::new(list)), ("struct", Arc::new(structs))],
        &[],
        &["3 4 3 - -..-", "4 3 1 1 2..2"],
    )
    .await;
}

#[tokio::test]
async fn modes_limit_what_is_told() {
    let column = || Arc::new(StringArray::from(vec![Some("abcdef"), None])) as ArrayRef;
    check(
        vec![("a", column()), ("b", column()), ("c", column()), ("d", column())],
        &[
            ("write.metadata.metrics.default", "none"),
            ("write.metadata.metrics.column.b", "counts"),
            ("write.metadata.metrics.column.c", "truncate(2)"),
            ("write.metadata.metrics.column.d", "full"),
        ],
        &["1 - - - -..-", "2 2 1 - -..-", r#"3 2 1 - "ab".."ac""#, r#"4 2 1 - "abcdef".."abcdef""#],
    )
    .await;
}
