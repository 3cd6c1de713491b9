//! Physical plans for workers.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use datafusion::common::Result as DfResult;
use datafusion::config::ConfigOptions;
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::scalar::ScalarValue;
use datafusion_distributed::{
    DesiredTaskCountEvent, DesiredTaskCountEventResponse, DistributedExec, DistributedExt,
    DistributedLeafExec, RouteTasksEvent, RouteTasksEventResponse, ScaleUpLeafNodeEvent,
    ScaleUpLeafNodeEventResponse, SessionStateBuilderExt,
};
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use sqe_exchange::Query;
use sqe_exchange::membership::{Snapshot, WorkerNode};
use tokio_util::sync::DropGuard;

use super::access::Access;
use super::run::Attempts;
use super::{Cluster, GRACE, guards, scalar_subqueries, ship, shippable};
use crate::codec::{self, PlanCodec};
use crate::runtime::Entry;
use crate::{Error, ErrorKind, Result};

/// A physical plan and what it runs in. It runs once.
pub(crate) struct Planned {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) context: Arc<TaskContext>,
    /// What the nodes of the query share, where there are several.
    pub(crate) query: Option<Arc<Query>>,
}

impl Planned {
    /// Ends the query on all its nodes when it is dropped.
    pub(crate) fn over(&self) -> Option<DropGuard> {
        self.query.as_ref().map(|query| query.over().clone().drop_guard())
    }

    /// The cause of an error of the query: what failed first, from which the rest follows.
    pub(crate) fn cause(&self, error: Error) -> Error {
        match self.query.as_ref().and_then(|query| query.failure()) {
            Some(cause) => super::errors().to_local(cause).into(),
            None => error,
        }
    }

    /// A plan that runs here.
    pub(crate) async fn local(state: &SessionState, plan: &LogicalPlan) -> Result<Self> {
        let plan = state.create_physical_plan(plan).await?;
        Ok(Self { plan, context: state.task_ctx(), query: None })
    }
}

/// For whom a query is planned, and in which session.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) state: &'a SessionState,
    pub(crate) user: &'a str,
    /// How long the query may run.
    pub(crate) timeout: Duration,
    /// Learns of each plan that runs on workers.
    pub(crate) entry: &'a Entry,
}

