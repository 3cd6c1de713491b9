//! Files in S3 that are of no table, read with keys that never change.

use std::sync::Arc;

use async_trait::async_trait;

use super::credentials::{KeySource, S3Endpoint, S3Keys, S3Scope};
use super::{Manners, Storage, new_id};
use crate::Result;

impl Storage {
    /// The files below `prefixes` in S3, with the same keys for all. Asks nobody anything.
    ///
    /// A location outside of all prefixes is refused before any request. Paths of two such stores
    /// are never equal, nor are they those of tables: such files may change.
    /// Errors: `Unsupported` and `InvalidArgument` for prefixes and endpoints that make no sense.
    pub fn s3_files(prefixes: &[String], endpoint: &S3Endpoint, keys: &S3Keys) -> Result<Self> {
        let scope = |prefix: &String| S3Scope {
            prefix: prefix.clone(),
            endpoint: endpoint.clone(),
            keys: keys.clone(),
        };
        let scopes = prefixes.iter().map(scope).collect::<Vec<_>>();
        let same = Arc::new(SameKeys(scopes.clone()));
        Self::s3_with(new_id(), None, scopes, same, Manners::default())
    }
}

/// Keys that an operator set: there are no others.
#[derive(Debug)]
struct SameKeys(Vec<S3Scope>);

#[async_trait]
impl KeySource for SameKeys {
    async fn renew(&self) -> Result<Vec<S3Scope>> {
        Ok(self.0.clone())
    }
}
