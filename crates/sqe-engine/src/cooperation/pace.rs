//! Cuts the batches of an input so that whoever takes them needs a moment for each, and yields in
//! between.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt};
use tokio::time::Instant;

/// Rows of the first piece.
const FIRST_ROWS: usize = 64;
/// A piece that took its taker longer than this is followed by a smaller one.
const SLOW: Duration = Duration::from_millis(200);
/// A piece that took its taker less than this is followed by a larger one, without a pause.
const FAST: Duration = Duration::from_millis(20);

/// The rows of its input, in batches of its own.
#[derive(Debug)]
pub(super) struct PacedExec {
    input: Arc<dyn ExecutionPlan>,
}

impl PacedExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self { input }
    }
}

impl DisplayAs for PacedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacedExec")
    }
}

impl ExecutionPlan for PacedExec {
    fn name(&self) -> &str {
        "PacedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop();
        let input = input.ok_or_else(|| internal_datafusion_err!("PacedExec has one input"))?;
        Ok(Arc::new(Self::new(input)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        Ok(Box::pin(Paced { input, rest: None, rows: FIRST_ROWS, given: None }))
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        child: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(child))
    }
}

struct Paced {
    input: SendableRecordBatchStream,
    /// What is left of a batch.
    rest: Option<RecordBatch>,
    /// Rows of the next piece.
    rows: usize,
    /// When the last piece was given away.
    given: Option<Instant>,
}

/// The rows of the piece after one of `rows` that took its taker `taken`, and whether others should
/// run first.
fn adapted(rows: usize, taken: Duration) -> (usize, bool) {
    let rows = match taken {
        slow if slow > SLOW => (rows / 2).max(1),
        fast if fast < FAST => rows.saturating_mul(2),
        _ => rows,
    };
    (rows, taken >= FAST)
}

impl Stream for Paced {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(given) = self.given.take() {
            let (rows, pause) = adapted(self.rows, given.elapsed());
            self.rows = rows;
            if pause {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
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
        self.given = Some(Instant::now());
        Poll::Ready(Some(Ok(batch.slice(0, rows))))
    }
}

impl RecordBatchStream for Paced {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int32Array};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    #[test]
    fn pieces_grow_until_they_take_a_moment() {
        let check = |rows, millis, expected| {
            assert_eq!(adapted(rows, Duration::from_millis(millis)), expected);
        };
        check(64, 0, (128, false));
        check(64, 50, (64, true));
        check(64, 1000, (32, true));
        check(1, 1000, (1, true));
    }

    #[tokio::test]
    async fn no_row_is_lost_between_pieces() {
        let column: ArrayRef = Arc::new(Int32Array::from_iter_values(0..1000));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let empty = batch.slice(0, 0);
        let input = futures::stream::iter([empty, batch.slice(0, 700), batch.slice(700, 300)]);
        let input = RecordBatchStreamAdapter::new(batch.schema(), input.map(Ok));
        let input = Box::pin(input);
        let paced = Paced { input, rest: None, rows: FIRST_ROWS, given: None };
        let pieces: Vec<RecordBatch> = paced.map(Result::unwrap).collect().await;
        assert!(pieces.len() > 3);
        assert_eq!(arrow::compute::concat_batches(&batch.schema(), &pieces).unwrap(), batch);
    }
}
