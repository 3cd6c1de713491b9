//! From a configuration to the parts that run: catalogs, engine, coordinator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqe_coordinator::{AuthOptions, CoordinatorOptions, TlsOptions};
use sqe_engine::table_functions::FileAccess;
use sqe_engine::{DEFAULT_SCHEMA, Engine, EngineOptions};
use sqe_iceberg::NamespaceIdent;
use sqe_iceberg::catalog::Catalog;
use sqe_iceberg::catalog::sqlite::{SqliteCatalog, SqliteOptions};

use crate::config::{CatalogConfig, CatalogKind, Config, TlsConfig};
use crate::run::StartError;

/// The SQL name of `[catalog]` where it is an embedded one.
const DEFAULT_CATALOG: &str = "catalog";

/// The engine of a configuration, with all its catalogs open.
pub(crate) async fn engine(config: &Config) -> Result<Engine, StartError> {
    let mut catalogs: BTreeMap<String, Arc<dyn Catalog>> = BTreeMap::new();
    let default = open(config, "catalog", DEFAULT_CATALOG, &config.catalog).await?;
    create_default_schema(default.as_ref()).await?;
    catalogs.insert(DEFAULT_CATALOG.to_owned(), default);
    for (name, catalog) in &config.catalogs {
        let opened = open(config, &format!("catalogs.{name}"), name, catalog).await?;
        catalogs.insert(name.clone(), opened);
    }
    let limits = &config.limits;
    let options = EngineOptions {
        catalogs,
        default_catalog: DEFAULT_CATALOG.to_owned(),
        memory_bytes: usize::try_from(limits.memory.as_u64()).unwrap_or(usize::MAX),
        spill_dir: limits.spill_dir.clone(),
        spill_bytes: limits.spill.as_u64(),
        statement_timeout: limits.statement_timeout.0,
        manifest_cache_bytes: limits.manifest_cache.as_u64(),
        file_access: FileAccess {
            allow_local_paths: config.allow_local_paths(),
            allowed_prefixes: config.table_functions.allowed_prefixes.clone(),
        },
    };
    Engine::new(options).map_err(|error| StartError::Engine(error.to_string()))
}

async fn open(
    config: &Config,
    section: &str,
    name: &str,
    catalog: &CatalogConfig,
) -> Result<Arc<dyn Catalog>, StartError> {
    if catalog.effective_kind() == CatalogKind::Rest {
        return Err(StartError::RestCatalog { section: section.to_owned() });
    }
    let data_dir = &config.server.data_dir;
    let path = catalog.path.clone().unwrap_or_else(|| data_dir.join("catalog.db"));
    let warehouse = match &catalog.warehouse {
        Some(warehouse) => PathBuf::from(warehouse),
        None if section == "catalog" => data_dir.join("warehouse"),
        None => path.with_extension("warehouse"),
    };
    let options = SqliteOptions {
        path,
        warehouse: std::path::absolute(&warehouse).unwrap_or(warehouse),
        catalog_name: catalog.catalog_name.clone().unwrap_or_else(|| name.to_owned()),
    };
    let opened = SqliteCatalog::open(options).await;
    let opened = opened.map_err(|error| StartError::Catalog {
        section: section.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(Arc::new(opened))
}

/// Unqualified names need a schema to be in, also on the first start.
async fn create_default_schema(catalog: &dyn Catalog) -> Result<(), StartError> {
    let namespace = NamespaceIdent::new(DEFAULT_SCHEMA.to_owned());
    match catalog.create_namespace(&namespace, Default::default()).await {
        Err(error) if error.kind() != sqe_iceberg::ErrorKind::AlreadyExists => {
            let section = "catalog".to_owned();
            Err(StartError::Catalog { section, reason: error.to_string() })
        }
        _ => Ok(()),
    }
}

/// What the coordinator is told.
pub(crate) fn coordinator(config: &Config) -> Result<CoordinatorOptions, StartError> {
    let loopback = config.coordinator.listen_address.is_loopback();
    Ok(CoordinatorOptions {
        tls: tls(&config.tls)?,
        auth: AuthOptions {
            allow_anonymous: loopback && config.auth.allow_anonymous && !config.has_login(),
        },
        drain_timeout: config.limits.drain_timeout.0,
        ..CoordinatorOptions::default()
    })
}

fn tls(config: &TlsConfig) -> Result<Option<TlsOptions>, StartError> {
    let (Some(cert), Some(key)) = (&config.cert, &config.key) else { return Ok(None) };
    Ok(Some(TlsOptions {
        cert_pem: read("tls.cert", cert)?,
        key_pem: read("tls.key", key)?,
        client_ca_pem: config
            .client_ca
            .as_deref()
            .map(|ca| read("tls.client_ca", ca))
            .transpose()?,
    }))
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|source| StartError::File { key, path: path.to_owned(), source })
}
