//! HTTP/2 connections to workers, kept for all queries.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow_flight::flight_service_client::FlightServiceClient;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::address::WorkerAddress;
use crate::transport::{self, MAX_MESSAGE};

/// Connections to one worker. One alone is limited by the window and the core of its reader.
const PER_WORKER: usize = 2;

/// How a node shows who it is to workers, and knows them. Files are read for each connection.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// Certificates of the authorities that sign those of workers, PEM.
    pub ca: PathBuf,
    /// This node's certificate and key, PEM, where workers ask for them.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The connections of a process to workers.
#[derive(Debug)]
pub(super) struct Connections {
    tls: Option<ClientTls>,
    open: Mutex<HashMap<String, Pool>>,
}

#[derive(Debug, Default)]
struct Pool {
    channels: Vec<Channel>,
    next: AtomicUsize,
}

impl Connections {
    pub(super) fn new(tls: Option<ClientTls>) -> Self {
        Self { tls, open: Mutex::default() }
    }

    /// A client for `worker`. It connects with its first request, and again after a failure.
    ///
    /// Errors: a sentence that says which file cannot be used.
    pub(super) async fn client(
        &self,
        worker: &WorkerAddress,
    ) -> Result<FlightServiceClient<Channel>, String> {
        let origin = worker.origin();
        let known = self.with_pool(&origin, |pool| match pool.channels.len() {
            PER_WORKER => {
                let next = pool.next.fetch_add(1, Ordering::Relaxed);
                Some(pool.channels[next % PER_WORKER].clone())
            }
            _ => None,
        });
        let channel = match known {
            Some(channel) => channel,
            None => {
                let channel = endpoint(&origin, self.tls.as_ref()).await?.connect_lazy();
                self.with_pool(&origin, |pool| pool.channels.push(channel.clone()));
                channel
            }
        };
        Ok(FlightServiceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE))
    }

    /// The next request opens a new connection, because what was learned of the old one may no
    /// longer be so, such as the certificates.
    pub(super) fn forget(&self, worker: &WorkerAddress) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&worker.origin());
    }

    fn with_pool<T>(&self, origin: &str, change: impl FnOnce(&mut Pool) -> T) -> T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        change(open.entry(origin.to_owned()).or_default())
    }
}

/// Where a node is and how it is spoken to. Errors: a sentence that says which file cannot be used.
pub(crate) async fn endpoint(origin: &str, tls: Option<&ClientTls>) -> Result<Endpoint, String> {
    let endpoint = Endpoint::from_shared(origin.to_owned());
    let endpoint = transport::connecting(endpoint.map_err(|error| format!("{origin}: {error}"))?);
    let Some(tls) = tls else { return Ok(endpoint) };
    let read = async |path: &PathBuf| {
        let read = tokio::fs::read(path).await;
        read.map_err(|error| format!("{}: {error}", path.display()))
    };
    let mut config =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&tls.ca).await?));
    if let Some((certificate, key)) = &tls.identity {
        let identity = Identity::from_pem(read(certificate).await?, read(key).await?);
        config = config.identity(identity);
    }
    endpoint.tls_config(config).map_err(|error| format!("TLS to {origin}: {error}"))
}
