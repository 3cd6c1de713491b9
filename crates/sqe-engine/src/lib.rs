//! SQL and an identity in, a stream of record batches out.
//!
//! The engine parses a statement once, plans it with DataFusion over the catalogs of `sqe-iceberg`
//! and runs it. It knows neither Flight SQL nor HTTP nor configuration files.

mod catalogs;
pub mod codec;
mod convert;
mod cooperation;
mod deadline;
mod distributed;
mod engine;
mod error;
mod file_access;
mod functions;
mod memory;
mod parse;
mod plan;
mod planning;
mod rewrites;
mod runtime;
mod session;
mod statement;
mod suggest;
pub mod table_functions;
pub mod tpch;

pub use datafusion::execution::runtime_env::RuntimeEnv;
pub use distributed::{Cluster, ClusterOptions, WorkerSessions, errors as distributed_errors};
pub use engine::{Engine, EngineOptions, runtime};
pub use error::{Error, ErrorKind, Location, Result};
pub use file_access::{FileAccess, FileAccessOptions};
pub use session::{Identity, Output, Prepared, Session, TableEntry, TableKind};
