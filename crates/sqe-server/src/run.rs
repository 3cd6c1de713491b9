//! The life of a server: bind, announce, serve, drain.

use std::net::SocketAddr;
use std::path::PathBuf;

use futures::FutureExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use sqe_coordinator::{Coordinator, ServeError};
use sqe_worker::WorkerError;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::args::Role;
use crate::config::Config;
use crate::doubts::doubts;
use crate::http::{self, Readiness};
use crate::{nodes, wire};

/// Why a server could not start or had to stop; each is one line.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StartError {
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
    #[error("cannot listen on {address} for {purpose}: {source}")]
    Bind { address: SocketAddr, purpose: &'static str, source: std::io::Error },
    #[error("cannot handle signals: {0}")]
    Signal(std::io::Error),
    #[error("{section}: {reason}")]
    Catalog { section: String, reason: String },
    #[error("table_functions.allowed_prefixes: {0}")]
    Files(String),
    #[error("{key}: cannot read {}: {source}", path.display())]
    File { key: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Engine(String),
    #[error("cannot set up metrics: {0}")]
    Metrics(String),
    #[error("the HTTP listener failed: {0}")]
    Http(std::io::Error),
    #[error("distributed.fragment_keys: {0}")]
    FragmentKeys(String),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// Runs the server until a signal asks it to stop.
pub async fn run(config: Config, role: Role) -> Result<(), StartError> {
    let metrics = PrometheusBuilder::new().install_recorder();
    let metrics = metrics.map_err(|error| StartError::Metrics(error.to_string()))?;
    sqe_iceberg::storage::describe_metrics();
    let http = bind(config.http_address(), "HTTP").await?;
    let stop = stop_on_signal()?;
    let (serving, flight) = match role {
        Role::Worker => {
            let listener = bind(config.worker_address(), "tasks").await?;
            let address = local_address(&listener, config.worker_address());
            let worker = nodes::worker(&config, address)?;
            let stop = stop.clone();
            let serving = async move { Ok(worker.serve(listener, stop).await?) };
            (serving.boxed(), address)
        }
        Role::Standalone | Role::Coordinator => {
            let listener = bind(config.flight_address(), "Flight SQL").await?;
            let address = local_address(&listener, config.flight_address());
            let engine = wire::engine(&config, role).await?;
            let coordinator = Coordinator::new(engine, wire::coordinator(&config)?)?;
            let stop = stop.clone();
            let serving = async move {
                let served = coordinator.serve(listener, stop).await;
                sqe_iceberg::write::wait_for_cleanup().await;
                Ok(served?)
            };
            (serving.boxed(), address)
        }
    };
    for doubt in doubts(&config, role) {
        warn!("{doubt}");
    }

    let readiness = Readiness::default();
    readiness.set(true);
    eprintln!("http on {}", local_address(&http, config.http_address()));
    eprintln!("listening on {flight}");

    // Health is answered until the last statement has ended.
    let http_stop = CancellationToken::new();
    let serving = async {
        let served: Result<(), StartError> = serving.await;
        http_stop.cancel();
        served
    };
    let not_ready = async {
        stop.cancelled().await;
        readiness.set(false);
    };
    let health = http::serve(http, readiness.clone(), metrics, http_stop.clone());
    let (served, health, ()) =
        tokio::join!(serving, health, not_ready_or_end(not_ready, &http_stop));
    served?;
    health.map_err(StartError::Http)?;
    info!("stopped");
    Ok(())
}

/// A listener that fails ends the server without a signal.
async fn not_ready_or_end(not_ready: impl Future<Output = ()>, end: &CancellationToken) {
    tokio::select! {
        () = not_ready => {}
        () = end.cancelled() => {}
    }
}

async fn bind(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Bind { address, purpose, source })
}

fn local_address(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

/// A token that SIGINT or SIGTERM cancels.
fn stop_on_signal() -> Result<CancellationToken, StartError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signal)?;
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    let watch = async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        cancel.cancel();
        info!(signal = name, "stopping");
    };
    #[expect(clippy::disallowed_methods, reason = "lives as long as the process")]
    tokio::spawn(watch);
    Ok(stop)
}