impl Cluster {
    /// The plan of a query on the workers that are there now, or here if there are none. Boxed,
    /// because subqueries are planned by the same code.
    ///
    /// Errors: those of planning and of subqueries; `Unavailable` where workers are required.
    pub(crate) fn plan<'a>(
        &'a self,
        asked: Asked<'a>,
        plan: &'a LogicalPlan,
    ) -> BoxFuture<'a, Result<Planned>> {
        let workers = self.workers.active();
        if let LogicalPlan::Explain(explain) = plan
            && !workers.is_empty()
        {
            return self.explain(asked, explain).boxed();
        }
        match workers.is_empty() {
            true => self.plan_here(asked.state, plan).boxed(),
            false => self.plan_on(asked, workers, plan).boxed(),
        }
    }

    async fn plan_on(
        &self,
        asked: Asked<'_>,
        workers: Vec<WorkerNode>,
        plan: &LogicalPlan,
    ) -> Result<Planned> {
        let Asked { state, user, timeout, entry } = asked;
        let optimized = state.optimize(plan)?;
        let run =
            |subquery: Arc<LogicalPlan>| async move { self.values(asked, &subquery).await }.boxed();
        let replaced = scalar_subqueries::replaced(&optimized, &run).await?;
        let optimized = match replaced {
            Some(replaced) => state.optimize(&replaced)?,
            None => optimized,
        };
        let mut query = Query::new(user.to_owned(), SystemTime::now() + timeout + GRACE);
        query.options = changed_options(state.config_options());
        query.renewals = Some(Arc::new(Access::default()));
        let query = Arc::new(query);
        let distributed = self.state(state, workers, Arc::clone(&query));
        let planner = distributed.query_planner();
        let physical = planner.create_physical_plan(&optimized, &distributed).await?;
        if let Some(why) = shippable::obstacle(&physical) {
            tracing::debug!(why, "a query runs on the coordinator alone");
            return Planned::local(state, plan).await;
        }
        codec::check_sources(&physical)?;
        let plan = ship::ship(physical)?;
        if plan.is::<DistributedExec>() {
            entry.runs(&query);
        }
        Ok(Planned { plan, context: distributed.task_ctx(), query: Some(query) })
    }

    async fn plan_here(&self, state: &SessionState, plan: &LogicalPlan) -> Result<Planned> {
        let planned = Planned::local(state, plan).await?;
        match self.options.require_workers && ship::reads(&planned.plan) {
            true => Err(Error::new(ErrorKind::Unavailable, "there is no worker")
                .with_hint("start one, or allow queries without (distributed.require_workers)")),
            false => Ok(planned),
        }
    }

    /// The values of a subquery of one column, up to two of them.
    async fn values(&self, asked: Asked<'_>, plan: &LogicalPlan) -> Result<Vec<ScalarValue>> {
        let mut attempts = Attempts::default();
        loop {
            match self.values_once(asked, plan).await {
                Err(error) if attempts.again(&error).await => {}
                values => return Ok(values?),
            }
        }
    }

    async fn values_once(
        &self,
        asked: Asked<'_>,
        plan: &LogicalPlan,
    ) -> DfResult<Vec<ScalarValue>> {
        let planned = self.plan(asked, plan).await?;
        let _over = planned.over();
        let mut rows = execute_stream(planned.plan, planned.context)?;
        let mut values = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            for row in 0..batch.num_rows() {
                values.push(ScalarValue::try_from_array(batch.column(0), row)?);
                if values.len() == 2 {
                    return Ok(values);
                }
            }
        }
        Ok(values)
    }

    /// The state in which a query is planned for `workers` and runs on them.
    fn state(
        &self,
        state: &SessionState,
        workers: Vec<WorkerNode>,
        query: Arc<Query>,
    ) -> SessionState {
        let bytes_per_task = self.options.bytes_per_task;
        let mut config = state.config().clone();
        config.set_extension(query);
        let addresses: Vec<_> = workers.iter().map(|node| node.address.url().clone()).collect();
        let mut builder = SessionStateBuilder::new_from_existing(state.clone())
            .with_config(config)
            .with_physical_optimizer_rule(Arc::new(guards::LimitsAboveBroadcasts))
            .with_distributed_worker_resolver(Snapshot(workers))
            .with_distributed_channel_resolver(self.exchange.clone())
            .with_distributed_user_codec(PlanCodec)
            .with_distributed_desired_task_count_handler(move |event: DesiredTaskCountEvent<'_>| {
                desired_tasks(&event, bytes_per_task).map(Ok)
            })
            .with_distributed_scale_up_leaf_node_handler(split)
            .with_distributed_route_tasks_handler(move |event: RouteTasksEvent<'_>| {
                route(&event, &addresses).map(Ok)
            })
            .with_distributed_planner();
        if let Some(config) = builder.config() {
            // Its own replacement gives wrong rows for subqueries of several rows.
            config.options_mut().optimizer.enable_physical_uncorrelated_scalar_subquery = true;
        }
        let mut state = builder.build();
        let buffer = self.options.connection_buffer_bytes;
        // Fails only without the configuration of datafusion-distributed, which its planner brought.
        let _ = state.set_distributed_worker_connection_buffer_budget_bytes(buffer);
        state
    }
}

/// Settings of a session that are not the default, for the sessions of its tasks.
fn changed_options(options: &ConfigOptions) -> HashMap<String, String> {
    let defaults = ConfigOptions::default().entries();
    let defaults: HashMap<_, _> =
        defaults.into_iter().map(|entry| (entry.key, entry.value)).collect();
    let entries = options.entries().into_iter();
    let own = entries.filter(|entry| entry.key.starts_with("datafusion."));
    let changed = own.filter(|entry| defaults.get(&entry.key) != Some(&entry.value));
    changed.filter_map(|entry| Some((entry.key, entry.value?))).collect()
}

fn desired_tasks(
    event: &DesiredTaskCountEvent<'_>,
    bytes_per_task: u64,
) -> Option<DesiredTaskCountEventResponse> {
    if guards::is_for_one_task(event.plan) {
        return Some(DesiredTaskCountEventResponse::maximum(1));
    }
    if !event.plan.children().is_empty() {
        return None;
    }
    let bytes = codec::task_bytes(event.plan)?;
    let tasks = bytes.div_ceil(bytes_per_task.max(1)).max(1);
    let tasks = usize::try_from(tasks).unwrap_or(usize::MAX);
    Some(DesiredTaskCountEventResponse::desired(tasks))
}

fn split(event: ScaleUpLeafNodeEvent<'_>) -> Option<DfResult<ScaleUpLeafNodeEventResponse>> {
    let tasks = NonZeroUsize::new(event.task_count)?;
    let leaf = codec::split(event.plan, tasks).transpose()?.and_then(|parts| {
        let leaf = DistributedLeafExec::try_new(Arc::clone(event.plan), parts)?;
        Ok(ScaleUpLeafNodeEventResponse::new(Arc::new(leaf)))
    });
    Some(leaf)
}

/// Tasks go to workers in one order, so that a file is read where it was read before.
fn route(event: &RouteTasksEvent<'_>, workers: &[url::Url]) -> Option<RouteTasksEventResponse> {
    if event.task_count <= 1 || workers.is_empty() {
        return None;
    }
    let urls = workers.iter().cycle().take(event.task_count).cloned();
    Some(RouteTasksEventResponse::new(urls.collect()))
}
