//! Computes where nobody else waits for the thread.

use std::pin::Pin;
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use futures::{Stream, StreamExt};
use tokio::runtime::{Handle, RuntimeFlavor};

/// The batches of a stream. While one is computed, the other tasks of the thread run on another.
pub(super) struct Aside(pub(super) SendableRecordBatchStream);

impl Stream for Aside {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // A runtime of one thread has no other.
        let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
        let threads = flavor.is_ok_and(|flavor| flavor == RuntimeFlavor::MultiThread);
        match threads {
            true => tokio::task::block_in_place(|| self.0.poll_next_unpin(cx)),
            false => self.0.poll_next_unpin(cx),
        }
    }
}

impl RecordBatchStream for Aside {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }
}
