//! The plan node around the streams that let others run.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use prost::Message;

use super::aside::Aside;
use super::pieces::Pieces;

/// How the rows of an input are handed on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pace {
    /// In pieces of its batches, for a join that compares each with all of its other side.
    Pieces,
    /// As they are, computed where nobody else waits for the thread.
    Aside,
}

/// The rows of its input, at a pace.
#[derive(Debug)]
pub(super) struct PacedExec {
    input: Arc<dyn ExecutionPlan>,
    pace: Pace,
}

impl PacedExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, pace: Pace) -> Self {
        Self { input, pace }
    }
}

/// The node without its input, as it travels to other nodes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PacedMessage {
    /// Else aside.
    #[prost(bool, tag = "1")]
    pieces: bool,
}

impl PacedMessage {
    /// `None` for another node.
    pub(crate) fn of(node: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let paced = node.downcast_ref::<PacedExec>()?;
        Some(Self { pieces: paced.pace == Pace::Pieces })
    }

    /// Errors: internal unless there is one input.
    pub(crate) fn exec(&self, inputs: &[Arc<dyn ExecutionPlan>]) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = inputs else { return internal_err!("PacedExec has one input") };
        let pace = if self.pieces { Pace::Pieces } else { Pace::Aside };
        Ok(Arc::new(PacedExec::new(Arc::clone(input), pace)))
    }
}

impl DisplayAs for PacedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacedExec: {:?}", self.pace)
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
        Ok(Arc::new(Self::new(input, self.pace)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let batch_size = context.session_config().batch_size();
        Ok(match self.pace {
            Pace::Pieces => Box::pin(Pieces::new(input, batch_size)),
            Pace::Aside => Box::pin(Aside(input)),
        })
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
