//! A catalog in a SQLite file, in the schema of Iceberg's JDBC catalog (version V1), which Java,
//! PyIceberg and iceberg-rust read and write as well. Tables are files of this machine.
//!
//! A change writes its metadata file and moves the row that points to it in one job that runs to
//! its end even where the caller is gone. The row moves by compare-and-swap in a transaction, so
//! any number of processes may use one database file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use iceberg::spec::{TableMetadata, ViewMetadata};
use iceberg::{NamespaceIdent, TableIdent};

use self::database::Database;
use self::entries::{Entry, EntryKind, Key};
use self::warehouse::Warehouse;
use super::{Catalog, TableChange, metadata_file};
use crate::storage::Storage;
use crate::{Error, ErrorKind, Result, Table};

mod changes;
mod commits;
mod database;
mod entries;
mod file;
mod namespaces;
#[cfg(test)]
mod tests;
mod warehouse;

/// Where a catalog is and where its new tables go.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file; it and its directory are created where they are missing.
    pub path: PathBuf,
    /// Directory of new tables.
    pub warehouse: PathBuf,
    /// `catalog_name` of the rows that belong to this catalog.
    pub catalog_name: String,
}

/// A catalog in a SQLite file. Several processes may use the file at the same time.
#[derive(Debug)]
pub struct SqliteCatalog {
    database: Arc<Database>,
    warehouse: Warehouse,
    catalog_name: String,
    storage: Storage,
}

impl SqliteCatalog {
    /// Opens the file and creates it and its tables where they are missing.
    ///
    /// Errors: `Unavailable` where the file or the warehouse cannot be made or opened, `Corrupt`
    /// where the file is something else than a SQLite database.
    pub async fn open(options: SqliteOptions) -> Result<Self> {
        let SqliteOptions { path, warehouse, catalog_name } = options;
        let warehouse = Warehouse::open(&warehouse)?;
        let database = Database::open(path).await?;
        Ok(Self { database, warehouse, catalog_name, storage: Storage::local() })
    }

    /// The row of a table or view. Errors: `InvalidArgument` for a name that no row can have.
    fn key(&self, ident: &TableIdent) -> Result<Key> {
        if ident.name.is_empty() {
            return Err(Error::invalid(format!(
                "a name in namespace {} is empty",
                ident.namespace
            )));
        }
        Ok(Key {
            catalog: self.catalog_name.clone(),
            namespace: namespaces::to_text(&ident.namespace)?,
            ident: ident.clone(),
        })
    }

    async fn find(&self, ident: &TableIdent, kind: EntryKind) -> Result<Entry> {
        let key = self.key(ident).map_err(|_| entries::not_found(kind, ident))?;
        self.database.run(move |connection| entries::find_kind(connection, &key, kind)).await
    }

    async fn list(&self, namespace: &NamespaceIdent, kind: EntryKind) -> Result<Vec<String>> {
        let (catalog, namespace) = (self.catalog_name.clone(), namespace.clone());
        self.database
            .run(move |connection| {
                let text = namespaces::require(connection, &catalog, &namespace)?;
                entries::list(connection, &catalog, &text, kind)
            })
            .await
    }

    async fn drop_entry(&self, ident: &TableIdent, kind: EntryKind) -> Result<()> {
        let key = self.key(ident).map_err(|_| entries::not_found(kind, ident))?;
        self.database
            .change(move |transaction| {
                entries::find_kind(transaction, &key, kind)?;
                entries::delete(transaction, &key)
            })
            .await
    }

