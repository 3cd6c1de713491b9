//! What EXPLAIN shows of a query on workers: its stages, its tasks, and where they run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Explain, PlanType, ToStringifiedPlan};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::explain::ExplainExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_distributed::{DistributedMetricsFormat, display_plan_ascii, explain_analyze};
use futures::{TryStreamExt, stream};
use tokio::time::timeout;

use super::run::Plan;
use super::{Asked, Cluster, Planned};
use crate::Result;

/// What a worker counted is waited for so long, once the rows are there.
const METRICS_TIMEOUT: Duration = Duration::from_secs(5);

impl Cluster {
    /// The plan that answers an EXPLAIN. The subqueries that stand for one value are run, because
    /// the plan depends on their values.
    pub(super) async fn explain(&self, asked: Asked<'_>, explain: &Explain) -> Result<Planned> {
        let optimized = asked.state.optimize(&explain.plan)?;
        let planned = self.plan(asked, &explain.plan).await?;
        let physical = display_plan_ascii(planned.plan.as_ref(), false);
        let plans = vec![
            optimized.to_stringified(PlanType::FinalLogicalPlan),
            datafusion::logical_expr::StringifiedPlan::new(PlanType::FinalPhysicalPlan, physical),
        ];
        let schema = Arc::clone(explain.schema.inner());
        let plan = Arc::new(ExplainExec::new(schema, plans, explain.verbose));
        Ok(Planned { plan, context: asked.state.task_ctx(), query: None })
    }
}

/// Runs a query for EXPLAIN ANALYZE: the rows of `schema` tell what it did.
pub(crate) fn analyzed(schema: SchemaRef, plan: Plan) -> SendableRecordBatchStream {
    let columns = Arc::clone(&schema);
    let rows = stream::once(async move {
        let began = Instant::now();
        let planned = plan().await?;
        let over = planned.over();
        let mut rows = execute_stream(Arc::clone(&planned.plan), Arc::clone(&planned.context))?;
        let mut count = 0;
        while let Some(batch) =
            rows.try_next().await.map_err(|error| planned.cause(error.into()))?
        {
            count += batch.num_rows();
        }
        let elapsed = began.elapsed();
        drop((rows, over));
        let text = explain_analyze(Arc::clone(&planned.plan), DistributedMetricsFormat::Aggregated);
        let text = match timeout(METRICS_TIMEOUT, text).await {
            Ok(text) => text?,
            Err(_) => display_plan_ascii(planned.plan.as_ref(), false),
        };
        let kinds = ["Plan with Metrics", "Rows", "Elapsed"];
        let texts = [text, count.to_string(), format!("{elapsed:.1?}")];
        let columns: [ArrayRef; 2] = [
            Arc::new(StringArray::from_iter_values(kinds)),
            Arc::new(StringArray::from_iter_values(texts)),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns.into()).map_err(DataFusionError::from)
    });
    Box::pin(RecordBatchStreamAdapter::new(columns, rows))
}
