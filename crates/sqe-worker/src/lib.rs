//! Executes tasks of queries. A worker has no catalog, no keys of its own and no way in for users:
//! what it may read comes with each task, from a coordinator that knows the key of all nodes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqe_engine::{RuntimeEnv, WorkerSessions, distributed_errors, runtime};
use sqe_exchange::client::{ClientTls, Exchange};
use sqe_exchange::membership::{Heartbeat, HeartbeatOptions, WorkerNode};
use sqe_exchange::server::{Tasks, WorkerOptions as ServiceOptions, WorkerService};
use sqe_exchange::tls::{Certificates, TlsOptions};
use sqe_exchange::{FragmentKeys, WorkerAddress};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

/// The build of this process. Plans of one build are no plans for another.
pub const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("SQE_BUILD"));

/// How long cancelled tasks may take to tell their coordinators.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// What a worker is told.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// The keys that all nodes share.
    pub keys: FragmentKeys,
    /// `http://host:port` or `https://host:port`, as coordinators and other workers reach it.
    pub advertise_url: String,
    /// The coordinators that it joins, as `http://host:port` or `https://host:port`.
    pub coordinators: Vec<String>,
    /// TLS of the listener; plaintext where there is none.
    pub tls: Option<TlsOptions>,
    /// How other workers are known, and this one to them.
    pub node_tls: Option<ClientTls>,
    /// How coordinators are known.
    pub coordinator_tls: Option<ClientTls>,
    /// Memory of all tasks together, in bytes.
    pub memory_bytes: usize,
    /// Directory of spill files; the system's temporary one where none is given.
    pub spill_dir: Option<PathBuf>,
    /// Disk space that spill files may use together, in bytes.
    pub spill_bytes: u64,
    /// Tasks that may run at the same time; more are refused.
    pub max_running_tasks: usize,
    /// Whether tasks may read files of this machine.
    pub allow_local_paths: bool,
    /// How long tasks may go on after a signal to stop.
    pub drain_timeout: Duration,
}

/// Why a worker could not start or had to stop; each is one line.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A certificate or key that cannot be used.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// An address that is none.
    #[error("worker.advertise_url: {0}")]
    Address(String),
    /// A spill directory that cannot be made.
    #[error(transparent)]
    Engine(#[from] sqe_engine::Error),
    /// The transport failed.
    #[error("the worker's listener failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// A worker that is ready to serve.
pub struct Worker {
    options: WorkerOptions,
    address: WorkerAddress,
    service: WorkerService,
    tls: Option<Certificates>,
    runtime: Arc<RuntimeEnv>,
}

impl Worker {
    /// A worker that nobody knows yet.
    pub fn new(options: WorkerOptions) -> Result<Self, WorkerError> {
        let tls = options.tls.as_ref().map(Certificates::load).transpose();
        let tls = tls.map_err(WorkerError::Tls)?;
        let incarnation = Uuid::new_v4();
        let address = WorkerAddress::new(&options.advertise_url, incarnation);
        let address = address.map_err(WorkerError::Address)?;
        let spill_dir = options.spill_dir.as_deref();
        let runtime = runtime(options.memory_bytes, spill_dir, options.spill_bytes)?;
        let errors = distributed_errors();
        let exchange = Exchange::new(
            options.keys.clone(),
            Arc::clone(&errors),
            options.node_tls.clone(),
            None,
        );
        let allow_local_paths = options.allow_local_paths;
        let service = WorkerService::new(ServiceOptions {
            keys: options.keys.clone(),
            incarnation,
            max_running_tasks: options.max_running_tasks,
            runtime: Arc::clone(&runtime),
            errors,
            sessions: Arc::new(WorkerSessions { exchange, allow_local_paths }),
        });
        Ok(Self { options, address, service, tls, runtime })
    }

    /// What runs here.
    pub fn tasks(&self) -> &Arc<Tasks> {
        self.service.tasks()
    }

    /// Serves `listener` until `shutdown` is cancelled: then it takes no new tasks, finishes those
    /// it has within the drain timeout, and leaves.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), WorkerError> {
        let tasks = Arc::clone(self.service.tasks());
        let gone = CancellationToken::new();
        let heartbeat = Heartbeat::new(HeartbeatOptions {
            keys: self.options.keys.clone(),
            coordinators: self.options.coordinators.clone(),
            tls: self.options.coordinator_tls.clone(),
        });
        let calls = heartbeat.run(self.node(), shutdown.clone(), gone.clone());

        let router = self.service.into_router();
        let incoming = TcpListenerStream::new(listener);
        let stopped = gone.clone().cancelled_owned();
        let serving = async {
            match self.tls {
                Some(tls) => {
                    router.serve_with_incoming_shutdown(tls.accept(incoming), stopped).await
                }
                None => router.serve_with_incoming_shutdown(incoming, stopped).await,
            }
        };
        let draining = async {
            shutdown.cancelled().await;
            tasks.drain();
            let limit = self.options.drain_timeout;
            info!(tasks = tasks.counts().running, timeout = ?limit, "draining");
            if timeout(limit, tasks.idle()).await.is_err() {
                warn!(tasks = tasks.counts().running, "the drain timeout is over");
                tasks.end_all();
                let _ = timeout(CANCEL_GRACE, tasks.idle()).await;
            }
            gone.cancel();
        };
        tokio::pin!(serving);
        let served = tokio::select! {
            served = &mut serving => served,
            ((), ()) = futures::future::join(calls, draining) => {
                timeout(CANCEL_GRACE, serving).await.unwrap_or(Ok(()))
            }
        };
        Ok(served?)
    }

    /// What this worker says of itself.
    fn node(&self) -> impl Fn() -> WorkerNode + Send + Sync + 'static {
        let address = self.address.clone();
        let memory_bytes = self.options.memory_bytes as u64;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let (tasks, runtime) = (Arc::clone(self.service.tasks()), Arc::clone(&self.runtime));
        move || {
            let counts = tasks.counts();
            WorkerNode {
                address: address.clone(),
                build: BUILD.to_owned(),
                cores,
                memory_bytes,
                memory_used_bytes: runtime.memory_pool.reserved() as u64,
                running_tasks: counts.running as u64,
                is_draining: counts.is_draining,
            }
        }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("address", &self.address).finish_non_exhaustive()
    }
}
