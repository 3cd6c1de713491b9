//! From a configuration to the parts that make a process a node among others.

use std::net::SocketAddr;

use secrecy::ExposeSecret;
use sqe_engine::{Cluster, ClusterOptions};
use sqe_exchange::FragmentKeys;
use sqe_exchange::client::ClientTls;
use sqe_exchange::tls::TlsOptions;
use sqe_worker::{BUILD, Worker, WorkerOptions};

use crate::config::{Config, DistributedConfig};
use crate::run::StartError;

/// The workers that may join a coordinator.
pub(crate) fn cluster(config: &Config) -> Result<Cluster, StartError> {
    let distributed = &config.distributed;
    Ok(Cluster::new(ClusterOptions {
        keys: keys(distributed)?,
        build: BUILD.to_owned(),
        tls: client_tls(distributed),
        require_workers: distributed.require_workers,
        bytes_per_task: distributed.bytes_per_task.as_u64(),
        connection_buffer_bytes: bytes(distributed.connection_buffer.as_u64()),
    }))
}

/// The worker of a configuration, which will listen at `address`.
pub(crate) fn worker(config: &Config, address: SocketAddr) -> Result<Worker, StartError> {
    let (distributed, worker) = (&config.distributed, &config.worker);
    let scheme = if distributed.cert.is_some() { "https" } else { "http" };
    let advertise_url = match &worker.advertise_url {
        Some(address) => address.text().to_owned(),
        None => format!("{scheme}://{address}"),
    };
    let coordinators = worker.coordinator_urls.iter().map(|address| address.text().to_owned());
    let coordinators: Vec<String> = coordinators.collect();
    let is_loopback = worker.listen_address.is_loopback();
    Ok(Worker::new(WorkerOptions {
        keys: keys(distributed)?,
        advertise_url,
        tls: listener_tls(distributed),
        node_tls: client_tls(distributed),
        // Only an address of https is spoken to with TLS.
        coordinator_tls: client_tls(distributed),
        coordinators,
        memory_bytes: bytes(worker.memory_limit.as_u64()),
        spill_dir: worker.spill_dir.clone(),
        spill_bytes: worker.spill.as_u64(),
        max_running_tasks: usize::try_from(worker.max_running_tasks).unwrap_or(usize::MAX),
        allow_local_paths: worker.allow_local_paths.unwrap_or(is_loopback),
        drain_timeout: config.limits.drain_timeout.0,
    })?)
}

fn bytes(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn keys(config: &DistributedConfig) -> Result<FragmentKeys, StartError> {
    let file = config.fragment_keys_file.as_deref();
    let from_file = crate::wire::secret(None, "distributed.fragment_keys_file", file)?;
    let keys: Vec<_> = match &from_file {
        Some(text) => text.expose_secret().lines().map(Into::into).collect(),
        None => config.fragment_keys.iter().map(|key| key.expose().into()).collect(),
    };
    FragmentKeys::parse(&keys).map_err(StartError::FragmentKeys)
}

fn client_tls(config: &DistributedConfig) -> Option<ClientTls> {
    let identity = config.cert.clone().zip(config.key.clone());
    config.ca.clone().map(|ca| ClientTls { ca, identity })
}

fn listener_tls(config: &DistributedConfig) -> Option<TlsOptions> {
    let (cert, key) = config.cert.clone().zip(config.key.clone())?;
    Some(TlsOptions { cert, key, client_ca: config.ca.clone() })
}
