//! Catalogs: where a table's current metadata file is, and who may move it.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use iceberg::spec::{TableMetadata, ViewMetadata};
use iceberg::{NamespaceIdent, TableIdent, TableRequirement, TableUpdate};

use crate::storage::Storage;
use crate::{Result, Table};

#[cfg(test)]
#[path = "../../tests/integration/conformance/mod.rs"]
mod conformance;
mod metadata_file;
pub mod rest;
mod source;
pub mod sqlite;

pub use source::{CatalogSource, SharedCatalog};

/// A catalog as one user sees it.
///
/// Names are case-sensitive. Listings are sorted. A method that changes something either does it
/// whole or not at all.
#[async_trait]
pub trait Catalog: fmt::Debug + Send + Sync {
    /// All namespaces of all levels.
    async fn list_namespaces(&self) -> Result<Vec<NamespaceIdent>>;

    /// The properties of a namespace. Errors: `NotFound`.
    async fn namespace_properties(
        &self,
        namespace: &NamespaceIdent,
    ) -> Result<HashMap<String, String>>;

    /// Creates a namespace. Errors: `AlreadyExists`.
    async fn create_namespace(
        &self,
        namespace: &NamespaceIdent,
        properties: HashMap<String, String>,
    ) -> Result<()>;

    /// Drops an empty namespace. Errors: `NotFound`, `InvalidArgument` where it is not empty.
    async fn drop_namespace(&self, namespace: &NamespaceIdent) -> Result<()>;

    /// The names of the tables of a namespace. Errors: `NotFound`.
    async fn list_tables(&self, namespace: &NamespaceIdent) -> Result<Vec<String>>;

    /// The names of the views of a namespace. Errors: `NotFound`.
    async fn list_views(&self, namespace: &NamespaceIdent) -> Result<Vec<String>>;

    /// Loads the current state of a table. Errors: `NotFound`, `Corrupt`, `Unsupported`.
    async fn load_table(&self, ident: &TableIdent) -> Result<Table>;

    /// Whether there is a table of that name.
    async fn table_exists(&self, ident: &TableIdent) -> Result<bool>;

    /// Prepares a table that does not exist yet: with its final metadata, and the storage that
    /// takes its files. Its `metadata_location` is empty.
    ///
    /// The catalog may assign other ids than those of `metadata`. Where the location is empty it
    /// chooses one, without a final slash, that no other table has. Nobody else sees anything of
    /// this.
    /// Errors: those of [`Catalog::create_table`], though not every catalog looks for them yet.
    async fn stage_table(&self, ident: &TableIdent, metadata: TableMetadata) -> Result<Table>;

    /// Creates a staged table with its complete first metadata, snapshots included.
    /// Errors: `AlreadyExists` (also where a view has the name), `NotFound` for the namespace,
    /// `Unavailable` where it may have been created in spite of the error.
    async fn create_table(&self, ident: &TableIdent, metadata: TableMetadata) -> Result<()>;

    /// Gives a name to a table whose metadata file is there already.
    /// Errors: `AlreadyExists` (also where a view has the name), `NotFound` for the namespace.
    async fn register_table(&self, ident: &TableIdent, metadata_location: &str) -> Result<()>;

    /// Gives a table another name, also in another namespace; its files stay where they are.
    /// Errors: `NotFound` for the table or the new namespace, `AlreadyExists`.
    async fn rename_table(&self, from: &TableIdent, to: &TableIdent) -> Result<()>;

    /// Applies the updates if every requirement holds of the table as it is at that moment.
    /// Errors: `Conflict` where a requirement does not hold or somebody else was first,
    /// `Unavailable` where the updates may have been applied in spite of the error.
    async fn commit(&self, change: TableChange) -> Result<()>;

    /// Changes several tables, all or none of them.
    /// Errors: those of [`Catalog::commit`]; `Unsupported` where the catalog cannot do that.
    async fn commit_tables(&self, changes: Vec<TableChange>) -> Result<()>;

    /// The storage of a loaded table with what the user may do now, which may be more than when
    /// the keys of the table's own storage were made.
    async fn fresh_storage(&self, table: &Table) -> Result<Storage>;

    /// Removes a table from the catalog; its files stay. Errors: `NotFound`.
    async fn drop_table(&self, ident: &TableIdent) -> Result<()>;

    /// Loads a view. Errors: `NotFound`.
    async fn load_view(&self, ident: &TableIdent) -> Result<ViewMetadata>;

    /// Creates a view; with `replace` an existing view of the name is replaced. Where the location
    /// is empty, the catalog chooses one.
    /// Errors: `AlreadyExists`, also where a table has the name; `NotFound` for the namespace.
    async fn create_view(
        &self,
        ident: &TableIdent,
        metadata: ViewMetadata,
        replace: bool,
    ) -> Result<()>;

    /// Drops a view. Errors: `NotFound`.
    async fn drop_view(&self, ident: &TableIdent) -> Result<()>;

    /// Gives a view another name. Errors: `NotFound`, `AlreadyExists`.
    async fn rename_view(&self, from: &TableIdent, to: &TableIdent) -> Result<()>;
}

/// What shall become of one table.
#[derive(Debug, Clone)]
pub struct TableChange {
    /// The table.
    pub ident: TableIdent,
    /// What must hold of it.
    pub requirements: Vec<TableRequirement>,
    /// What is done to it, in this order.
    pub updates: Vec<TableUpdate>,
}
