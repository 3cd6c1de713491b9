//! Queries over many workers.
//!
//! datafusion-distributed cuts a physical plan into stages and tasks. [`planner`] makes such plans,
//! [`guards`] keep them right, [`ship`] sends what would stay behind, [`scalar_subqueries`] run
//! before the rest, [`run`] runs a plan again when a worker is lost, [`access`] hands out the keys of
//! stores, [`sessions`] is where a worker runs tasks.

mod access;
mod errors;
mod explain;
mod guards;
mod planner;
mod run;
mod scalar_subqueries;
mod sessions;
mod ship;
mod shippable;

use std::sync::Arc;
use std::time::Duration;

use sqe_exchange::client::{ClientTls, Exchange};
use sqe_exchange::membership::Workers;
use sqe_exchange::{Errors, FragmentKeys};

pub(crate) use errors::LostWorker;
pub(crate) use explain::analyzed;
pub(crate) use planner::{Asked, Planned};
pub(crate) use run::{Attempts, rows};
pub use sessions::WorkerSessions;

/// How the engine works with workers.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The keys that all nodes share.
    pub keys: FragmentKeys,
    /// The build of this process: workers of another one get no tasks.
    pub build: String,
    /// How workers are known, and this node to them.
    pub tls: Option<ClientTls>,
    /// Queries that read fail where there is no worker, instead of running here.
    pub require_workers: bool,
    /// A stage gets one task for so many bytes that it reads.
    pub bytes_per_task: u64,
    /// Bytes from one worker that may wait for their reader.
    pub connection_buffer_bytes: usize,
}

/// The workers of a coordinator, and the way to them.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) workers: Arc<Workers>,
    exchange: Exchange,
    options: ClusterOptions,
}

/// How errors travel between nodes.
pub fn errors() -> Arc<dyn Errors> {
    Arc::new(errors::EngineErrors)
}

/// A query ends on workers so long after its statement should have.
const GRACE: Duration = Duration::from_secs(60);

impl Cluster {
    /// A cluster that no worker has joined.
    pub fn new(options: ClusterOptions) -> Self {
        let workers = Arc::new(Workers::new(options.keys.clone(), options.build.clone()));
        let known = Some(Arc::clone(&workers));
        let exchange = Exchange::new(options.keys.clone(), errors(), options.tls.clone(), known);
        Self { workers, exchange, options }
    }

    /// The workers that have joined.
    pub fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }
}
