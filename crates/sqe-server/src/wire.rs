//! From a configuration to the parts that run: catalogs, engine, coordinator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use sqe_coordinator::{
    AuthOptions, CoordinatorOptions, Grant, IssuerOptions, TlsOptions, TokenEndpointOptions,
};
use sqe_engine::{Engine, EngineOptions, FileAccess, FileAccessOptions};
use sqe_iceberg::NamespaceIdent;
use sqe_iceberg::catalog::rest::{RestOptions, RestSource};
use sqe_iceberg::catalog::sqlite::{SqliteCatalog, SqliteOptions};
use sqe_iceberg::catalog::{Catalog, CatalogSource, SharedCatalog};
use sqe_iceberg::storage::{S3Endpoint, S3Keys};
use sqe_iceberg::token::NoToken;

use crate::args::Role;
use crate::config::{
    Address, AuthConfig, CatalogConfig, CatalogKind, Config, GrantKind, Secret, StorageConfig,
    TlsConfig,
};
use crate::nodes;
use crate::run::StartError;

/// The schema of unqualified names in an embedded catalog, which is made at the start.
const EMBEDDED_SCHEMA: &str = "main";
/// The same in a REST catalog, which may have it or not.
const REST_SCHEMA: &str = "default";

/// The engine of a configuration, with all its catalogs open.
pub(crate) async fn engine(config: &Config, role: Role) -> Result<Engine, StartError> {
    let mut catalogs: BTreeMap<String, Arc<dyn CatalogSource>> = BTreeMap::new();
    let name = config.default_catalog();
    let is_rest = config.catalog.effective_kind() == CatalogKind::Rest;
    let default = open(config, "catalog", name, &config.catalog).await?;
    if !is_rest {
        create_schema(default.open(Arc::new(NoToken)).as_ref()).await?;
    }
    catalogs.insert(name.to_owned(), default);
    for (name, catalog) in &config.catalogs {
        let opened = open(config, &format!("catalogs.{name}"), name, catalog).await?;
        catalogs.insert(name.clone(), opened);
    }
    let limits = &config.limits;
    let options = EngineOptions {
        catalogs,
        default_catalog: name.to_owned(),
        default_schema: if is_rest { REST_SCHEMA } else { EMBEDDED_SCHEMA }.to_owned(),
        memory_bytes: usize::try_from(limits.memory.as_u64()).unwrap_or(usize::MAX),
        spill_dir: limits.spill_dir.clone(),
        spill_bytes: limits.spill.as_u64(),
        statement_timeout: limits.statement_timeout.0,
        manifest_cache_bytes: limits.manifest_cache.as_u64(),
        file_access: file_access(config)?,
        cluster: match role {
            Role::Coordinator => Some(Arc::new(nodes::cluster(config)?)),
            Role::Standalone | Role::Worker => None,
        },
        operators: config.auth.operators.clone(),
    };
    Engine::new(options).map_err(|error| StartError::Engine(error.to_string()))
}

async fn open(
    config: &Config,
    section: &str,
    name: &str,
    catalog: &CatalogConfig,
) -> Result<Arc<dyn CatalogSource>, StartError> {
    match catalog.effective_kind() {
        CatalogKind::Rest => rest(config, section, name, catalog),
        CatalogKind::Sqlite => {
            Ok(Arc::new(SharedCatalog(embedded(config, section, name, catalog).await?)))
        }
    }
}

/// Which files outside of tables statements may reach.
fn file_access(config: &Config) -> Result<FileAccess, StartError> {
    let access = FileAccess::new(FileAccessOptions {
        allow_local_paths: config.allow_local_paths(),
        allowed_prefixes: config.table_functions.allowed_prefixes.clone(),
        s3: s3_keys(&config.storage)?.map(|keys| (s3_endpoint(&config.storage), keys)),
    });
    access.map_err(|error| StartError::Files(error.to_string()))
}

/// A catalog that every user opens with their own token.
fn rest(
    config: &Config,
    section: &str,
    name: &str,
    catalog: &CatalogConfig,
) -> Result<Arc<dyn CatalogSource>, StartError> {
    let failed = |reason: String| StartError::Catalog { section: section.to_owned(), reason };
    let Some(uri) = &catalog.uri else { return Err(failed("it has no uri".to_owned())) };
    let source = RestSource::new(RestOptions {
        name: name.to_owned(),
        uri: uri.url().clone(),
        warehouse: catalog.warehouse.clone(),
        endpoint: s3_endpoint(&config.storage),
        static_keys: s3_keys(&config.storage)?,
        allow_local_files: config.allow_local_paths(),
        request_timeout: catalog.request_timeout.0,
        table_cache_bytes: config.limits.table_cache.as_u64(),
    });
    Ok(Arc::new(source.map_err(|error| failed(error.to_string()))?))
}

