//! Joins that let others run. A join may answer a million batches for one batch of its input, or
//! compare for seconds and answer none. Whoever waits for the thread in the meantime, such as the
//! deadline or the cancellation of the same statement, would wait for the join.

mod aside;
mod pace;
mod pieces;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PiecewiseMergeJoinExec, SortMergeJoinExec,
    SymmetricHashJoinExec,
};
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use pace::{Pace, PacedExec};

pub(crate) use pace::PacedMessage;

/// The rules of DataFusion with the one of this module behind the rule that does the same for
/// sources. The rules that follow push filters through both.
pub(crate) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let sources = rules.iter().position(|rule| rule.name() == "EnsureCooperative");
    rules.insert(sources.map_or(rules.len(), |at| at + 1), Arc::new(CooperativeJoins));
    rules
}

#[derive(Debug)]
struct CooperativeJoins;

impl PhysicalOptimizerRule for CooperativeJoins {
    fn name(&self) -> &str {
        "cooperative_joins"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let joined = plan.transform_up(|node| {
            let Some(join) = Join::of(node.as_ref()) else { return Ok(Transformed::no(node)) };
            let mut inputs: Vec<_> = node.children().into_iter().cloned().collect();
            let probe = inputs.pop().filter(|_| join == Join::Compares);
            let join = match probe {
                Some(probe) => {
                    inputs.push(Arc::new(PacedExec::new(probe, Pace::Pieces)));
                    let join = replace_children_if_necessary(node, inputs)?;
                    Arc::new(PacedExec::new(join, Pace::Aside))
                }
                None => node,
            };
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(join)) as _))
        });
        Ok(joined?.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What a join may do for long.
#[derive(Debug, PartialEq)]
enum Join {
    /// Answers many batches for one batch of its last input.
    Multiplies,
    /// Also throws away what it compared: it may answer nothing for a whole batch.
    Compares,
}

impl Join {
    fn of(plan: &dyn ExecutionPlan) -> Option<Self> {
        if plan.is::<NestedLoopJoinExec>() {
            return Some(Self::Compares);
        }
        if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            let filters = join.filter.is_some();
            return Some(if filters { Self::Compares } else { Self::Multiplies });
        }
        let multiplies = plan.is::<CrossJoinExec>()
            || plan.is::<SortMergeJoinExec>()
            || plan.is::<PiecewiseMergeJoinExec>()
            || plan.is::<SymmetricHashJoinExec>();
        multiplies.then_some(Self::Multiplies)
    }
}
