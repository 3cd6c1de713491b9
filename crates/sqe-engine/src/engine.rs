//! What all sessions share: catalogs, functions, memory, spill space.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use sqe_iceberg::cache::ManifestCache;
use sqe_iceberg::catalog::Catalog;

use crate::catalogs::Catalogs;
use crate::memory::BoundedPool;
use crate::session::{Identity, Session};
use crate::table_functions::FileAccess;
use crate::{Error, ErrorKind, Result, cooperation, functions, rewrites};

/// The schema of unqualified names in a new session.
pub const DEFAULT_SCHEMA: &str = "main";

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
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    catalogs: Catalogs,
    /// The state that every session starts from.
    state: SessionState,
    file_access: FileAccess,
    statement_timeout: Duration,
}

impl Engine {
    /// An engine over `options`. Errors: a spill directory that cannot be made.
    pub fn new(options: EngineOptions) -> Result<Self> {
        let mode = match &options.spill_dir {
            Some(dir) => {
                std::fs::create_dir_all(dir).map_err(|error| {
                    let message = format!("spill directory {}: {error}", dir.display());
                    Error::new(ErrorKind::Unavailable, message)
                })?;
                DiskManagerMode::Directories(vec![dir.clone()])
            }
            None => DiskManagerMode::OsTmpDirectory,
        };
        let disk = DiskManagerBuilder::default()
            .with_mode(mode)
            .with_max_temp_directory_size(options.spill_bytes);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(BoundedPool::new(options.memory_bytes)))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let mut state = SessionStateBuilder::new()
            .with_config(session_config(&options.default_catalog))
            .with_runtime_env(runtime)
            .with_default_features()
            .with_physical_optimizer_rules(cooperation::rules())
            .build();
        rewrites::register(&mut state)?;
        functions::register(&mut state)?;
        let manifests = ManifestCache::new(options.manifest_cache_bytes);
        let shared = Shared {
            catalogs: Catalogs::new(options.catalogs, manifests),
            state,
            file_access: options.file_access,
            statement_timeout: options.statement_timeout,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A new session.
    pub fn session(&self, identity: Identity) -> Session {
        Session::new(self.clone(), identity)
    }

    pub(crate) fn catalogs(&self) -> &Catalogs {
        &self.shared.catalogs
    }

    pub(crate) fn state(&self) -> &SessionState {
        &self.shared.state
    }

    pub(crate) fn file_access(&self) -> &FileAccess {
        &self.shared.file_access
    }

    pub(crate) fn statement_timeout(&self) -> Duration {
        self.shared.statement_timeout
    }
}

fn session_config(default_catalog: &str) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(default_catalog, DEFAULT_SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true);
    let options = config.options_mut();
    options.sql_parser.collect_spans = true;
    config
}
