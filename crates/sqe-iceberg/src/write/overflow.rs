//! Rows that must wait until their partition's turn, sorted by partition, on disk where memory is
//! short.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result as QueryResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream::{BoxStream, Peekable};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

use super::partition::with_key;
use super::query_error;
use crate::{Error, ErrorKind, Result};

/// Batches between this task and the one that sorts.
const QUEUED_BATCHES: usize = 2;

type Sorted = Peekable<BoxStream<'static, QueryResult<RecordBatch>>>;

/// Batches on their way through a sort.
pub(super) struct Overflow {
    sender: mpsc::Sender<RecordBatch>,
    /// Takes all batches; ends when the first sorted one is there.
    task: SpawnedTask<Sorted>,
}

impl Overflow {
    /// `schema`: of the table's rows, to which keys will be added.
    pub(super) fn begin(schema: &SchemaRef, context: &Arc<TaskContext>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUED_BATCHES);
        let sorted = sort(schema, receiver, context).map_err(query_error)?;
        let task = SpawnedTask::spawn(async move {
            let mut sorted = sorted.boxed().peekable();
            // A sort does nothing before it is asked for its first row.
            std::pin::Pin::new(&mut sorted).peek().await;
            sorted
        });
        Ok(Self { sender, task })
    }

    /// Takes rows with their keys.
    pub(super) async fn push(self, rows: RecordBatch) -> Result<Self> {
        if self.sender.send(rows).await.is_ok() {
            return Ok(self);
        }
        // Nobody receives any more: the sort has failed.
        let ended = Error::new(ErrorKind::Internal, "the sort by partition ended early");
        match std::pin::pin!(self.sorted().await?).next().await {
            Some(Err(error)) => Err(error),
            _ => Err(ended),
        }
    }

    /// All rows with their keys, by key.
    pub(super) async fn sorted(self) -> Result<impl Stream<Item = Result<RecordBatch>>> {
        drop(self.sender);
        let sorted = self.task.join().await.map_err(|error| {
            Error::new(ErrorKind::Internal, "the task that sorts by partition").with_source(error)
        })?;
        Ok(sorted.map(|batch| batch.map_err(query_error)))
    }
}

/// The rows as the table has them.
pub(super) fn without_key(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns: Vec<_> = (0..batch.num_columns() - 1).collect();
    batch.project(&columns).map_err(super::arrow_error)
}

fn sort(
    schema: &SchemaRef,
    receiver: mpsc::Receiver<RecordBatch>,
    context: &Arc<TaskContext>,
) -> QueryResult<SendableRecordBatchStream> {
    let schema = with_key(schema);
    let key = schema.fields().len() - 1;
    let source = Source { schema: Arc::clone(&schema), receiver: Mutex::new(Some(receiver)) };
    let source = StreamingTableExec::try_new(schema, vec![Arc::new(source)], None, [], false, None);
    let by_key = PhysicalSortExpr {
        expr: Arc::new(Column::new("partition key", key)),
        options: SortOptions::default(),
    };
    let by_key = LexOrdering::new([by_key])
        .ok_or_else(|| DataFusionError::Internal("an ordering without columns".to_owned()))?;
    SortExec::new(by_key, Arc::new(source?)).execute(0, Arc::clone(context))
}

/// What is received, once.
#[derive(Debug)]
struct Source {
    schema: SchemaRef,
    receiver: Mutex<Option<mpsc::Receiver<RecordBatch>>>,
}

impl PartitionStream for Source {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let rows = futures::stream::unfold(receiver, async |receiver| {
            let mut receiver = receiver?;
            let batch = receiver.recv().await?;
            Some((Ok(batch), Some(receiver)))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
