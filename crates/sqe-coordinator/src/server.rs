//! The listener: gRPC settings, TLS, and the order of a shutdown.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use sqe_engine::Engine;
use sqe_exchange::tls::Certificates;
use tokio::net::TcpListener;
use tokio::time::{Instant, interval, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tracing::{info, warn};

use crate::connection;
use crate::flight::{Front, Service};
use crate::options::CoordinatorOptions;

/// Drivers and proxies add headers freely; the default of 16 KiB is too little for some.
const MAX_HEADER_BYTES: u32 = 64 << 10;
/// Finds clients that vanished without closing their connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How often sessions whose time is over are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How often a drain says what it waits for.
const DRAIN_LOG_INTERVAL: Duration = Duration::from_secs(5);
/// How long cancelled statements may take to tell their clients.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// Why a coordinator could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A certificate or key that cannot be used.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// A way to log in that cannot be set up.
    #[error("cannot set up logins: {0}")]
    Auth(#[from] sqe_engine::Error),
    /// The transport failed.
    #[error("the Flight SQL listener failed: {0}")]
    Transport(#[source] tonic::transport::Error),
}

/// A Flight SQL server that is ready to serve.
#[derive(Debug)]
pub struct Coordinator {
    service: Arc<Service>,
    transport: Server,
    tls: Option<Certificates>,
}

impl Coordinator {
    /// A coordinator over `engine`. Errors: certificates or a key that cannot be used.
    pub fn new(engine: Engine, options: CoordinatorOptions) -> Result<Self, ServeError> {
        let tls = options.tls.as_ref().map(Certificates::load).transpose();
        let tls = tls.map_err(ServeError::Tls)?;
        let transport = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .http2_max_header_list_size(MAX_HEADER_BYTES);
        let service = Arc::new(Service::new(engine, options)?);
        Ok(Self { service, transport, tls })
    }

    /// Serves `listener` until `shutdown` is cancelled: then nothing new is accepted, running
    /// statements may finish for the drain timeout, and what still runs is cancelled.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let service = Arc::clone(&self.service);
        let front = FlightServiceServer::new(Front::new(self.service))
            .max_decoding_message_size(service.options.max_message_bytes);
        let incoming = connection::incoming(listener, Arc::clone(&service.sessions));
        let router = self.transport.add_service(front);
        let stopped = shutdown.clone().cancelled_owned();
        let serving = async {
            match self.tls {
                Some(tls) => {
                    router.serve_with_incoming_shutdown(tls.accept(incoming), stopped).await
                }
                None => router.serve_with_incoming_shutdown(incoming, stopped).await,
            }
        };
        tokio::pin!(serving);

        let served = tokio::select! {
            served = &mut serving => served,
            () = sweep_forever(&service) => Ok(()),
            () = drain(&service, shutdown) => {
                service.stop.cancel();
                // A client that does not read cannot hold up the end.
                timeout(CANCEL_GRACE, serving).await.unwrap_or(Ok(()))
            }
        };
        service.stop.cancel();
        served.map_err(ServeError::Transport)
    }
}

/// Returns when the time of statements that run at the shutdown is over.
async fn drain(service: &Service, shutdown: CancellationToken) {
    shutdown.cancelled().await;
    let limit = service.options.drain_timeout;
    info!(statements = service.sessions.running(), timeout = ?limit, "draining");
    let progress = async {
        let mut ticks = interval_at(Instant::now() + DRAIN_LOG_INTERVAL, DRAIN_LOG_INTERVAL);
        loop {
            ticks.tick().await;
            info!(statements = service.sessions.running(), "still draining");
        }
    };
    tokio::select! {
        () = sleep(limit) => {}
        () = progress => {}
    }
    let statements = service.sessions.running();
    warn!(statements, "the drain timeout is over, cancelling what still runs");
}

async fn sweep_forever(service: &Service) {
    let mut ticks = interval(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        service.sessions.sweep(Instant::now());
    }
}