fn s3_endpoint(storage: &StorageConfig) -> S3Endpoint {
    S3Endpoint {
        url: storage.s3_endpoint.as_ref().map(|address| address.text().to_owned()),
        region: storage.s3_region.clone(),
        path_style: storage.s3_path_style,
    }
}

/// The operator's keys.
fn s3_keys(storage: &StorageConfig) -> Result<Option<S3Keys>, StartError> {
    let file = storage.s3_secret_key_file.as_deref();
    let secret = secret(storage.s3_secret_key.as_ref(), "storage.s3_secret_key_file", file)?;
    let keys = storage.s3_access_key.as_ref().zip(secret).map(|(id, secret)| S3Keys {
        access_key_id: id.expose().to_owned(),
        secret_access_key: secret,
        session_token: storage.s3_session_token.as_ref().map(|token| token.expose().into()),
        expires_at: None,
    });
    Ok(keys)
}

async fn embedded(
    config: &Config,
    section: &str,
    name: &str,
    catalog: &CatalogConfig,
) -> Result<Arc<dyn Catalog>, StartError> {
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
async fn create_schema(catalog: &dyn Catalog) -> Result<(), StartError> {
    let namespace = NamespaceIdent::new(EMBEDDED_SCHEMA.to_owned());
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
        tls: tls(&config.tls),
        auth: AuthOptions {
            allow_anonymous: loopback && config.auth.allow_anonymous && !config.has_login(),
            token_endpoint: config
                .auth
                .token_endpoint
                .as_ref()
                .map(|url| token_endpoint(config, url))
                .transpose()?,
            issuer: config
                .auth
                .issuer
                .as_ref()
                .map(|address| issuer(config, address))
                .transpose()?,
            opaque_bearer: config.auth.opaque_bearer,
            failures_per_minute: config.auth.failures_per_minute,
        },
        drain_timeout: config.limits.drain_timeout.0,
        ..CoordinatorOptions::default()
    })
}

fn token_endpoint(config: &Config, address: &Address) -> Result<TokenEndpointOptions, StartError> {
    let auth = &config.auth;
    let url = address.url().clone();
    // Principals of Polaris have no rights without a role, and all of them with this scope.
    let iceberg = url.path().ends_with("/v1/oauth/tokens");
    let scope = auth.scope.clone().or_else(|| iceberg.then(|| "PRINCIPAL_ROLE:ALL".to_owned()));
    Ok(TokenEndpointOptions {
        url,
        grant: match auth.grant {
            GrantKind::ClientCredentials => Grant::ClientCredentials,
            GrantKind::Password => Grant::Password,
        },
        client_id: auth.client_id.clone(),
        client_secret: client_secret(auth)?,
        scope,
    })
}

fn issuer(config: &Config, address: &Address) -> Result<IssuerOptions, StartError> {
    let auth = &config.auth;
    Ok(IssuerOptions {
        issuer: address.text().to_owned(),
        audience: auth.audience.clone(),
        user_claim: auth.user_claim.clone(),
        clock_skew: auth.clock_skew.0,
        login_client_id: auth.login_client_id.clone(),
        login_scope: auth.login_scope.clone(),
        introspection: match (auth.introspect, &auth.client_id) {
            (true, Some(id)) => client_secret(auth)?.map(|secret| (id.clone(), secret)),
            _ => None,
        },
    })
}

fn client_secret(auth: &AuthConfig) -> Result<Option<SecretString>, StartError> {
    let file = auth.client_secret_file.as_deref();
    secret(auth.client_secret.as_ref(), "auth.client_secret_file", file)
}

fn tls(config: &TlsConfig) -> Option<TlsOptions> {
    let (cert, key) = (config.cert.clone()?, config.key.clone()?);
    Some(TlsOptions { cert, key, client_ca: config.client_ca.clone() })
}

/// A secret of the configuration itself or of a file, whose last line break is not part of it.
pub(crate) fn secret(
    value: Option<&Secret>,
    key: &'static str,
    file: Option<&Path>,
) -> Result<Option<SecretString>, StartError> {
    let text =
        match (value, file) {
            (Some(value), _) => return Ok(Some(value.expose().into())),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map_err(|source| StartError::File { key, path: file.to_owned(), source })?,
            (None, None) => return Ok(None),
        };
    Ok(Some(text.trim_end_matches(['\r', '\n']).into()))
}
