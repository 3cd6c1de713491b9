//! The end that sends tasks to workers and fetches what they make: [`control`] is the channel to a
//! task, [`fetch`] its partitions, [`connections`] the way to a worker.

mod connections;
mod control;
mod fetch;

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::common::internal_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::{
    ChannelResolver, CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest,
    GetWorkerInfoResponse, SetPlanRequest, WorkerChannel, WorkerToCoordinatorMsg,
};
use futures::stream::BoxStream;
use http::HeaderMap;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::address::WorkerAddress;
use crate::error::{Errors, RemoteError};
use crate::keys::FragmentKeys;
use crate::membership::Workers;
use crate::query::Query;
pub use connections::ClientTls;
use connections::Connections;
pub(crate) use connections::endpoint;

/// Sends tasks to workers, and fetches their partitions. Clones share it.
#[derive(Clone)]
pub struct Exchange(Arc<Inner>);

struct Inner {
    keys: FragmentKeys,
    errors: Arc<dyn Errors>,
    connections: Connections,
    /// Where a worker that does not answer is struck off, if this node keeps a list.
    workers: Option<Arc<Workers>>,
    /// What outlives a query for a moment: telling its tasks that it is over, and why.
    farewells: TaskTracker,
}

impl Exchange {
    /// An exchange that has no connection yet.
    pub fn new(
        keys: FragmentKeys,
        errors: Arc<dyn Errors>,
        tls: Option<ClientTls>,
        workers: Option<Arc<Workers>>,
    ) -> Self {
        let (connections, farewells) = (Connections::new(tls), TaskTracker::new());
        Self(Arc::new(Inner { keys, errors, connections, workers, farewells }))
    }
}

impl Inner {
    /// What to say of a worker that does not answer. It gets no tasks until it is heard again.
    fn lost(&self, worker: &WorkerAddress, why: &str) -> RemoteError {
        self.connections.forget(worker);
        if let Some(workers) = &self.workers {
            workers.suspect(worker);
        }
        self.errors.lost_worker(&worker.host(), why)
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("keys", &self.0.keys).finish_non_exhaustive()
    }
}

#[async_trait]
impl ChannelResolver for Exchange {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        let worker = WorkerAddress::try_from(url).map_err(DataFusionError::Internal)?;
        Ok(Box::new(Channel { exchange: Arc::clone(&self.0), worker }))
    }
}

/// One worker, as datafusion-distributed speaks to it.
struct Channel {
    exchange: Arc<Inner>,
    worker: WorkerAddress,
}

#[async_trait]
impl WorkerChannel for Channel {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        request: SetPlanRequest,
        over: BoxStream<'static, CoordinatorToWorkerMsg>,
        _: ExecutionPlanMetricsSet,
        task: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        let query = query_of(task)?;
        let sent = control::send(self, headers, request, over, task, &query).await;
        sent.map_err(|error| {
            // Consumers learn of it at once, instead of waiting for a plan that never comes.
            query.fail(error.clone());
            self.exchange.errors.to_local(error)
        })
    }

    async fn execute_task(
        &mut self,
        _: HeaderMap,
        request: ExecuteTaskRequest,
        metrics: ExecutionPlanMetricsSet,
        task: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        fetch::partitions(self, request, &metrics, task, query_of(task)?)
    }

    async fn get_worker_info(&mut self, _: GetWorkerInfoRequest) -> Result<GetWorkerInfoResponse> {
        internal_err!("workers tell of themselves when they register")
    }
}

fn query_of(task: &TaskContext) -> Result<Arc<Query>> {
    match Query::of(task) {
        Some(query) => Ok(query),
        None => internal_err!("a distributed plan runs outside of a query"),
    }
}
