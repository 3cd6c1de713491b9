use arrow::{
    array::{ArrayRef, BinaryArray, Int32Array, Int64Array, StringArray},
    record_batch::RecordBatch,
};
use datafusion::parquet::arrow::ArrowWriter;

use super::*;

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[tokio::test]
async fn files_are_read_by_name() {
    let files = Files::new(&[]);
    files.write(
        "a.parquet",
        parquet(vec![("n", numbers([1, 2])), ("s", strings(&[Some("x"), None]))]),
    );
    files.write("b.parquet", parquet(vec![("s", strings(&[Some("y")])), ("n", numbers([3]))]));
    let reading = || call(&files, "read_parquet", &["*.parquet"], &[]);
    assert_eq!(columns(reading()).await, ["n Int64", "s Utf8View"]);
    assert_eq!(rows(reading()).await.unwrap(), ["1|x", "2|", "3|y"]);
    for (sql, expected) in [
        ("SELECT count(*), count(s), min(n), max(n) FROM t", "3|2|1|3"),
        ("SELECT s FROM t WHERE n = 3", "y"),
        ("SELECT sum(n) FROM t WHERE s IS NOT NULL", "4"),
    ] {
        assert_eq!(answer(reading(), sql).await.unwrap(), [expected], "{sql}");
    }
}

#[tokio::test]
async fn statistics_of_path_columns_know_their_nulls() {
    let files = Files::new(&[]);
    files.write("k=1/a.parquet", parquet(vec![("n", numbers([1, 2]))]));
    files.write("k=__HIVE_DEFAULT_PARTITION__/a.parquet", parquet(vec![("n", numbers([3]))]));
    let reading = || call(&files, "read_parquet", &["*/a.parquet"], &[]);
    let sql = "SELECT count(*), count(k), min(k), max(k), count(DISTINCT k) FROM t";
    assert_eq!(answer(reading(), sql).await.unwrap(), ["3|2|1|1|1"]);
    let sql = "SELECT n FROM t WHERE k IS NULL";
    assert_eq!(answer(reading(), sql).await.unwrap(), ["3"]);
    let sql = "SELECT n FROM t WHERE k = 1 AND n > 1";
    assert_eq!(answer(reading(), sql).await.unwrap(), ["2"]);
}

#[tokio::test]
async fn files_with_other_columns() {
    let files = Files::new(&[]);
    files.write("a.parquet", parquet(vec![("n", numbers([1])), ("s", strings(&[Some("x")]))]));
    files.write("b.parquet", parquet(vec![("n", numbers([2])), ("t", strings(&[Some("y")]))]));
    let reading = |options: &[_]| call(&files, "read_parquet", &["*.parquet"], options);
    let error = rows(reading(&[])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidStatement);
    assert_eq!(
        files.relative(&error.message),
        "files of read_parquet differ: a.parquet has a column \"s\", b.parquet has none"
    );
    let united = [("union_by_name", yes())];
    assert_eq!(rows(reading(&united)).await.unwrap(), ["1|x|", "2||y"]);
    let sql = "SELECT count(*), count(s), count(t), count(n) FROM t";
    assert_eq!(answer(reading(&united), sql).await.unwrap(), ["2|1|1|2"]);
    let sql = "SELECT n FROM t WHERE s IS NULL";
    assert_eq!(answer(reading(&united), sql).await.unwrap(), ["2"]);

    files.write("b.parquet", parquet(vec![("n", Arc::new(Int32Array::from(vec![2])))]));
    let error = rows(reading(&united)).await.unwrap_err();
    assert_eq!(
        files.relative(&error.message),
        "files of read_parquet differ: column \"n\" is Int64 in a.parquet, Int32 in b.parquet"
    );
}

#[tokio::test]
async fn binary_can_be_text() {
    let files = Files::new(&[]);
    let binary: ArrayRef = Arc::new(BinaryArray::from(vec![&b"x"[..]]));
    files.write("a.parquet", parquet(vec![("b", binary)]));
    let reading = |options: &[_]| call(&files, "read_parquet", &["a.parquet"], options);
    assert_eq!(columns(reading(&[])).await, ["b BinaryView"]);
    let options = [("binary_as_string", yes())];
    assert_eq!(columns(reading(&options)).await, ["b Utf8View"]);
    assert_eq!(rows(reading(&options)).await.unwrap(), ["x"]);
}

#[tokio::test]
async fn broken_files_are_errors_with_their_path() {
    let whole = parquet(vec![("n", numbers(0..1000))]);
    let mut page = whole.clone();
    page[4..40].fill(0xff);
    for (content, what) in [
        (Vec::new(), "empty"),
        (b"not a Parquet file".to_vec(), "foreign"),
        (whole[..whole.len() - 10].to_vec(), "cut"),
        (page, "broken page"),
    ] {
        let files = Files::new(&[]);
        files.write("a.parquet", content);
        let error = rows(call(&files, "read_parquet", &["a.parquet"], &[])).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::DataCorrupt, "{what}: {error}");
        let path = files.path("a.parquet");
        assert!(error.message.contains(&path), "{what}: {error}");
    }
}
