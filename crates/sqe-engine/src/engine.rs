//! What all sessions share: catalogs, memory, spill space.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqe_iceberg::catalog::Catalog;

use crate::session::{Identity, Session};
use crate::table_functions::FileAccess;
use crate::Result;

/// How an engine is set up.
#[derive(Debug)]
pub struct EngineOptions {
    /// Catalogs by their SQL name.
    pub catalogs: BTreeMap<String, Arc<dyn Catalog>>,
    /// The catalog of unqualified names; one of `catalogs`.
    pub default_catalog: String,
    /// Memory of all statements together, in bytes.
    pub memory_bytes: usize,
    /// Directory of spill files; the system's temporary directory where none is given.
    pub spill_dir: Option<PathBuf>,
    /// Disk space of all spill files together, in bytes.
    pub spill_bytes: u64,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// Memory of decoded manifests, in bytes.
    pub manifest_cache_bytes: u64,
    /// What `read_parquet` and its like may read.
    pub file_access: FileAccess,
}

/// The engine of a process. Clones share it.
#[derive(Debug, Clone)]
pub struct Engine {
    options: Arc<EngineOptions>,
}

impl Engine {
    /// An engine over `options`. Errors: a spill directory that cannot be made.
    pub fn new(options: EngineOptions) -> Result<Self> {
        Ok(Self { options: Arc::new(options) })
    }

    /// A new session.
    pub fn session(&self, identity: Identity) -> Session {
        Session::new(self.clone(), identity)
    }
}
