//! Catalogs: where a table's current metadata file is, and who may move it.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use iceberg::spec::{TableMetadata, ViewMetadata};
use iceberg::{NamespaceIdent, TableIdent, TableRequirement, TableUpdate};

use crate::{Result, Table};

#[cfg(test)]
mod conformance;
mod metadata_file;
pub mod sqlite;

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

    /// Where a new table of this name puts its files: an absolute location without a final slash.
    /// Not yet used by any table, also not by one that was dropped.
    async fn new_table_location(&self, ident: &TableIdent) -> Result<String>;

    /// The storage of a table that does not exist yet, at a location from `new_table_location`.
    async fn new_table_storage(&self, location: &str) -> Result<crate::storage::Storage>;

    /// Creates a table with its complete first metadata, snapshots included.
    /// Errors: `AlreadyExists` (also where a view has the name), `NotFound` for the namespace,
    /// `Unavailable` where it may have been created in spite of the error.
    async fn create_table(&self, ident: &TableIdent, metadata: TableMetadata) -> Result<Table>;

    /// Applies `updates` if every requirement holds of the table as it is at that moment.
    /// Errors: `Conflict` where a requirement does not hold or somebody else was first,
    /// `Unavailable` where the updates may have been applied in spite of the error.
    async fn commit(
        &self,
        ident: &TableIdent,
        requirements: Vec<TableRequirement>,
        updates: Vec<TableUpdate>,
    ) -> Result<Table>;

    /// Removes a table from the catalog; its files stay. Errors: `NotFound`.
    async fn drop_table(&self, ident: &TableIdent) -> Result<()>;

    /// Loads a view. Errors: `NotFound`.
    async fn load_view(&self, ident: &TableIdent) -> Result<ViewMetadata>;

    /// Creates a view; with `replace` an existing view of the name is replaced.
    /// Errors: `AlreadyExists`, also where a table has the name.
    async fn create_view(
        &self,
        ident: &TableIdent,
        metadata: ViewMetadata,
        replace: bool,
    ) -> Result<()>;

    /// Drops a view. Errors: `NotFound`.
    async fn drop_view(&self, ident: &TableIdent) -> Result<()>;
}
