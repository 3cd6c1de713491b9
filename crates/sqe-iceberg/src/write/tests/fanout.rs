//! Rows of many partitions, with little memory.

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int32Array, Int64Array, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;

use super::*;

/// Rows whose partitions come in turns.
fn rows(from: i32, partitions: i32) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(from..from + 1000));
    let partition = Int32Array::from_iter_values((from..from + 1000).map(|id| id % partitions));
    RecordBatch::try_from_iter([("id", ids), ("p", Arc::new(partition) as ArrayRef)]).unwrap()
}

async fn check(partitions: i32, memory_bytes: usize, files: std::ops::RangeInclusive<usize>) {
    let fixture = Fixture::new().await;
    let batches: Vec<_> = (0..5).map(|n| rows(n * 1000, partitions)).collect();
    let partitioning = [("p", Transform::Identity)];
    let table = fixture.create(table_like(&batches[0], &partitioning)).await;
    let pool = Arc::new(GreedyMemoryPool::new(memory_bytes));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::clone(&pool) as _).build_arc();
    let config = SessionConfig::new().with_target_partitions(1);
    let context = TaskContext::default().with_runtime(runtime.unwrap()).with_session_config(config);
    let plan = plan(&batches);
    let append = crate::write::append(&fixture.catalog, &table, plan, Arc::new(context));
    assert_eq!(append.await.unwrap(), 5000);

    use datafusion::execution::memory_pool::MemoryPool;
    assert_eq!(pool.reserved(), 0);
    let read = fixture.read().await;
    assert!(files.contains(&read.len()), "{} files", read.len());
    for file in &read {
        let values = file.column(1).as_primitive::<Int32Type>();
        assert!(values.values().iter().all(|value| value == &values.value(0)));
    }
    assert_eq!(lines(&read), lines(&batches));
}

#[tokio::test]
async fn each_partition_has_one_file() {
    check(7, usize::MAX, 7..=7).await;
}

#[tokio::test]
async fn little_memory_makes_more_files() {
    check(7, 100_000, 8..=35).await;
}

#[tokio::test]
async fn open_files_are_limited() {
    // A file for each partition, though not all of them can be open.
    check(150, usize::MAX, 150..=150).await;
}

/// Each value comes back from the manifest as the same literal that went in.
#[tokio::test]
async fn values_of_every_type_partition() {
    let day = 86_400_000_000i64;
    let fixed = FixedSizeBinaryArray::try_from_iter([[1u8, 2, 255]].iter()).unwrap();
    let decimal = Decimal128Array::from(vec![-1234]);
    let moment = || TimestampMicrosecondArray::from(vec![-day]);
    let columns: [(&str, ArrayRef, &str); 11] = [
        ("bool", Arc::new(BooleanArray::from(vec![true])), "true"),
        ("long", Arc::new(Int64Array::from(vec![i64::MIN])), "-9223372036854775808"),
        ("float", Arc::new(Float32Array::from(vec![-1.5])), "-1.5"),
        ("double", Arc::new(Float64Array::from(vec![2.5])), "2.5"),
        ("text", Arc::new(StringArray::from(vec!["ä"])), "%C3%A4"),
        ("bytes", Arc::new(BinaryArray::from_vec(vec![b"\0x"])), "AHg%3D"),
        ("fixed", Arc::new(fixed), "AQL%2F"),
        ("small", Arc::new(decimal.clone().with_precision_and_scale(5, 2).unwrap()), "-12.34"),
        ("large", Arc::new(decimal.with_precision_and_scale(38, 2).unwrap()), "-12.34"),
        ("time", Arc::new(Time64MicrosecondArray::from(vec![1])), "00%3A00%3A00.000001"),
        ("at", Arc::new(moment().with_timezone("UTC")), "1969-12-31T00%3A00%3A00%2B00%3A00"),
    ];
    for (name, column, expected) in columns {
        let batch = RecordBatch::try_from_iter([(name, column)]).unwrap();
        let fixture = Fixture::new().await;
        let table = fixture.create(table_like(&batch, &[(name, Transform::Identity)])).await;
        fixture.append(&table, std::slice::from_ref(&batch)).await.unwrap();
        let file = fixture.data_files().await.remove(0);
        assert!(file.file_path().contains(&format!("/{name}={expected}/")), "{}", file.file_path());
        let bound = file.lower_bounds()[&1].literal().clone();
        let partition = file.partition().fields()[0].as_ref().unwrap();
        assert_eq!(partition.as_primitive_literal(), Some(bound), "{name}");
    }
}

#[tokio::test]
async fn paths_and_values_of_partitions() {
    let fixture = Fixture::new().await;
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a b/ü%#"), None]));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(-1), Some(31)]));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("name with space", names, true),
        ("day", days, true),
    ])
    .unwrap();
    let partitioning = [("name with space", Transform::Identity), ("day", Transform::Month)];
    let table = fixture.create(table_like(&batch, &partitioning)).await;
    fixture.append(&table, std::slice::from_ref(&batch)).await.unwrap();

    let files = fixture.data_files().await;
    let mut paths: Vec<_> = files
        .iter()
        .map(|file| {
            let path = file.file_path().split_once("/data/").unwrap().1;
            path.rsplit_once('/').unwrap().0.to_owned()
        })
        .collect();
    paths.sort();
    let expected = [
        "name+with+space=a+b%2F%C3%BC%25%23/day_month=1969-12",
        "name+with+space=null/day_month=1970-02",
    ];
    assert_eq!(paths, expected);
    assert_eq!(fixture.lines().await, lines(&[batch]));
}
