//! A coordinator on a free port with one empty catalog, `lake`, and the generated `tpch`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sqe_coordinator::{Coordinator, CoordinatorOptions, ServeError};
use sqe_engine::{Engine, EngineOptions};
use sqe_iceberg::catalog::sqlite::{SqliteCatalog, SqliteOptions};
use sqe_iceberg::catalog::{Catalog, CatalogSource, SharedCatalog};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::Client;

/// A running coordinator; dropping it ends it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    serving: JoinSet<Result<(), ServeError>>,
    _data: TempDir,
}

/// Options that let everybody in.
pub(crate) fn open() -> CoordinatorOptions {
    let mut options = CoordinatorOptions::default();
    options.auth.allow_anonymous = true;
    options
}

impl Server {
    /// With options that let everybody in.
    pub(crate) async fn start() -> Self {
        Self::with(open()).await
    }

    pub(crate) async fn with(options: CoordinatorOptions) -> Self {
        let data = TempDir::new().unwrap();
        let coordinator = Coordinator::new(engine(&data).await, options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(coordinator.serve(listener, shutdown.clone()));
        Self { address, shutdown, serving, _data: data }
    }

    /// A new connection without credentials.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Waits for the end of `serve`.
    pub(crate) async fn ended(&mut self) {
        self.serving.join_next().await.unwrap().unwrap().unwrap();
    }
}

/// An engine whose files are in `data`.
pub(crate) async fn engine(data: &TempDir) -> Engine {
    let lake = SqliteCatalog::open(SqliteOptions {
        path: data.path().join("catalog.db"),
        warehouse: data.path().join("warehouse"),
        catalog_name: "lake".into(),
    });
    let lake: Arc<dyn Catalog> = Arc::new(lake.await.unwrap());
    let lake: Arc<dyn CatalogSource> = Arc::new(SharedCatalog(lake));
    Engine::new(EngineOptions {
        catalogs: BTreeMap::from([("lake".to_owned(), lake)]),
        default_catalog: "lake".into(),
        default_schema: "main".into(),
        memory_bytes: 256 << 20,
        spill_dir: Some(data.path().join("spill")),
        spill_bytes: 256 << 20,
        statement_timeout: Duration::from_secs(60),
        manifest_cache_bytes: 1 << 20,
        file_access: Default::default(),
        cluster: None,
        operators: Vec::new(),
    })
    .unwrap()
}
