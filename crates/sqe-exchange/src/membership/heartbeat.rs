//! A worker's calls to its coordinators.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::Action;
use arrow_flight::flight_service_client::FlightServiceClient;
use futures::StreamExt;
use prost::Message;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;

use super::{CHALLENGE, HEARTBEAT, WorkerNode};
use crate::client::{ClientTls, endpoint};
use crate::envelope::{self, Purpose, Refused};
use crate::keys::FragmentKeys;
use crate::message::{ChallengeMessage, WorkerMessage};

const INTERVAL: Duration = Duration::from_secs(1);
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// What a worker's calls are made of.
#[derive(Debug, Clone)]
pub struct HeartbeatOptions {
    /// The keys whose possession is proven.
    pub keys: FragmentKeys,
    /// `http://host:port` or `https://host:port` of each coordinator.
    pub coordinators: Vec<String>,
    /// How coordinators are known by their certificates.
    pub tls: Option<ClientTls>,
}

/// Calls all coordinators until it is stopped.
#[derive(Debug)]
pub struct Heartbeat {
    options: HeartbeatOptions,
}

impl Heartbeat {
    /// Nobody is called yet.
    pub fn new(options: HeartbeatOptions) -> Self {
        Self { options }
    }

    /// Tells all coordinators once a second what `node` says, and at once when `changed` is
    /// cancelled, until `stop` is.
    pub async fn run(
        self,
        node: impl Fn() -> WorkerNode + Send + Sync + 'static,
        changed: CancellationToken,
        stop: CancellationToken,
    ) {
        let node: Arc<dyn Fn() -> WorkerNode + Send + Sync> = Arc::new(node);
        let calls = self.options.coordinators.iter().map(|coordinator| {
            call(&self.options, coordinator, Arc::clone(&node), changed.clone(), stop.clone())
        });
        futures::future::join_all(calls).await;
    }
}

async fn call(
    options: &HeartbeatOptions,
    coordinator: &str,
    node: Arc<dyn Fn() -> WorkerNode + Send + Sync>,
    changed: CancellationToken,
    stop: CancellationToken,
) {
    let mut session = None;
    let mut is_heard = None;
    loop {
        let is_told = changed.is_cancelled();
        let node = node();
        let called = timeout(CALL_TIMEOUT, once(options, coordinator, &node, session.take()));
        let called = called.await.unwrap_or_else(|_| Err("it does not answer".to_owned()));
        match called {
            Ok(next) => {
                if is_heard.replace(true) != Some(true) {
                    tracing::info!(coordinator, "this worker is known to a coordinator");
                }
                session = Some(next);
            }
            Err(why) => {
                if is_heard.replace(false) != Some(false) {
                    tracing::warn!(coordinator, why, "a coordinator does not know this worker");
                }
            }
        }
        tokio::select! {
            () = sleep(INTERVAL) => {}
            () = changed.cancelled(), if !is_told => {}
            () = stop.cancelled() => return,
        }
    }
}

/// A connection to a coordinator, and the challenge for the next call.
type Session = (FlightServiceClient<Channel>, Vec<u8>);

async fn once(
    options: &HeartbeatOptions,
    coordinator: &str,
    node: &WorkerNode,
    session: Option<Session>,
) -> Result<Session, String> {
    let said = |status: Status| status.message().to_owned();
    let (mut client, challenge) = match session {
        Some(session) => session,
        None => {
            let endpoint = endpoint(coordinator, options.tls.as_ref()).await?;
            let channel = endpoint.connect().await.map_err(|error| format!("{error:?}"))?;
            let mut client = FlightServiceClient::new(channel);
            let challenge = act(&mut client, CHALLENGE, Vec::new()).await.map_err(said)?;
            (client, challenge)
        }
    };
    let call = answer(&options.keys, &challenge, node).map_err(|_| "it sent no challenge")?;
    let challenge = act(&mut client, HEARTBEAT, call).await.map_err(said)?;
    Ok((client, challenge))
}

async fn act(
    client: &mut FlightServiceClient<Channel>,
    name: &str,
    body: Vec<u8>,
) -> Result<Vec<u8>, Status> {
    let mut results = client.do_action(Action::new(name, body)).await?.into_inner();
    match results.next().await {
        Some(result) => Ok(result?.body.into()),
        None => Err(Status::unknown("it answered nothing")),
    }
}

/// The call of `node` that answers a challenge.
pub(super) fn answer(
    keys: &FragmentKeys,
    challenge: &[u8],
    node: &WorkerNode,
) -> Result<Vec<u8>, Refused> {
    let challenge = ChallengeMessage::decode(challenge).map_err(|_| Refused)?.challenge;
    let message = WorkerMessage {
        url: node.address.origin(),
        build: node.build.clone(),
        cores: node.cores,
        memory_bytes: node.memory_bytes,
        memory_used_bytes: node.memory_used_bytes,
        running_tasks: node.running_tasks,
        is_draining: node.is_draining,
    };
    let incarnation = node.address.incarnation();
    let recipient = challenged::recipient(&challenge, incarnation);
    let plain = message.encode_to_vec();
    let sealed = envelope::seal(keys, Purpose::Membership, &recipient, &plain)?;
    Ok([recipient, sealed].concat())
}

/// A sealed call, in front of which stand the challenge that it answers and who answers.
pub(super) mod challenged {
    use uuid::Uuid;

    pub(in super::super) fn recipient(challenge: &[u8], incarnation: Uuid) -> Vec<u8> {
        [challenge, incarnation.as_bytes()].concat()
    }

    pub(in super::super) fn split(call: &[u8]) -> Option<([u8; 32], Uuid, &[u8])> {
        let (challenge, rest) = call.split_first_chunk::<32>()?;
        let (incarnation, sealed) = rest.split_first_chunk::<16>()?;
        Some((*challenge, Uuid::from_bytes(*incarnation), sealed))
    }
}
