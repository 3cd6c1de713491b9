//! How long a statement may run.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use futures::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, Sleep};

use crate::{Error, ErrorKind, Result};

/// The moment at which a statement must have ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    timeout: Duration,
}

impl Deadline {
    /// `timeout` from now.
    pub(crate) fn after(timeout: Duration) -> Self {
        Self { at: Instant::now() + timeout, timeout }
    }

    /// The value of `work`, unless the deadline passes first; then `work` is dropped.
    pub(crate) async fn bound<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout_at(self.at, work).await {
            Ok(result) => result,
            Err(_) => Err(self.error()),
        }
    }

    /// The batches of `rows`; after the deadline an error, and `rows` is dropped.
    pub(crate) fn bound_stream(
        &self,
        rows: SendableRecordBatchStream,
    ) -> SendableRecordBatchStream {
        let schema = rows.schema();
        let sleep = Box::pin(tokio::time::sleep_until(self.at));
        Box::pin(Bounded { schema, rows: Some(rows), sleep, deadline: *self })
    }

    fn error(&self) -> Error {
        let seconds = self.timeout.as_secs_f64();
        let message =
            format!("the statement ran longer than {seconds} s (limits.statement_timeout)");
        Error::new(ErrorKind::DeadlineExceeded, message)
    }
}

struct Bounded {
    schema: SchemaRef,
    rows: Option<SendableRecordBatchStream>,
    sleep: Pin<Box<Sleep>>,
    deadline: Deadline,
}

impl Stream for Bounded {
    type Item = DfResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rows) = &mut self.rows else { return Poll::Ready(None) };
        if let Poll::Ready(item) = rows.poll_next_unpin(cx) {
            return Poll::Ready(item);
        }
        if self.sleep.poll_unpin(cx).is_pending() {
            return Poll::Pending;
        }
        self.rows = None;
        Poll::Ready(Some(Err(self.deadline.error().into())))
    }
}

impl RecordBatchStream for Bounded {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    #[tokio::test]
    async fn a_silent_stream_ends_at_its_deadline() {
        let silent =
            RecordBatchStreamAdapter::new(Arc::new(Schema::empty()), futures::stream::pending());
        let deadline = Deadline::after(Duration::ZERO);
        let mut rows = deadline.bound_stream(Box::pin(silent));
        let error = Error::from(rows.next().await.unwrap().unwrap_err());
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded);
        assert!(rows.next().await.is_none());
    }
}
