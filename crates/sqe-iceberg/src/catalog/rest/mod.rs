//! Catalogs that speak Iceberg's REST protocol.
//!
//! Every request carries the bearer of the user for whom the catalog was opened, and the server
//! decides. What users share are connections and the metadata of tables, which nobody gets before
//! the server let that user load that table. Access to a table's files comes with the table: the
//! keys that the server hands out for it, or the operator's where it hands out none.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use iceberg::spec::{TableMetadata, ViewMetadata};
use iceberg::{NamespaceIdent, TableIdent};
use tokio::sync::OnceCell;
use url::Url;

use self::access::AccessCache;
use self::client::{Client, Limits};
use self::config::Negotiated;
use self::table_cache::TableCache;
use super::{Catalog, CatalogSource, TableChange};
use crate::storage::{S3Endpoint, S3Keys, Storage};
use crate::token::TokenSource;
use crate::{Error, ErrorKind, Result, Table};

mod access;
mod call;
mod client;
mod commit;
mod config;
mod creation;
mod endpoint;
mod failure;
mod keys;
mod load;
mod namespaces;
mod pages;
mod path;
mod settle;
mod table_cache;
mod tables;
#[cfg(test)]
mod tests;
mod views;

/// Where a REST catalog is and what SQE adds to what it says.
#[derive(Debug, Clone)]
pub struct RestOptions {
    /// The name of the catalog in SQL.
    pub name: String,
    /// Address of the catalog, without `/v1`.
    pub uri: Url,
    /// The warehouse, by the name that the catalog has for it.
    pub warehouse: Option<String>,
    /// The operator's store, used where the catalog does not say where a table's store is.
    pub endpoint: S3Endpoint,
    /// The operator's keys, used where the catalog hands out none.
    pub static_keys: Option<S3Keys>,
    /// Whether tables may be in files of this machine, which the catalog has no say in.
    pub allow_local_files: bool,
    /// How long one request may take. Retries included, a call takes at most three times as long.
    pub request_timeout: Duration,
    /// Size of the cache of table metadata, which all users share.
    pub table_cache_bytes: u64,
}

/// A configured REST catalog.
#[derive(Clone)]
pub struct RestSource(Arc<Source>);

struct Source {
    options: RestOptions,
    http: reqwest::Client,
    tables: TableCache,
}

impl RestSource {
    /// Asks nobody anything. Errors: `InvalidArgument` for an address that is not http or https or
    /// holds an account, since users have their own; `Internal` where TLS cannot be set up.
    pub fn new(options: RestOptions) -> Result<Self> {
        if !matches!(options.uri.scheme(), "http" | "https") || options.uri.cannot_be_a_base() {
            let message = format!("catalog {}: its address is not http or https", options.name);
            return Err(Error::invalid(message));
        }
        if !options.uri.username().is_empty() || options.uri.password().is_some() {
            let message = format!("catalog {}: its address holds an account", options.name);
            return Err(Error::invalid(message));
        }
        let http = client::http(options.request_timeout)?;
        let tables = TableCache::new(options.table_cache_bytes);
        Ok(Self(Arc::new(Source { options, http, tables })))
    }
}

impl fmt::Debug for RestSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestSource").field("name", &self.0.options.name).finish_non_exhaustive()
    }
}

impl CatalogSource for RestSource {
    fn open(&self, tokens: Arc<dyn TokenSource>) -> Arc<dyn Catalog> {
        Arc::new(RestCatalog::new(Arc::clone(&self.0), tokens))
    }
}

/// A REST catalog with the authority of one user.
struct RestCatalog {
    connection: Arc<Connection>,
    access: AccessCache,
}

impl RestCatalog {
    fn new(source: Arc<Source>, tokens: Arc<dyn TokenSource>) -> Self {
        let limits = Limits::of(source.options.request_timeout);
        let name = source.options.name.clone();
        let client = Client::new(source.http.clone(), tokens, name, limits);
        let connection = Connection { source, client, negotiated: OnceCell::new() };
        Self { connection: Arc::new(connection), access: AccessCache::new() }
    }
}

/// The way to the server with the authority of one user. The stores of tables hold it, too, to
/// renew their keys.
struct Connection {
    source: Arc<Source>,
    client: Client,
    /// What the server said about itself to this user, once it did.
    negotiated: OnceCell<Negotiated>,
}

