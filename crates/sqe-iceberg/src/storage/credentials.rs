//! What is needed to reach S3: where it is, and the keys for one prefix.

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::Result;

/// Where an S3 store is and how it is spoken to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Endpoint {
    /// Address of the store; the one of AWS where none is given.
    pub url: Option<String>,
    /// Region; `us-east-1` where none is given.
    pub region: Option<String>,
    /// The bucket is the first part of the path instead of the host.
    pub path_style: bool,
}

/// Keys of an S3 store. Shows none of them.
#[derive(Clone)]
pub struct S3Keys {
    /// The access key id, which is no secret but is not shown either.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: SecretString,
    /// The token of a temporary session.
    pub session_token: Option<SecretString>,
    /// When they end; `None` where nobody said.
    pub expires_at: Option<SystemTime>,
}

impl fmt::Debug for S3Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Keys").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Access to everything below one prefix.
#[derive(Debug, Clone)]
pub struct S3Scope {
    /// A location such as `s3://bucket/warehouse/table`; a final slash says nothing.
    pub prefix: String,
    /// The store.
    pub endpoint: S3Endpoint,
    /// The keys.
    pub keys: S3Keys,
}

/// Hands out new keys when the old ones end.
#[async_trait]
pub trait KeySource: fmt::Debug + Send + Sync {
    /// The scopes with new keys. Errors: `Unauthenticated`, `Forbidden`, `Unavailable`.
    async fn renew(&self) -> Result<Vec<S3Scope>>;
}
