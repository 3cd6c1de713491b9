//! Running a query, and running it again when a worker was lost before its first row.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};

use super::Planned;
use super::errors::is_lost_worker;
use crate::Result;

/// So often a query is run.
const ATTEMPTS: u32 = 4;

/// Before it is run a second time.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a query was run.
#[derive(Debug, Default)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// Whether to run it again after `error`: where a worker was lost, some times, after a pause.
    pub(crate) fn again(
        &mut self,
        error: &(dyn std::error::Error + 'static),
    ) -> impl Future<Output = bool> + Send + use<> {
        self.0 += 1;
        let again = self.0 < ATTEMPTS && is_lost_worker(error);
        if again {
            tracing::warn!(%error, attempt = self.0, "a query runs again");
        }
        // What is busy now may be free a moment later.
        let pause = PAUSE * self.0;
        async move {
            if again {
                tokio::time::sleep(pause).await;
            }
            again
        }
    }
}

/// Makes the plan of a query, anew each time.
pub(crate) type Plan = Arc<dyn Fn() -> BoxFuture<'static, Result<Planned>> + Send + Sync>;

/// The rows of a query. Until the first of them is out, nobody sees that a worker was lost: the
/// query is planned and run again on those that are left, over the same snapshots.
pub(crate) fn rows(schema: SchemaRef, plan: Plan) -> SendableRecordBatchStream {
    let rows = stream::once(async move {
        let mut attempts = Attempts::default();
        loop {
            match first(&plan).await {
                Err(error) if attempts.again(&error).await => {}
                begun => return begun,
            }
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten()))
}

/// The rows of one run, of which the first batch is there.
async fn first(plan: &Plan) -> Result<SendableRecordBatchStream, DataFusionError> {
    let planned = plan().await?;
    let (over, schema) = (planned.over(), planned.plan.schema());
    let planned = Arc::new(planned);
    let failure = {
        let planned = Arc::clone(&planned);
        move |error: DataFusionError| match is_lost_worker(&error) {
            // What it is decides about another run.
            true => error,
            false => planned.cause(error.into()).into(),
        }
    };
    let mut rows = execute_stream(Arc::clone(&planned.plan), Arc::clone(&planned.context))?;
    let first = rows.next().await.transpose().map_err(&failure)?;
    let rows = rows.map_err(failure).inspect(move |_| {
        // The query is over when its rows are dropped.
        let _ = &over;
    });
    let rows = stream::iter(first.map(Ok)).chain(rows);
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}
