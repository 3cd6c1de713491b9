//! The store behind a table: one `object_store` for data and metadata, also where the `iceberg`
//! crate reads and writes metadata through its own trait.
//!
//! A table in S3 is read and written with keys of one user. [`location`] reads names, [`route`]
//! finds the scope whose keys are for a name, [`bucket`] and [`upload`] make requests and repeat
//! those whose keys are over, [`keys`] renews them, [`http`] sends, [`fault`] says what failed
//! without saying a secret, [`counters`] counts. [`files`] is for files that are of no table. Nothing
//! here decides who may read what.
//!
//! A storage reaches another node as a [`grant`], there it is opened again: files of that machine
//! only below the granted places, see [`confined`]. Plans name it by its number, see [`registry`].

mod adapter;
mod bucket;
mod confined;
mod counters;
mod credentials;
mod endpoint;
mod fault;
mod files;
mod grant;
mod http;
mod keys;
mod location;
mod registry;
mod route;
#[cfg(test)]
pub(crate) mod tests;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use iceberg::io::{FileIO, FileIOBuilder};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};

use crate::{Error, Result};
use bucket::Bucket;
use http::Limits;
use keys::{Clock, KeyRing, ScopeKeys};
use location::S3Location;
use route::{Routes, Scope};

pub use counters::describe_metrics;
pub(crate) use counters::{manifest_asked, manifest_bytes};
pub use credentials::{KeySource, S3Endpoint, S3Keys, S3Scope};
pub use fault::describe;
pub(crate) use fault::{kind_below, plain_kind};
pub use grant::StorageGrant;
pub(crate) use location::local_file;
pub use location::{S3_SCHEMES, is_below};
pub use registry::Storages;

/// A store and the way from an Iceberg location to a path in it.
///
/// Two users never share one, so what one may read says nothing about the other. Clones are the
/// same store.
#[derive(Clone)]
pub struct Storage {
    root: Arc<Root>,
    file_io: FileIO,
}

struct Root {
    id: u64,
    store: Arc<dyn ObjectStore>,
    names: Names,
}

enum Names {
    /// With the places that another node may be granted.
    Local(Vec<String>),
    S3(Routes),
}

impl Root {
    fn path(&self, location: &str) -> Result<Path> {
        match &self.names {
            Names::Local(_) => location::local_path(location),
            Names::S3(routes) => routes.path(location),
        }
    }
}

/// How an S3 store is spoken to.
struct Manners {
    limits: Limits,
    retry: RetryConfig,
    clock: Clock,
}

impl Default for Manners {
    fn default() -> Self {
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.,
        };
        // Well below the time for which a signature holds: attempts share one.
        let retry = RetryConfig { backoff, max_retries: 8, retry_timeout: Duration::from_secs(60) };
        Self { limits: Limits::default(), retry, clock: Arc::new(SystemTime::now) }
    }
}

impl Storage {
    /// The files of this machine, for this node alone: it can be granted to no other.
    pub fn local() -> Self {
        Self::local_below(Vec::new())
    }

    /// The files of this machine. Another node can be granted those at `prefixes` or below, such
    /// as the location of a table; here they say nothing.
    pub fn local_below(prefixes: Vec<String>) -> Self {
        let store = Arc::new(LocalFileSystem::new());
        Self::new(Root { id: new_id(), store, names: Names::Local(prefixes) })
    }

    /// The files of the table at `location` in S3, for one user. Asks nobody anything.
    ///
    /// A location belongs to the scope with the longest prefix; one outside of all scopes is
    /// refused. Keys are renewed by `renew` before they end, and before their first use where
    /// their id is empty or their end is past. `http` is spoken where a scope's endpoint says so.
    /// Errors: `Unsupported` and `InvalidArgument` for prefixes and endpoints that make no sense.
    pub fn s3(location: &str, scopes: Vec<S3Scope>, renew: Arc<dyn KeySource>) -> Result<Self> {
        let table = Some(S3Location::parse(location)?);
        Self::s3_with(new_id(), table, scopes, renew, Manners::default())
    }

