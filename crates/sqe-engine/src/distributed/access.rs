//! The keys of the stores that a query reads, for its tasks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use sqe_exchange::{Grant, Renewals};
use sqe_iceberg::storage::Storage;

use crate::{Error, codec};

/// The stores of one query, which the coordinator opened as its user.
#[derive(Debug, Default)]
pub(super) struct Access {
    stores: Mutex<HashMap<u64, Storage>>,
}

impl Access {
    fn stores(&self) -> MutexGuard<'_, HashMap<u64, Storage>> {
        // It is changed by whole entries only.
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Renewals for Access {
    async fn grants(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<Grant>> {
        let mut grants = Vec::new();
        for storage in codec::storages_of(plan) {
            let grant = storage.grant().await.map_err(Error::from)?;
            grants.push(Grant { storage: storage.id(), bytes: grant.encode().to_vec() });
            self.stores().insert(storage.id(), storage);
        }
        Ok(grants)
    }

    async fn renew(&self, storage: u64) -> Result<Vec<u8>> {
        let known = self.stores().get(&storage).cloned();
        let Some(storage) = known else {
            return Err(internal_datafusion_err!("keys are asked for a store that is not read"));
        };
        Ok(storage.grant().await.map_err(Error::from)?.encode().to_vec())
    }
}