impl Connection {
    fn options(&self) -> &RestOptions {
        &self.source.options
    }

    async fn negotiated(&self) -> Result<&Negotiated> {
        let negotiate = || config::negotiate(&self.client, self.options());
        self.negotiated.get_or_try_init(negotiate).await
    }

    /// Errors: `Unsupported` where the server has no such endpoint.
    async fn require(&self, endpoint: &str) -> Result<()> {
        match self.negotiated().await?.has(endpoint) {
            true => Ok(()),
            false => Err(self.unsupported(&format!("has no endpoint {endpoint:?}"))),
        }
    }

    fn unsupported(&self, what: &str) -> Error {
        Error::unsupported(format!("catalog {} {what}", self.options().name))
    }
}

impl fmt::Debug for RestCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RestCatalog").field(&self.connection).finish()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("name", &self.options().name).finish_non_exhaustive()
    }
}

/// Whether something is there, from what looking for it gave.
fn found<T>(result: Result<T>) -> Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Catalog for RestCatalog {
    async fn list_namespaces(&self) -> Result<Vec<NamespaceIdent>> {
        namespaces::list(&self.connection).await
    }

    async fn namespace_properties(
        &self,
        namespace: &NamespaceIdent,
    ) -> Result<HashMap<String, String>> {
        namespaces::properties(&self.connection, namespace).await
    }

    async fn create_namespace(
        &self,
        namespace: &NamespaceIdent,
        properties: HashMap<String, String>,
    ) -> Result<()> {
        namespaces::create(&self.connection, namespace, properties).await
    }

    async fn drop_namespace(&self, namespace: &NamespaceIdent) -> Result<()> {
        namespaces::drop(&self.connection, namespace).await
    }

    async fn list_tables(&self, namespace: &NamespaceIdent) -> Result<Vec<String>> {
        tables::list(&self.connection, namespace).await
    }

    async fn list_views(&self, namespace: &NamespaceIdent) -> Result<Vec<String>> {
        views::list(&self.connection, namespace).await
    }

    async fn load_table(&self, ident: &TableIdent) -> Result<Table> {
        load::load(self, ident).await
    }

    async fn table_exists(&self, ident: &TableIdent) -> Result<bool> {
        tables::exists(&self.connection, ident).await
    }

    async fn stage_table(&self, ident: &TableIdent, metadata: TableMetadata) -> Result<Table> {
        creation::stage(&self.connection, ident, &metadata).await
    }

    async fn create_table(&self, ident: &TableIdent, metadata: TableMetadata) -> Result<()> {
        creation::create(&self.connection, ident, &metadata).await
    }

    async fn register_table(&self, ident: &TableIdent, metadata_location: &str) -> Result<()> {
        tables::register(&self.connection, ident, metadata_location).await
    }

    async fn rename_table(&self, from: &TableIdent, to: &TableIdent) -> Result<()> {
        self.access.forget(from).await;
        tables::rename(&self.connection, from, to).await
    }

    async fn commit(&self, change: TableChange) -> Result<()> {
        commit::commit(&self.connection, &change).await
    }

    async fn commit_tables(&self, changes: Vec<TableChange>) -> Result<()> {
        commit::commit_all(&self.connection, &changes).await
    }

    async fn fresh_storage(&self, table: &Table) -> Result<Storage> {
        load::fresh_storage(self, table).await
    }

    async fn drop_table(&self, ident: &TableIdent) -> Result<()> {
        self.access.forget(ident).await;
        tables::drop(&self.connection, ident).await
    }

    async fn load_view(&self, ident: &TableIdent) -> Result<ViewMetadata> {
        views::load(&self.connection, ident).await
    }

    async fn create_view(
        &self,
        ident: &TableIdent,
        metadata: ViewMetadata,
        replace: bool,
    ) -> Result<()> {
        views::create(&self.connection, ident, &metadata, replace).await
    }

    async fn drop_view(&self, ident: &TableIdent) -> Result<()> {
        views::drop(&self.connection, ident).await
    }

    async fn rename_view(&self, from: &TableIdent, to: &TableIdent) -> Result<()> {
        views::rename(&self.connection, from, to).await
    }
}
