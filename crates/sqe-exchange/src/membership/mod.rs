//! How workers become known to coordinators.
//!
//! A worker calls each coordinator every second. Each answer brings a challenge; the next call is
//! sealed for it, which only a holder of the fragment key can do. So no stranger is ever listed,
//! and no call that somebody recorded is worth anything. Calls are `DoAction`s of the coordinator's
//! listener: [`CHALLENGE`] for the first challenge, [`HEARTBEAT`] with what the worker is.

mod heartbeat;
mod workers;

pub use heartbeat::{Heartbeat, HeartbeatOptions};
pub use workers::{NodeState, Snapshot, WorkerNode, Workers};

/// The action that asks for a challenge.
pub const CHALLENGE: &str = "sqe.worker.challenge";

/// The action that tells of a worker.
pub const HEARTBEAT: &str = "sqe.worker.heartbeat";
