//! The worker's end: [`tasks`] knows what runs, [`exchange`] takes tasks, [`partitions`] serves
//! what they make. Nothing is decoded before it has been opened.

mod exchange;
mod partitions;
mod renewals;
mod sessions;
mod tasks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion_distributed::Worker;
use futures::stream::BoxStream;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Router;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::error::Errors;
use crate::keys::FragmentKeys;
use crate::transport::{self, MAX_MESSAGE};
pub use renewals::Renewal;
pub use sessions::{OpenedTask, TaskSessions};
pub use tasks::{TaskCounts, Tasks};

/// What a worker needs to run tasks.
#[derive(Debug)]
pub struct WorkerOptions {
    /// The keys that it shares with coordinators and other workers.
    pub keys: FragmentKeys,
    /// This run of the worker.
    pub incarnation: Uuid,
    /// Tasks that may run at the same time; more are refused.
    pub max_running_tasks: usize,
    /// Memory, spill directory and caches of all tasks.
    pub runtime: Arc<RuntimeEnv>,
    /// How the errors of tasks travel.
    pub errors: Arc<dyn Errors>,
    /// Makes the sessions in which tasks run.
    pub sessions: Arc<dyn TaskSessions>,
}

/// The Flight service of a worker. Clones share it.
#[derive(Clone)]
pub struct WorkerService(Arc<Inner>);

struct Inner {
    keys: FragmentKeys,
    incarnation: Uuid,
    errors: Arc<dyn Errors>,
    opened: sessions::Opened,
    tasks: Arc<Tasks>,
    worker: Worker,
    /// The channels between tasks and their coordinators.
    conversations: TaskTracker,
}

impl WorkerService {
    /// A service that runs nothing yet.
    pub fn new(options: WorkerOptions) -> Self {
        let WorkerOptions { keys, incarnation, max_running_tasks, runtime, errors, sessions } =
            options;
        let opened = sessions::Opened::default();
        let worker = Worker::from_session_builder(opened.builder(sessions))
            .with_runtime_env(runtime)
            .with_version(incarnation.to_string());
        let tasks = Arc::new(Tasks::new(max_running_tasks));
        let conversations = TaskTracker::new();
        Self(Arc::new(Inner { keys, incarnation, errors, opened, tasks, worker, conversations }))
    }

    /// What runs.
    pub fn tasks(&self) -> &Arc<Tasks> {
        &self.0.tasks
    }

    /// The service as a listener takes it.
    pub fn into_router(self) -> Router {
        let service = FlightServiceServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        transport::listening().add_service(service)
    }
}

/// Whoever shows no good envelope learns no more than this.
fn refused(what: &str) -> Status {
    metrics::counter!("sqe_worker_refused_total", "what" => what.to_owned()).increment(1);
    tracing::warn!(what, "an envelope was refused");
    Status::permission_denied(format!("the {what} is refused"))
}

fn unknown() -> Status {
    Status::unimplemented("workers answer coordinators and each other")
}

#[tonic::async_trait]
impl FlightService for WorkerService {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        exchange::run(&self.0, request.into_inner()).await.map(Response::new)
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        partitions::serve(&self.0, &request.into_inner().ticket).await.map(Response::new)
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(unknown())
    }

    async fn list_flights(
        &self,
        _: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(unknown())
    }

    async fn get_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        Err(unknown())
    }

    async fn poll_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        Err(unknown())
    }

    async fn get_schema(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        Err(unknown())
    }

    async fn do_put(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        Err(unknown())
    }

    async fn do_action(
        &self,
        _: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        Err(unknown())
    }

    async fn list_actions(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(unknown())
    }
}