    fn s3_with(
        id: u64,
        table: Option<S3Location>,
        scopes: Vec<S3Scope>,
        renew: Arc<dyn KeySource>,
        manners: Manners,
    ) -> Result<Self> {
        let placed = keys::with_prefixes(scopes)?;
        let ring = Arc::new(KeyRing::new(&placed, renew, manners.clock));
        let scopes = placed.into_iter().enumerate().map(|(index, (prefix, scope))| {
            let keys = ScopeKeys { ring: Arc::clone(&ring), scope: index };
            let (name, endpoint) = (prefix.bucket.clone(), &scope.endpoint);
            let client =
                endpoint::client(endpoint, &name, keys.clone(), manners.limits, &manners.retry)?;
            let bucket = Bucket { name, client, keys };
            let name = endpoint::name_of(endpoint)?;
            Ok(Scope { prefix, bucket, name, endpoint: scope.endpoint })
        });
        let routes = Routes::new(id, table, scopes.collect::<Result<_>>()?);
        Ok(Self::new(Root { id, store: Arc::new(routes.clone()), names: Names::S3(routes) }))
    }

    fn new(root: Root) -> Self {
        let root = Arc::new(root);
        Self { file_io: FileIOBuilder::new(Arc::new(adapter::factory(&root))).build(), root }
    }

    /// The number by which plans name it. No two storages have the same, whichever nodes opened
    /// them; the clones of one and what is opened from its grant do.
    pub fn id(&self) -> u64 {
        self.root.id
    }

    /// Whether the files are of this machine.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.root.names, Names::Local(_))
    }

    /// The store itself, whose paths are those of [`Storage::path`]. It is never to be registered
    /// where statements of other users look for stores: see [`scan_url`].
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.root.store
    }

    /// The same store as the `iceberg` crate wants it.
    pub fn file_io(&self) -> &FileIO {
        &self.file_io
    }

    /// The path of an Iceberg location in this store. Equal paths of two stores mean the same
    /// immutable file of the same table, so caches may be shared that know files by them.
    ///
    /// Errors: `Unsupported` for another scheme, `Forbidden` outside of all scopes.
    pub fn path(&self, location: &str) -> Result<Path> {
        self.root.path(location)
    }

    /// The location of a path of this store.
    pub fn location(&self, path: &Path) -> String {
        match &self.root.names {
            Names::Local(_) => format!("/{path}"),
            Names::S3(_) => Routes::location(path),
        }
    }

    /// What is below `location` as a store of its own, whose paths begin there.
    /// Errors: those of [`Storage::path`].
    pub fn below(&self, location: &str) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(PrefixStore::new(Arc::clone(self.store()), self.path(location)?)))
    }

    /// Reads a whole file.
    pub async fn read(&self, location: &str) -> Result<Bytes> {
        let path = self.path(location)?;
        let result = self.store().get(&path).await.map_err(|e| read_error(location, e))?;
        result.bytes().await.map_err(|e| read_error(location, e))
    }

    /// Writes a whole file.
    pub async fn write(&self, location: &str, bytes: Bytes) -> Result<()> {
        let path = self.path(location)?;
        self.store().put(&path, PutPayload::from_bytes(bytes)).await?;
        Ok(())
    }

    /// Deletes a file; one that is not there is no error.
    pub async fn delete(&self, location: &str) -> Result<()> {
        match self.store().delete(&self.path(location)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The address under which the engine looks for the store of a scan.
///
/// It is the same for all, and what is found there gives nothing: a scan brings its own store.
/// So no store of a user stays in a registry after his statement, or is found by another's.
pub fn scan_url(runtime: &RuntimeEnv) -> datafusion::common::Result<ObjectStoreUrl> {
    let url = ObjectStoreUrl::parse("sqe-table://scan")?;
    runtime.register_object_store(url.as_ref(), no_store());
    Ok(url)
}

/// The store behind [`scan_url`].
pub(crate) fn no_store() -> Arc<dyn ObjectStore> {
    Arc::new(Routes::new(0, None, Vec::new()))
}

/// A number that no other node comes upon: it is part of paths, by which every node that reads
/// them knows files.
fn new_id() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    high ^ low
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root.names {
            Names::Local(_) => f.write_str("Storage(local)"),
            Names::S3(routes) => f.debug_tuple("Storage").field(routes).finish(),
        }
    }
}

fn read_error(location: &str, error: object_store::Error) -> Error {
    if let Some((kind, at_place)) = describe(&error) {
        return Error::new(kind, format!("failed to read {at_place}"));
    }
    let converted = Error::from(error);
    Error::new(converted.kind(), format!("failed to read {location}")).with_source(converted)
}
