//! A catalog in a SQLite file, in the schema of Iceberg's JDBC catalog (version V1).

use std::path::PathBuf;

use crate::Result;

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
    options: SqliteOptions,
}

impl SqliteCatalog {
    /// Opens the file and creates it and its tables where they are missing.
    pub async fn open(options: SqliteOptions) -> Result<Self> {
        Ok(Self { options })
    }
}
