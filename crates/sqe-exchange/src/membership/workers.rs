//! The workers that a coordinator knows.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chacha20poly1305::aead::OsRng;
use chacha20poly1305::aead::rand_core::RngCore;
use datafusion::error::Result;
use datafusion_distributed::WorkerResolver;
use prost::Message;
use url::Url;
use uuid::Uuid;

use super::heartbeat::challenged;
use crate::address::WorkerAddress;
use crate::envelope::{self, Purpose};
use crate::keys::FragmentKeys;
use crate::message::{ChallengeMessage, WorkerMessage};

/// A worker that has been silent for so long is lost: three calls.
const SILENCE: Duration = Duration::from_secs(3);

/// A lost worker is shown for so long.
const REMEMBERED: Duration = Duration::from_secs(600);

const CHALLENGE_LIFE: Duration = Duration::from_secs(30);

/// Strangers may ask for challenges too: so many are kept, the oldest of which goes first.
const MAX_CHALLENGES: usize = 10_000;

/// What a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerNode {
    /// Where it is, and which run of it.
    pub address: WorkerAddress,
    /// Of which build: only those of the coordinator's own are used.
    pub build: String,
    /// Cores that it computes with.
    pub cores: u64,
    /// Bytes that its tasks may use.
    pub memory_bytes: u64,
    /// Bytes that they use.
    pub memory_used_bytes: u64,
    /// Tasks that run.
    pub running_tasks: u64,
    /// It takes no new ones.
    pub is_draining: bool,
}

/// What a coordinator makes of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// It gets tasks.
    Active,
    /// It finishes its tasks and leaves.
    Draining,
    /// It is of another build and gets no tasks.
    OtherBuild,
    /// It has been silent.
    Lost,
}

/// The workers that a coordinator knows.
#[derive(Debug)]
pub struct Workers {
    keys: FragmentKeys,
    build: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    workers: HashMap<Uuid, Known>,
    challenges: HashMap<[u8; 32], Instant>,
}

#[derive(Debug, Clone)]
struct Known {
    node: WorkerNode,
    heard_at: Instant,
}

