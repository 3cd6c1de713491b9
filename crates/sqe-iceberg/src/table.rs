//! A table as it was at the moment it was loaded.

use iceberg::TableIdent;
use iceberg::spec::TableMetadataRef;

use crate::storage::Storage;

/// An immutable state of a table: its metadata, where that came from, and how to read its files.
#[derive(Debug, Clone)]
pub struct Table {
    /// Namespace and name.
    pub ident: TableIdent,
    /// The whole metadata file, parsed.
    pub metadata: TableMetadataRef,
    /// Location of the metadata file.
    pub metadata_location: String,
    /// The store that the files of this table are read from and written to.
    pub storage: Storage,
}
