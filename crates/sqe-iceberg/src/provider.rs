//! An Iceberg table as DataFusion sees it.

use crate::cache::ManifestCache;
use crate::{Result, Table};

/// A table at one snapshot.
#[derive(Debug)]
pub struct IcebergTable {
    table: Table,
    manifests: ManifestCache,
}

impl IcebergTable {
    /// The current snapshot of `table`; its schema is the current one of the table.
    /// Errors: `Unsupported` for a table with a feature that is not built, by its name.
    pub fn try_new(table: Table, manifests: ManifestCache) -> Result<Self> {
        Ok(Self { table, manifests })
    }

    /// The table that is read.
    pub fn table(&self) -> &Table {
        &self.table
    }
}
