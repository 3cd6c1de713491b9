//! What all sessions share: catalogs, functions, memory, spill space.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use sqe_iceberg::cache::ManifestCache;
use sqe_iceberg::catalog::CatalogSource;

use crate::catalogs::Catalogs;
use crate::distributed::Cluster;
use crate::memory::BoundedPool;
use crate::runtime::Ledger;
use crate::session::{Identity, Session};
use crate::{Error, ErrorKind, FileAccess, Result, cooperation, functions, rewrites};

/// How an engine is set up.
#[derive(Debug)]
pub struct EngineOptions {
    /// Catalogs by their SQL name; each session opens them for its user.
    pub catalogs: BTreeMap<String, Arc<dyn CatalogSource>>,
    /// The catalog of unqualified names; one of `catalogs`.
    pub default_catalog: String,
    /// The schema of unqualified names in a new session.
    pub default_schema: String,
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
    /// Which files outside of tables statements may reach.
    pub file_access: FileAccess,
    /// Workers that share the work; none where this process does it all.
    pub cluster: Option<Arc<Cluster>>,
    /// Users who see the statements of all others and may end them.
    pub operators: Vec<String>,
}

/// The engine of a process. Clones share it.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    catalogs: BTreeMap<String, Arc<dyn CatalogSource>>,
    manifests: ManifestCache,
    /// The state that every session starts from.
    state: SessionState,
    file_access: FileAccess,
    statement_timeout: Duration,
    cluster: Option<Arc<Cluster>>,
    operators: Vec<String>,
    ledger: Ledger,
}

impl Engine {
    /// An engine over `options`. Errors: a spill directory that cannot be made.
    pub fn new(options: EngineOptions) -> Result<Self> {
        let spill_dir = options.spill_dir.as_deref();
        let runtime = runtime(options.memory_bytes, spill_dir, options.spill_bytes)?;
        let mut state = SessionStateBuilder::new()
            .with_config(session_config(&options))
            .with_runtime_env(runtime)
            .with_default_features()
            .with_analyzer_rules(rewrites::analyzer_rules())
            .with_physical_optimizer_rules(cooperation::rules())
            .build();
        rewrites::register(&mut state)?;
        functions::register(&mut state)?;
        let shared = Shared {
            catalogs: options.catalogs,
            manifests: ManifestCache::new(options.manifest_cache_bytes),
            state,
            file_access: options.file_access,
            statement_timeout: options.statement_timeout,
            cluster: options.cluster,
            operators: options.operators,
            ledger: Ledger::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A new session.
    pub fn session(&self, identity: Identity) -> Session {
        Session::new(self.clone(), identity)
    }

    /// The workers that share the work.
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.shared.cluster.as_ref()
    }

    /// The catalogs as a user sees them.
    pub(crate) fn open_catalogs(&self, user: &Identity) -> Catalogs {
        let opened = self.shared.catalogs.iter();
        let opened =
            opened.map(|(name, source)| (name.clone(), source.open(Arc::clone(&user.tokens))));
        Catalogs::new(opened.collect(), self.shared.manifests.clone())
    }

    /// The statements of this process.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Whether a user sees the statements of all others.
    pub(crate) fn is_operator(&self, user: &str) -> bool {
        self.shared.operators.iter().any(|operator| operator == user)
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

/// Memory, spill directory and caches of a process. Errors: a spill directory that cannot be made.
pub fn runtime(
    memory_bytes: usize,
    spill_dir: Option<&Path>,
    spill_bytes: u64,
) -> Result<Arc<RuntimeEnv>> {
    let mode = match spill_dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(|error| {
                let message = format!("spill directory {}: {error}", dir.display());
                Error::new(ErrorKind::Unavailable, message)
            })?;
            DiskManagerMode::Directories(vec![dir.to_owned()])
        }
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk =
        DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(spill_bytes);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(BoundedPool::new(memory_bytes)))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    Ok(runtime)
}

fn session_config(options: &EngineOptions) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(&options.default_catalog, &options.default_schema)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true);
    let options = config.options_mut();
    options.sql_parser.collect_spans = true;
    config
}
