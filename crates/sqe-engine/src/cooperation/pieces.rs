//! Cuts the batches of an input, so that a join is asked for its next step more often, and lets
//! others run in between.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use futures::{Stream, StreamExt};
use tokio::time::Instant;

/// Pieces of a full batch. A nested-loop join takes each row of its other side at once with a
/// piece; below a tenth of a batch it goes over to a way that takes ten times as long.
const PIECES: usize = 8;
/// Others run after this time.
const PATIENCE: Duration = Duration::from_millis(10);

pub(super) struct Pieces {
    input: SendableRecordBatchStream,
    /// Rows of a piece, at least one.
    rows: usize,
    /// What is left of a batch.
    rest: Option<RecordBatch>,
    /// When the rows began to flow after others could run.
    begun: Option<Instant>,
}

impl Pieces {
    /// The rows of `input`, whose full batches have `batch_size` rows.
    pub(super) fn new(input: SendableRecordBatchStream, batch_size: usize) -> Self {
        Self { input, rows: batch_size.div_ceil(PIECES).max(1), rest: None, begun: None }
    }
}

impl Stream for Pieces {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.begun.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            self.begun = None;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match ready!(self.input.poll_next_unpin(cx)) {
                Some(Ok(batch)) => batch,
                end => return Poll::Ready(end),
            },
        };
        let rows = self.rows.min(batch.num_rows());
        if rows < batch.num_rows() {
            self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        Poll::Ready(Some(Ok(batch.slice(0, rows))))
    }
}

impl RecordBatchStream for Pieces {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    #[tokio::test]
    async fn pieces_hold_all_rows_in_order() {
        let column: ArrayRef = Arc::new(Int32Array::from_iter_values(0..1000));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let batches = [batch.slice(0, 0), batch.slice(0, 700), batch.slice(700, 300)];
        let input = futures::stream::iter(batches).map(Ok);
        let input = Box::pin(RecordBatchStreamAdapter::new(batch.schema(), input));
        let pieces: Vec<_> = Pieces::new(input, 2400).map(Result::unwrap).collect().await;
        let sizes: Vec<usize> = pieces.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(sizes, [0, 300, 300, 100, 300]);
        assert_eq!(arrow::compute::concat_batches(&batch.schema(), &pieces).unwrap(), batch);
    }
}
