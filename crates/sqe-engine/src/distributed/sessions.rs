//! Where a worker runs tasks: sessions with the functions and settings of the coordinator's, and the
//! stores that came with the task.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::error::Result;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion_distributed::DistributedExt;
use sqe_exchange::Grant;
use sqe_exchange::client::Exchange;
use sqe_exchange::server::{OpenedTask, Renewal, TaskSessions};
use sqe_iceberg::storage::{KeySource, S3Scope, Storage, StorageGrant, Storages};

use crate::codec::PlanCodec;
use crate::{Error, ErrorKind, cooperation, functions, rewrites};

/// Makes the sessions of tasks.
#[derive(Debug)]
pub struct WorkerSessions {
    /// The way to other workers.
    pub exchange: Exchange,
    /// Whether tasks may read files of this machine.
    pub allow_local_paths: bool,
}

#[async_trait]
impl TaskSessions for WorkerSessions {
    async fn session(
        &self,
        mut builder: SessionStateBuilder,
        task: OpenedTask,
    ) -> Result<SessionState> {
        let OpenedTask { query, grants, renewal } = task;
        let storages = grants.iter().map(|grant| self.open(grant, Arc::clone(&renewal)));
        let storages: Storages = storages.collect::<crate::Result<_>>()?;
        let config = builder.config().get_or_insert_default();
        for (key, value) in &query.options {
            config.options_mut().set(key, value)?;
        }
        config.set_extension(Arc::new(storages));
        config.set_extension(query);
        let mut state = builder
            .with_distributed_user_codec(PlanCodec)
            .with_distributed_channel_resolver(self.exchange.clone())
            .with_physical_optimizer_rules(cooperation::rules())
            .build();
        rewrites::register_functions(&mut state)?;
        functions::register(&mut state)?;
        Ok(state)
    }
}

impl WorkerSessions {
    fn open(&self, grant: &Grant, renewal: Arc<Renewal>) -> crate::Result<Storage> {
        let id = grant.storage;
        let grant = StorageGrant::decode(&grant.bytes)?;
        if grant.is_local() && !self.allow_local_paths {
            let message = "this worker reads no files of its machine";
            return Err(Error::new(ErrorKind::PermissionDenied, message)
                .with_hint("worker.allow_local_paths allows it"));
        }
        Ok(Storage::open(grant, Arc::new(FromCoordinator { id, renewal }))?)
    }
}

/// New keys by way of the coordinator, which asks the catalog as the user.
#[derive(Debug)]
struct FromCoordinator {
    id: u64,
    renewal: Arc<Renewal>,
}

#[async_trait]
impl KeySource for FromCoordinator {
    async fn renew(&self) -> sqe_iceberg::Result<Vec<S3Scope>> {
        let grant = self.renewal.renew(self.id).await.map_err(|error| {
            let error = Error::from(error);
            sqe_iceberg::Error::new(sqe_iceberg::ErrorKind::Unavailable, error.to_string())
        })?;
        Ok(StorageGrant::decode(&grant)?.into_scopes())
    }
}
