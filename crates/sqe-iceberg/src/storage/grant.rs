//! What another node needs to open a storage: the places and the keys, as bytes.
//!
//! The bytes hold secrets. Whoever sends them seals them first.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;
use secrecy::ExposeSecret;
use secrecy::zeroize::{Zeroize, Zeroizing};

use super::confined::Confined;
use super::{KeySource, Manners, Names, Root, S3Endpoint, S3Keys, S3Location, S3Scope, Storage};
use crate::{Error, ErrorKind, Result};

/// The right to open a storage on another node. Shows no keys.
#[derive(Clone)]
pub struct StorageGrant {
    id: u64,
    reach: Reach,
}

#[derive(Clone)]
enum Reach {
    Local(Vec<String>),
    S3 { table: Option<String>, scopes: Vec<S3Scope> },
}

impl Storage {
    /// What another node needs to open this storage. Keys are renewed first where it is time.
    ///
    /// Errors: those of [`KeySource::renew`]; `Unsupported` for files of this machine that are of
    /// no place in particular.
    pub async fn grant(&self) -> Result<StorageGrant> {
        let routes = match &self.root.names {
            Names::Local(prefixes) if prefixes.is_empty() => {
                return Err(Error::unsupported("files of one node cannot be read on others"));
            }
            Names::Local(prefixes) => return Ok(StorageGrant::local(self.id(), prefixes.clone())),
            Names::S3(routes) => routes,
        };
        let mut scopes = Vec::with_capacity(routes.scopes().len());
        for scope in routes.scopes() {
            let keys = &scope.bucket.keys;
            scopes.push(S3Scope {
                prefix: scope.prefix.to_string(),
                endpoint: scope.endpoint.clone(),
                keys: keys.ring.fresh(keys.scope).await?,
            });
        }
        let table = routes.table().map(S3Location::to_string);
        Ok(StorageGrant::s3(self.id(), table, scopes))
    }

    /// Opens what another node granted, under the same number and with the same paths. Asks nobody
    /// anything.
    ///
    /// Keys are renewed by `renew`, as in [`Storage::s3`]. Files of this machine are reached only
    /// below the granted places, wherever links lead; whether that is wanted at all is for the
    /// caller to say, see [`StorageGrant::is_local`].
    /// Errors: `Unsupported` and `InvalidArgument` for places that make no sense.
    pub fn open(grant: StorageGrant, renew: Arc<dyn KeySource>) -> Result<Self> {
        Self::open_with(grant, renew, Manners::default())
    }

    pub(super) fn open_with(
        grant: StorageGrant,
        renew: Arc<dyn KeySource>,
        manners: Manners,
    ) -> Result<Self> {
        let StorageGrant { id, reach } = grant;
        match reach {
            Reach::Local(prefixes) => {
                let store = Arc::new(Confined::new(&prefixes)?);
                Ok(Self::new(Root { id, store, names: Names::Local(prefixes) }))
            }
            Reach::S3 { table, scopes } => {
                let table = table.as_deref().map(S3Location::parse).transpose()?;
                Self::s3_with(id, table, scopes, renew, manners)
            }
        }
    }
}

impl StorageGrant {
    pub(crate) fn local(id: u64, prefixes: Vec<String>) -> Self {
        Self { id, reach: Reach::Local(prefixes) }
    }

    pub(super) fn s3(id: u64, table: Option<String>, scopes: Vec<S3Scope>) -> Self {
        Self { id, reach: Reach::S3 { table, scopes } }
    }

    /// The number of the storage.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether it is for files of the machine itself, which a worker opens only if it may.
    pub fn is_local(&self) -> bool {
        matches!(self.reach, Reach::Local(_))
    }

