//! How plan fragments and record batches travel between nodes.
//!
//! [`keys`] and [`envelope`] seal what travels, [`fragment`] and [`ticket`] say what that is,
//! [`client`] is the coordinator's and the consumer's end, [`server`] the worker's, [`membership`]
//! how workers become known. The transport is Arrow Flight: `DoExchange` is the channel between a
//! coordinator and one task, `DoGet` fetches partitions of a task, `DoAction` tells of workers.

mod address;
mod batches;
pub mod client;
mod control_envelope;
mod envelope;
mod error;
mod fragment;
mod keys;
pub mod membership;
mod message;
mod metrics;
mod query;
pub mod server;
mod ticket;
pub mod tls;
mod transport;

pub use address::WorkerAddress;
pub use error::{Errors, RemoteError};
pub use fragment::{Fragment, Grant};
pub use keys::FragmentKeys;
pub use query::{Query, Renewals, TaskId, TaskState, TaskTotals};
