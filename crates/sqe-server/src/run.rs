//! The life of a server: bind, announce, serve, drain.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{CatalogKind, Config};
use crate::http::{self, Readiness};

/// Why a server could not start or had to stop; each is one line.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StartError {
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
    #[error("cannot listen on {address} for {purpose}: {source}")]
    Bind {
        address: SocketAddr,
        purpose: &'static str,
        source: std::io::Error,
    },
    #[error("cannot handle signals: {0}")]
    Signal(std::io::Error),
    #[error("{section}: catalogs of type \"rest\" cannot be used by this version yet")]
    RestCatalog { section: String },
    #[error("the HTTP listener failed: {0}")]
    Http(std::io::Error),
}

/// Runs the server until a signal asks it to stop.
pub async fn run(config: Config) -> Result<(), StartError> {
    refuse_unbuilt(&config)?;
    let http = bind(config.http_address(), "HTTP").await?;
    let stop = stop_on_signal()?;
    warn_about_plaintext(&config);

    let readiness = Readiness::default();
    readiness.set(true);
    eprintln!(
        "http listening on {}",
        local_address(&http, config.http_address())
    );
    let served = http::serve(http, readiness.clone(), stop).await;
    readiness.set(false);
    served.map_err(StartError::Http)?;
    info!("stopped");
    Ok(())
}

fn refuse_unbuilt(config: &Config) -> Result<(), StartError> {
    for (section, catalog) in config.all_catalogs() {
        if catalog.effective_kind() == CatalogKind::Rest {
            return Err(StartError::RestCatalog { section });
        }
    }
    Ok(())
}

fn warn_about_plaintext(config: &Config) {
    let address = config.flight_address();
    if !address.ip().is_loopback() && config.tls.cert.is_none() {
        warn!(%address, "clients connect without TLS: passwords, tokens and rows travel in the clear");
    }
}

async fn bind(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Bind {
            address,
            purpose,
            source,
        })
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
