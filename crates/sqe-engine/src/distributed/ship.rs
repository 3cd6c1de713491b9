//! Which part of a plan runs where. datafusion-distributed keeps on the coordinator what needs no
//! more than one task; here that is sent to a worker too, so that no scan of a table ever runs where
//! the catalog's keys of all users are.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion_distributed::{
    DistributedExec, DistributedLeafExec, NetworkBoundary, NetworkBoundaryExt, NetworkCoalesceExec,
    Stage,
};
use uuid::Uuid;

use crate::codec;

/// The plan with everything that reads on workers, or as it is where nothing reads.
pub(super) fn ship(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(distributed) = plan.downcast_ref::<DistributedExec>() else {
        return match reads(&plan) {
            true => wrap(plan, Uuid::new_v4(), 1),
            false => Ok(plan),
        };
    };
    let [head] = distributed.children()[..] else {
        return internal_err!("a distributed plan has one head");
    };
    if !is_heavy(head) {
        return Ok(plan);
    }
    let (query_id, stages) = stages(head);
    // A leaf of the head is cut for several tasks although the head is one.
    let head = Arc::clone(head).transform_down(|node| {
        Ok(match node.downcast_ref::<DistributedLeafExec>() {
            Some(leaf) => Transformed::yes(Arc::clone(leaf.original())),
            None if node.is_network_boundary() => Transformed::new(
                node,
                false,
                datafusion::common::tree_node::TreeNodeRecursion::Jump,
            ),
            None => Transformed::no(node),
        })
    })?;
    wrap(head.data, query_id, stages + 1)
}

/// One stage of one task over the whole of `head`.
fn wrap(
    head: Arc<dyn ExecutionPlan>,
    query_id: Uuid,
    number: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let boundary = NetworkCoalesceExec::try_new(head, 1, 1)?;
    let Stage::Local(mut stage) = boundary.input_stage().clone() else {
        return internal_err!("a new stage is not at its place");
    };
    // A new boundary has none of its own, and tasks are known by both.
    (stage.query_id, stage.num) = (query_id, number);
    let boundary: Arc<dyn ExecutionPlan> = boundary.with_input_stage(Stage::Local(stage))?;
    let top = match boundary.output_partitioning().partition_count() {
        1 => boundary,
        _ => Arc::new(CoalescePartitionsExec::new(boundary)),
    };
    Ok(Arc::new(DistributedExec::new(top).with_metrics_collection(true)))
}

/// Whether a plan scans anything: constants and what this process knows of itself are here already.
pub(super) fn reads(plan: &Arc<dyn ExecutionPlan>) -> bool {
    codec::task_bytes(plan).is_some() || plan.children().into_iter().any(reads)
}

/// Whether the part of a plan above its first boundaries does more than put rows together.
fn is_heavy(node: &Arc<dyn ExecutionPlan>) -> bool {
    if node.is_network_boundary() {
        return false;
    }
    let is_light = node.is::<CoalescePartitionsExec>()
        || node.is::<SortPreservingMergeExec>()
        || node.is::<GlobalLimitExec>()
        || node.is::<LocalLimitExec>()
        || node.is::<ProjectionExec>();
    !is_light || node.children().into_iter().any(is_heavy)
}

/// The query that all stages below belong to, and the largest number of one.
fn stages(node: &Arc<dyn ExecutionPlan>) -> (Uuid, usize) {
    let mut found = (Uuid::nil(), 0);
    if let Some(boundary) = node.as_network_boundary() {
        let stage = boundary.input_stage();
        found = (stage.query_id(), stage.num());
        if let Some(plan) = stage.local_plan() {
            found.1 = found.1.max(stages(plan).1);
        }
    }
    for child in node.children() {
        let (query_id, number) = stages(child);
        if !query_id.is_nil() {
            found.0 = query_id;
        }
        found.1 = found.1.max(number);
    }
    found
}
