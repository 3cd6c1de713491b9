//! What datafusion-distributed would get wrong, and what keeps it from that.
//!
//! DataFusion leaves out the node that gathers partitions where there is one partition only. What
//! stands above then works on the whole input, until the plan is cut into tasks and each of them
//! has a part: a LIMIT would let so many rows through in each task, a count would come once for
//! each.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::{Distribution, Partitioning};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode,
};
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, ReplaceChildrenOptions,
};
use datafusion_distributed::BroadcastExec;

/// Keeps a limit on the side of a join that is sent to all tasks above what is sent. Otherwise each
/// task would keep rows of its own choice.
#[derive(Debug)]
pub(super) struct LimitsAboveBroadcasts;

impl PhysicalOptimizerRule for LimitsAboveBroadcasts {
    fn name(&self) -> &str {
        "limits_above_broadcasts"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let guarded = plan.transform_up(|node| {
            // The sides of a nested-loop join may be swapped later.
            let sides = match node.as_ref() {
                join if join.is::<NestedLoopJoinExec>() => 2,
                join if join.is::<CrossJoinExec>() => 1,
                join => usize::from(
                    join.downcast_ref::<HashJoinExec>()
                        .is_some_and(|join| *join.partition_mode() == PartitionMode::CollectLeft),
                ),
            };
            let children: Vec<_> = node.children().into_iter().cloned().collect();
            let limits = children.iter().take(sides).filter_map(limit_of);
            if limits.count() == 0 {
                return Ok(Transformed::no(node));
            }
            let children = children.into_iter().enumerate().map(|(index, child)| {
                match limit_of(&child).filter(|_| index < sides) {
                    Some(limit) => Arc::new(GlobalLimitExec::new(child, 0, Some(limit))) as _,
                    None => child,
                }
            });
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Ok(Transformed::yes(node.replace_children(children.collect(), options)?))
        });
        Ok(guarded?.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn limit_of(node: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    node.downcast_ref::<CoalescePartitionsExec>()?.fetch()
}

/// Whether a node is right in one task only, as it stands.
pub(super) fn is_for_one_task(node: &Arc<dyn ExecutionPlan>) -> bool {
    if gathers(node) {
        return false;
    }
    if node.fetch().is_some() && node.output_partitioning().partition_count() == 1 {
        return true;
    }
    let requirements = node.input_distribution_requirements();
    let mut children = requirements.per_child_distributions().zip(node.children());
    children.any(|(distribution, child)| match distribution {
        Distribution::SinglePartition => !gathers(child),
        Distribution::UnspecifiedDistribution => false,
        // Rows of one key are together.
        _ => !is_spread_by_key(child),
    })
}

fn gathers(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<CoalescePartitionsExec>() || node.is::<SortPreservingMergeExec>()
}

/// Whether all rows come through something that puts those of one key together, or all in one
/// place.
fn is_spread_by_key(node: &Arc<dyn ExecutionPlan>) -> bool {
    let by_hash = node
        .downcast_ref::<RepartitionExec>()
        .is_some_and(|spread| matches!(spread.partitioning(), Partitioning::Hash(..)));
    if by_hash || gathers(node) || node.is::<BroadcastExec>() {
        return true;
    }
    let children = node.children();
    !children.is_empty() && children.into_iter().all(is_spread_by_key)
}