    /// The locations below which files are reached.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        let (local, scopes) = match &self.reach {
            Reach::Local(prefixes) => (prefixes.as_slice(), [].as_slice()),
            Reach::S3 { scopes, .. } => ([].as_slice(), scopes.as_slice()),
        };
        let scopes = scopes.iter().map(|scope| scope.prefix.as_str());
        local.iter().map(String::as_str).chain(scopes)
    }

    /// The scopes with their keys, for whoever renews those of an opened storage.
    pub fn into_scopes(self) -> Vec<S3Scope> {
        match self.reach {
            Reach::Local(_) => Vec::new(),
            Reach::S3 { scopes, .. } => scopes,
        }
    }

    /// As bytes, keys among them; they are overwritten when dropped.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let message = match &self.reach {
            Reach::Local(prefixes) => GrantMessage {
                id: self.id,
                is_local: true,
                prefixes: prefixes.clone(),
                ..GrantMessage::default()
            },
            Reach::S3 { table, scopes } => GrantMessage {
                id: self.id,
                table: table.clone(),
                scopes: scopes.iter().map(ScopeMessage::of).collect(),
                ..GrantMessage::default()
            },
        };
        Zeroizing::new(message.encode_to_vec())
    }

    /// From the bytes of [`StorageGrant::encode`]. Errors: `Internal` for others.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let message = GrantMessage::decode(bytes).map_err(|_| malformed())?;
        let GrantMessage { id, is_local, prefixes, table, scopes } = message;
        if is_local {
            return Ok(Self::local(id, prefixes));
        }
        let scopes = scopes.into_iter().map(ScopeMessage::into_scope);
        Ok(Self::s3(id, table, scopes.collect::<Result<_>>()?))
    }
}

impl fmt::Debug for StorageGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefixes: Vec<&str> = self.prefixes().collect();
        f.debug_struct("StorageGrant").field("id", &self.id).field("prefixes", &prefixes).finish()
    }
}

fn malformed() -> Error {
    Error::new(ErrorKind::Internal, "the bytes are not those of a grant")
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct GrantMessage {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(bool, tag = "2")]
    is_local: bool,
    #[prost(string, repeated, tag = "3")]
    prefixes: Vec<String>,
    #[prost(string, optional, tag = "4")]
    table: Option<String>,
    #[prost(message, repeated, tag = "5")]
    scopes: Vec<ScopeMessage>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct ScopeMessage {
    #[prost(string, tag = "1")]
    prefix: String,
    #[prost(string, optional, tag = "2")]
    url: Option<String>,
    #[prost(string, optional, tag = "3")]
    region: Option<String>,
    #[prost(bool, tag = "4")]
    path_style: bool,
    #[prost(string, tag = "5")]
    access_key_id: String,
    #[prost(string, tag = "6")]
    secret_access_key: String,
    #[prost(string, optional, tag = "7")]
    session_token: Option<String>,
    /// Nanoseconds since 1970, which last until the year 2554.
    #[prost(uint64, optional, tag = "8")]
    expires_at: Option<u64>,
}

impl ScopeMessage {
    fn of(scope: &S3Scope) -> Self {
        let S3Scope { prefix, endpoint, keys } = scope;
        let nanos = |end: SystemTime| {
            let since = end.duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        };
        Self {
            prefix: prefix.clone(),
            url: endpoint.url.clone(),
            region: endpoint.region.clone(),
            path_style: endpoint.path_style,
            access_key_id: keys.access_key_id.clone(),
            secret_access_key: keys.secret_access_key.expose_secret().to_owned(),
            session_token: keys
                .session_token
                .as_ref()
                .map(|token| token.expose_secret().to_owned()),
            expires_at: keys.expires_at.map(nanos),
        }
    }

    fn into_scope(mut self) -> Result<S3Scope> {
        let after = |nanos| UNIX_EPOCH.checked_add(Duration::from_nanos(nanos));
        let expires_at = match self.expires_at {
            Some(nanos) => Some(after(nanos).ok_or_else(malformed)?),
            None => None,
        };
        Ok(S3Scope {
            prefix: std::mem::take(&mut self.prefix),
            endpoint: S3Endpoint {
                url: self.url.take(),
                region: self.region.take(),
                path_style: self.path_style,
            },
            keys: S3Keys {
                access_key_id: std::mem::take(&mut self.access_key_id),
                secret_access_key: std::mem::take(&mut self.secret_access_key).into(),
                session_token: self.session_token.take().map(Into::into),
                expires_at,
            },
        })
    }
}

impl Drop for ScopeMessage {
    fn drop(&mut self) {
        self.secret_access_key.zeroize();
        self.session_token.zeroize();
    }
}

impl fmt::Debug for GrantMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantMessage").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for ScopeMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeMessage").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
