//! Statements that fail or are given up leave the table as it was and no file.

use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;

use super::*;
use crate::ErrorKind;
use crate::write::wait_for_cleanup;

fn longs(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter([("id", values)]).unwrap()
}

/// What comes after the first rows of a stream.
#[derive(Debug, Clone, Copy)]
enum Then {
    Error,
    Nothing,
}

#[derive(Debug)]
struct Broken(RecordBatch, SchemaRef, Then);

impl PartitionStream for Broken {
    fn schema(&self) -> &SchemaRef {
        &self.1
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = futures::stream::iter(vec![self.0.clone(); 5]).map(Ok);
        let rows = match self.2 {
            Then::Error => {
                let error = DataFusionError::Execution("the source broke".into());
                rows.chain(futures::stream::iter([Err(error)])).boxed()
            }
            Then::Nothing => rows.chain(futures::stream::pending()).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.1), rows))
    }
}

/// Two partitions that begin well.
fn broken(then: Then) -> Arc<dyn ExecutionPlan> {
    let batch = longs(0..1000);
    let stream = || Arc::new(Broken(batch.clone(), batch.schema(), then)) as _;
    let streams = vec![stream(), stream()];
    Arc::new(StreamingTableExec::try_new(batch.schema(), streams, None, [], true, None).unwrap())
}

/// A table whose files are finished every few rows.
async fn table(fixture: &Fixture) -> Table {
    let properties = [("write.target-file-size-bytes", "1")];
    let table = table_like(&longs([]), &[("id", Transform::Bucket(3))]);
    fixture.create(with_properties(table, &properties)).await
}

#[tokio::test]
async fn an_error_in_the_middle_leaves_nothing() {
    let fixture = Fixture::new().await;
    let table = table(&fixture).await;
    let before = fixture.leftovers();
    let append = crate::write::append(&fixture.catalog, &table, broken(Then::Error), context(2));
    let error = append.await.unwrap_err();
    assert!(error.to_string().contains("the source broke"), "{error}");
    assert_eq!(fixture.leftovers(), before);
    assert!(fixture.load().await.metadata.current_snapshot().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_future_leaves_nothing() {
    let fixture = Fixture::new().await;
    let table = table(&fixture).await;
    let before = fixture.leftovers();
    let append = crate::write::append(&fixture.catalog, &table, broken(Then::Nothing), context(2));
    let written = async {
        while !fixture.leftovers().iter().any(|path| path.ends_with(".parquet")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        result = append => panic!("ended with {result:?}"),
        () = written => {}
    }
    wait_for_cleanup().await;
    assert_eq!(fixture.leftovers(), before);
}

#[tokio::test]
async fn a_failed_creation_leaves_nothing() {
    let fixture = Fixture::new().await;
    let table = table_like(&longs([]), &[]);
    let plan = broken(Then::Error);
    crate::write::create_table_as(&fixture.catalog, table, plan, context(2)).await.unwrap_err();
    assert!(fixture.leftovers().iter().all(|path| !path.contains(".parquet")));
    assert!(!fixture.leftovers().iter().any(|path| path.ends_with("/data")));
}

#[tokio::test]
async fn values_that_do_not_fit_are_errors_with_their_column() {
    let fixture = Fixture::new().await;
    let required = arrow::datatypes::Schema::new(vec![Field::new("n", DataType::Int32, false)]);
    let empty = RecordBatch::new_empty(Arc::new(required));
    let table = fixture.create(table_like(&empty, &[])).await;
    let check = async |column: ArrayRef, expected: &str| {
        let batch = RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap();
        let error = fixture.append(&table, &[batch]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(Arc::new(Int64Array::from(vec![None, Some(1)])), r#"column "n" must not be null"#).await;
    let expected = r#"column "n": Cast error: Can't cast value 3000000000 to type Int32"#;
    check(Arc::new(Int64Array::from(vec![3_000_000_000])), expected).await;
    check(Arc::new(StringArray::from(vec!["x"])), r#"column "n": Cast error"#).await;
    assert!(fixture.leftovers().iter().all(|path| !path.contains("/data")));
}

#[tokio::test]
async fn a_table_that_was_replaced_takes_no_rows() {
    let fixture = Fixture::new().await;
    let old = fixture.create(table_like(&longs([]), &[])).await;
    fixture.catalog.drop_table(&old.ident).await.unwrap();
    fixture.create(table_like(&longs([]), &[])).await;
    let error = fixture.append(&old, &[longs(0..3)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let found = fixture.leftovers();
    assert!(found.iter().all(|path| !path.ends_with(".parquet") && !path.ends_with(".avro")));
}
