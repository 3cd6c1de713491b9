//! What a worker refuses, over a real socket.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightData, Ticket as FlightTicket};
use async_trait::async_trait;
use datafusion::common::internal_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion_distributed::TaskKey;
use prost::Message;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

use super::{OpenedTask, TaskSessions, WorkerOptions, WorkerService};
use crate::error::{Errors, RemoteError};
use crate::fragment::Fragment;
use crate::message::{Report, ReportMessage};
use crate::ticket::{Head, Ticket};
use crate::{FragmentKeys, WorkerAddress};

/// Errors that are their text.
#[derive(Debug)]
struct Plain;

impl Plain {
    fn error(message: String, is_lost_worker: bool) -> RemoteError {
        RemoteError { kind: 0, message, hint: None, is_lost_worker }
    }
}

impl Errors for Plain {
    fn to_remote(&self, error: &DataFusionError) -> RemoteError {
        Self::error(error.strip_backtrace(), false)
    }

    fn to_local(&self, error: RemoteError) -> DataFusionError {
        DataFusionError::External(Box::new(error))
    }

    fn lost_worker(&self, worker: &str, why: &str) -> RemoteError {
        Self::error(format!("{worker}: {why}"), true)
    }

    fn busy(&self, why: &str) -> RemoteError {
        Self::error(why.to_owned(), true)
    }

    fn broken(&self, what: &str) -> RemoteError {
        Self::error(what.to_owned(), false)
    }

    fn timed_out(&self, what: &str) -> RemoteError {
        Self::error(what.to_owned(), false)
    }
}

/// A worker that makes no sessions: whatever gets so far was opened.
#[derive(Debug)]
struct NoSessions;

#[async_trait]
impl TaskSessions for NoSessions {
    async fn session(&self, _: SessionStateBuilder, task: OpenedTask) -> Result<SessionState> {
        internal_err!("opened for {}", task.query.user)
    }
}

struct Fixture {
    keys: FragmentKeys,
    worker: WorkerAddress,
    client: FlightServiceClient<Channel>,
    _stop: tokio_util::sync::DropGuard,
    _serving: tokio::task::JoinSet<()>,
}

impl Fixture {
    async fn start(max_running_tasks: usize) -> Self {
        let (keys, incarnation) = (FragmentKeys::random(), Uuid::new_v4());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let service = WorkerService::new(WorkerOptions {
            keys: keys.clone(),
            incarnation,
            max_running_tasks,
            runtime: Arc::default(),
            errors: Arc::new(Plain),
            sessions: Arc::new(NoSessions),
        });
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            let router = service.into_router();
            router.serve_with_incoming_shutdown(incoming, stopped).await.unwrap();
        });
        let channel = Endpoint::from_shared(origin.clone()).unwrap().connect_lazy();
        let client = FlightServiceClient::new(channel);
        let worker = WorkerAddress::new(&origin, incarnation).unwrap();
        Self { keys, worker, client, _stop: stop.drop_guard(), _serving: serving }
    }

    fn fragment(&self, worker: &WorkerAddress) -> Fragment {
        Fragment {
            key: TaskKey { query_id: Uuid::new_v4(), stage_id: 1, task_number: 0 },
            task_count: 1,
            plan: b"no plan".to_vec(),
            user: "ada".to_owned(),
            options: Default::default(),
            headers: Default::default(),
            grants: Vec::new(),
            expires_at: SystemTime::now() + Duration::from_secs(60),
            query_start_nanos: 0,
            trace_parent: String::new(),
            worker: worker.clone(),
        }
    }

    /// Sends a fragment; the error of the task, or the code with which it is refused.
    async fn send(&mut self, sealed: Vec<u8>) -> Result<String, Code> {
        let first = FlightData { app_metadata: sealed.into(), ..FlightData::default() };
        let answer = self.client.do_exchange(tokio_stream::iter([first])).await;
        let mut answers = answer.map_err(|status| status.code())?.into_inner();
        let message = answers.message().await.map_err(|status| status.code())?.unwrap();
        match ReportMessage::decode(message.app_metadata).unwrap().report {
            Some(Report::Failed(error)) => Ok(error.message),
            other => panic!("{other:?}"),
        }
    }

    async fn get(&mut self, sealed: Vec<u8>) -> Result<(), Code> {
        let answer = self.client.do_get(FlightTicket::new(sealed)).await;
        answer.map(drop).map_err(|status| status.code())
    }
}

#[tokio::test]
async fn a_fragment_is_opened_once_by_the_worker_it_is_for() {
    let mut fixture = Fixture::start(8).await;
    let (keys, worker) = (fixture.keys.clone(), fixture.worker.clone());
    let other = WorkerAddress::new(&worker.origin(), Uuid::new_v4()).unwrap();

    let good = fixture.fragment(&worker).seal(&keys).unwrap();
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    let misdirected = fixture.fragment(&other).seal(&keys).unwrap();
    let forged = fixture.fragment(&worker).seal(&FragmentKeys::random()).unwrap();
    let expired = Fragment {
        expires_at: SystemTime::now() - Duration::from_secs(1),
        ..fixture.fragment(&worker)
    };
    let expired = expired.seal(&keys).unwrap();
    for refused in [altered, misdirected, forged, expired, b"anything".to_vec(), Vec::new()] {
        assert_eq!(fixture.send(refused).await, Err(Code::PermissionDenied));
    }
    let opened = fixture.send(good.clone()).await.unwrap();
    assert!(opened.contains("opened for ada"), "{opened}");
    assert_eq!(fixture.send(good).await, Err(Code::PermissionDenied), "replayed");
}

#[tokio::test]
async fn a_stranger_gets_no_partition() {
    let mut fixture = Fixture::start(8).await;
    let ticket = |key| Ticket {
        key,
        partitions: 0..1,
        head: Head::Plain,
        expires_at: SystemTime::now() + Duration::from_secs(60),
    };
    let key = TaskKey { query_id: Uuid::new_v4(), stage_id: 1, task_number: 0 };
    let (keys, worker) = (fixture.keys.clone(), fixture.worker.clone());
    let other = WorkerAddress::new(&worker.origin(), Uuid::new_v4()).unwrap();
    let forged = ticket(key).seal(&FragmentKeys::random(), &worker).unwrap();
    let misdirected = ticket(key).seal(&keys, &other).unwrap();
    // What is sealed for one purpose opens for no other.
    let fragment = fixture.fragment(&worker).seal(&keys).unwrap();
    for refused in [forged, misdirected, fragment, b"anything".to_vec()] {
        assert_eq!(fixture.get(refused).await, Err(Code::PermissionDenied));
    }
}

#[tokio::test]
async fn a_worker_that_is_full_takes_no_task() {
    let mut fixture = Fixture::start(0).await;
    let fragment = fixture.fragment(&fixture.worker.clone()).seal(&fixture.keys).unwrap();
    assert_eq!(fixture.send(fragment).await, Ok("too many tasks run on it".to_owned()));
}
