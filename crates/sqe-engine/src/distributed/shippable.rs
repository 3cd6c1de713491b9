//! Plans that cannot be written down for another node. They run on the coordinator, with the keys
//! of their user.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::limit::GlobalLimitExec;

/// Nodes that datafusion-proto has no form for.
const WITHOUT_FORM: [&str; 5] = [
    "RecursiveQueryExec",
    "WorkTableExec",
    "StreamingTableExec",
    "PartialSortExec",
    "LazyMemoryExec",
];

/// Limits travel as numbers of 32 bits, of which datafusion-proto takes the lower ones.
const MAX_LIMIT: usize = 1 << 31;

/// Why a plan cannot travel; `None` where it can.
pub(super) fn obstacle(plan: &Arc<dyn ExecutionPlan>) -> Option<&'static str> {
    if let Some(name) = WITHOUT_FORM.into_iter().find(|name| *name == plan.name()) {
        return Some(name);
    }
    let skip = plan.downcast_ref::<GlobalLimitExec>().map_or(0, GlobalLimitExec::skip);
    if plan.fetch().unwrap_or(0).max(skip) >= MAX_LIMIT {
        return Some("a limit of more than 2147483647 rows");
    }
    plan.children().into_iter().find_map(obstacle)
}