    async fn rename(&self, from: &TableIdent, to: &TableIdent, kind: EntryKind) -> Result<()> {
        let key = self.key(from).map_err(|_| entries::not_found(kind, from))?;
        let new_key = self.key(to)?;
        self.database
            .change(move |transaction| changes::rename(transaction, &key, &new_key, kind))
            .await
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn list_namespaces(&self) -> Result<Vec<NamespaceIdent>> {
        let catalog = self.catalog_name.clone();
        self.database.run(move |connection| namespaces::list(connection, &catalog)).await
    }

    async fn namespace_properties(
        &self,
        namespace: &NamespaceIdent,
    ) -> Result<HashMap<String, String>> {
        let (catalog, namespace) = (self.catalog_name.clone(), namespace.clone());
        self.database
            .run(move |connection| {
                let text = namespaces::require(connection, &catalog, &namespace)?;
                namespaces::properties(connection, &catalog, &text)
            })
            .await
    }

    async fn create_namespace(
        &self,
        namespace: &NamespaceIdent,
        properties: HashMap<String, String>,
    ) -> Result<()> {
        let (catalog, text) = (self.catalog_name.clone(), namespaces::to_text(namespace)?);
        self.database
            .change(move |transaction| {
                namespaces::create(transaction, &catalog, &text, &properties)
            })
            .await
    }

    async fn drop_namespace(&self, namespace: &NamespaceIdent) -> Result<()> {
        let (catalog, namespace) = (self.catalog_name.clone(), namespace.clone());
        self.database
            .change(move |transaction| {
                let text = namespaces::require(transaction, &catalog, &namespace)?;
                namespaces::delete_empty(transaction, &catalog, &text)
            })
            .await
    }

    async fn list_tables(&self, namespace: &NamespaceIdent) -> Result<Vec<String>> {
        self.list(namespace, EntryKind::Table).await
    }

    async fn list_views(&self, namespace: &NamespaceIdent) -> Result<Vec<String>> {
        self.list(namespace, EntryKind::View).await
    }

    async fn load_table(&self, ident: &TableIdent) -> Result<Table> {
        let metadata_location = self.find(ident, EntryKind::Table).await?.metadata_location;
        let metadata = metadata_file::read_table(ident, &metadata_location, &self.storage).await?;
        Ok(self.table(ident.clone(), metadata_location, metadata))
    }

    async fn table_exists(&self, ident: &TableIdent) -> Result<bool> {
        match self.find(ident, EntryKind::Table).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn stage_table(&self, ident: &TableIdent, metadata: TableMetadata) -> Result<Table> {
        let (key, warehouse) = (self.key(ident)?, self.warehouse.clone());
        let metadata = self
            .database
            .run(move |connection| changes::stage(connection, &warehouse, &key, metadata))
            .await?;
        self.storage.path(metadata.location())?;
        Ok(self.table(ident.clone(), String::new(), metadata))
    }

    async fn create_table(&self, ident: &TableIdent, metadata: TableMetadata) -> Result<()> {
        let (key, database) = (self.key(ident)?, Arc::clone(&self.database));
        self.database
            .run(move |connection| changes::create_table(&database, connection, &key, &metadata))
            .await
    }

    async fn register_table(&self, ident: &TableIdent, metadata_location: &str) -> Result<()> {
        let (key, location) = (self.key(ident)?, metadata_location.to_owned());
        let metadata = metadata_file::read_table(ident, &location, &self.storage).await?;
        self.database
            .change(move |transaction| changes::register(transaction, &key, location, &metadata))
            .await
    }

    async fn rename_table(&self, from: &TableIdent, to: &TableIdent) -> Result<()> {
        self.rename(from, to, EntryKind::Table).await
    }

    async fn commit(&self, change: TableChange) -> Result<()> {
        self.commit_tables(vec![change]).await
    }

    async fn commit_tables(&self, changes: Vec<TableChange>) -> Result<()> {
        let mut bases = Vec::with_capacity(changes.len());
        for change in changes {
            bases.push((self.load_table(&change.ident).await?, self.key(&change.ident)?, change));
        }
        let database = Arc::clone(&self.database);
        self.database.run(move |connection| commits::commit(&database, connection, bases)).await
    }

    async fn fresh_storage(&self, table: &Table) -> Result<Storage> {
        Ok(table.storage.clone())
    }

    async fn drop_table(&self, ident: &TableIdent) -> Result<()> {
        self.drop_entry(ident, EntryKind::Table).await
    }

    async fn load_view(&self, ident: &TableIdent) -> Result<ViewMetadata> {
        let location = self.find(ident, EntryKind::View).await?.metadata_location;
        metadata_file::read_view(ident, &location, &self.storage).await
    }

    async fn create_view(
        &self,
        ident: &TableIdent,
        metadata: ViewMetadata,
        replace: bool,
    ) -> Result<()> {
        let (key, database) = (self.key(ident)?, Arc::clone(&self.database));
        let warehouse = self.warehouse.clone();
        self.database
            .run(move |connection| {
                let metadata = changes::place_view(connection, &warehouse, &key, metadata)?;
                changes::create_view(&database, connection, &key, &metadata, replace)
            })
            .await
    }

    async fn drop_view(&self, ident: &TableIdent) -> Result<()> {
        self.drop_entry(ident, EntryKind::View).await
    }

    async fn rename_view(&self, from: &TableIdent, to: &TableIdent) -> Result<()> {
        self.rename(from, to, EntryKind::View).await
    }
}

impl SqliteCatalog {
    fn table(
        &self,
        ident: TableIdent,
        metadata_location: String,
        metadata: impl Into<Arc<TableMetadata>>,
    ) -> Table {
        let metadata = metadata.into();
        let storage = Storage::local_below(vec![metadata.location().to_owned()]);
        Table { ident, metadata, metadata_location, storage }
    }
}