impl Workers {
    /// Nobody yet; workers of `build` will be used.
    pub fn new(keys: FragmentKeys, build: String) -> Self {
        Self { keys, build, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It is changed by whole values only.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to [`super::CHALLENGE`].
    pub fn challenge(&self) -> Vec<u8> {
        let mut challenge = [0; 32];
        OsRng.fill_bytes(&mut challenge);
        let now = Instant::now();
        let mut state = self.state();
        state.challenges.retain(|_, made_at| now.duration_since(*made_at) < CHALLENGE_LIFE);
        if state.challenges.len() >= MAX_CHALLENGES {
            let oldest = state.challenges.iter().min_by_key(|(_, made_at)| **made_at);
            if let Some(oldest) = oldest.map(|(challenge, _)| *challenge) {
                state.challenges.remove(&oldest);
            }
        }
        state.challenges.insert(challenge, now);
        ChallengeMessage { challenge: challenge.to_vec() }.encode_to_vec()
    }

    /// The answer to [`super::HEARTBEAT`], with the next challenge; `None` for a call that proves
    /// nothing.
    pub fn heartbeat(&self, call: &[u8]) -> Option<Vec<u8>> {
        let (challenge, incarnation, sealed) = challenged::split(call)?;
        let made_at = self.state().challenges.remove(&challenge)?;
        if made_at.elapsed() >= CHALLENGE_LIFE {
            return None;
        }
        let recipient = challenged::recipient(&challenge, incarnation);
        let plain = envelope::open(&self.keys, Purpose::Membership, &recipient, sealed).ok()?;
        let message = WorkerMessage::decode(plain.as_slice()).ok()?;
        let address = WorkerAddress::new(&message.url, incarnation).ok()?;
        let node = WorkerNode {
            address,
            build: message.build,
            cores: message.cores,
            memory_bytes: message.memory_bytes,
            memory_used_bytes: message.memory_used_bytes,
            running_tasks: message.running_tasks,
            is_draining: message.is_draining,
        };
        self.hear(node);
        metrics::gauge!("sqe_workers").set(self.active().len() as f64);
        Some(self.challenge())
    }

    fn hear(&self, node: WorkerNode) {
        let now = Instant::now();
        let mut state = self.state();
        state.workers.retain(|_, known| now.duration_since(known.heard_at) < REMEMBERED);
        let known = Known { node, heard_at: now };
        let incarnation = known.node.address.incarnation();
        if let Some(before) = state.workers.insert(incarnation, known.clone()) {
            if before.node.is_draining != known.node.is_draining {
                tracing::info!(worker = %known.node.address, "a worker drains");
            }
            return;
        }
        tracing::info!(worker = %known.node.address, build = known.node.build, "a worker is here");
        if known.node.build != self.build {
            tracing::warn!(
                worker = %known.node.address,
                its = known.node.build,
                own = self.build,
                "a worker of another build gets no tasks"
            );
        }
    }

    /// All that are known, sorted by where they are.
    pub fn nodes(&self) -> Vec<(WorkerNode, NodeState, Duration)> {
        let state = self.state();
        let mut nodes: Vec<_> = state
            .workers
            .values()
            .map(|known| (known.node.clone(), self.judge(known), known.heard_at.elapsed()))
            .collect();
        nodes.sort_by_key(|(node, ..)| (node.address.host(), node.address.incarnation()));
        nodes
    }

    fn judge(&self, known: &Known) -> NodeState {
        if known.heard_at.elapsed() >= SILENCE {
            NodeState::Lost
        } else if known.node.build != self.build {
            NodeState::OtherBuild
        } else if known.node.is_draining {
            NodeState::Draining
        } else {
            NodeState::Active
        }
    }

    /// Those that get tasks now, in one order for a query whatever happens meanwhile.
    pub fn active(&self) -> Vec<WorkerNode> {
        let nodes = self.nodes().into_iter();
        let active = nodes.filter(|(_, state, _)| *state == NodeState::Active);
        active.map(|(node, ..)| node).collect()
    }

    /// A worker that did not answer gets no tasks until it is heard again.
    pub fn suspect(&self, worker: &WorkerAddress) {
        if let Some(known) = self.state().workers.get_mut(&worker.incarnation())
            && let Some(before) = Instant::now().checked_sub(SILENCE)
        {
            known.heard_at = known.heard_at.min(before);
        }
    }
}

/// The workers of one query, which stay the same while it is planned.
#[derive(Debug, Clone)]
pub struct Snapshot(pub Vec<WorkerNode>);

impl WorkerResolver for Snapshot {
    fn get_urls(&self) -> Result<Vec<Url>> {
        Ok(self.0.iter().map(|node| node.address.url().clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::heartbeat::answer;
    use super::*;

    fn node(run: u128, build: &str, is_draining: bool) -> WorkerNode {
        WorkerNode {
            address: WorkerAddress::new("http://w:1", Uuid::from_u128(run)).unwrap(),
            build: build.to_owned(),
            cores: 2,
            memory_bytes: 100,
            memory_used_bytes: 10,
            running_tasks: 1,
            is_draining,
        }
    }

    #[test]
    fn a_worker_is_listed_by_its_proof_alone() {
        let keys = FragmentKeys::random();
        let check = |with: &FragmentKeys, replayed: bool, listed: bool| {
            let workers = Workers::new(keys.clone(), "1".to_owned());
            let call = answer(with, &workers.challenge(), &node(1, "1", false)).unwrap();
            let mut heard = workers.heartbeat(&call).is_some();
            if replayed {
                workers.state().workers.clear();
                heard = workers.heartbeat(&call).is_some();
            }
            assert_eq!((heard, workers.active().len()), (listed, usize::from(listed)));
        };
        check(&keys, false, true);
        check(&FragmentKeys::random(), false, false);
        check(&keys, true, false);
    }

    #[test]
    fn tasks_go_to_those_of_the_same_build_that_stay() {
        let keys = FragmentKeys::random();
        let workers = Workers::new(keys.clone(), "1".to_owned());
        let mut challenge = workers.challenge();
        for node in [node(1, "1", false), node(2, "1", true), node(3, "2", false)] {
            let call = answer(&keys, &challenge, &node).unwrap();
            challenge = workers.heartbeat(&call).unwrap();
        }
        let states: Vec<NodeState> = workers.nodes().into_iter().map(|(_, s, _)| s).collect();
        assert_eq!(states, [NodeState::Active, NodeState::Draining, NodeState::OtherBuild]);
        assert_eq!(workers.active(), [node(1, "1", false)]);
        workers.suspect(&node(1, "1", false).address);
        assert_eq!(workers.active(), []);
    }
}
