//! The only place that knows what an Iceberg table is: catalogs, planning, scanning, writing,
//! committing. It knows neither Flight nor sessions.
//!
//! The `iceberg` crate is used as a library of the specification: metadata, manifests, transforms.
//! Its reader and its planner are not used, and its Arrow version is not the engine's, so no record
//! batch of its crosses into here.

// The conformance suite of catalogs is compiled here and in the tests of real catalogs.
#[cfg(test)]
extern crate self as sqe_iceberg;

pub mod cache;
pub mod catalog;
pub mod create;
pub mod error;
mod plan;
pub mod provider;
pub mod scan;
pub mod schema;
pub mod storage;
mod successor;
pub mod table;
pub mod token;
pub mod transform;
pub mod uuid_text;
mod value;
pub mod write;

pub use iceberg::spec::{Schema, TableMetadata, Transform, ViewMetadata};
pub use iceberg::{NamespaceIdent, TableIdent, ViewCreation, spec};

pub use error::{Error, ErrorKind, Result};
pub use scan::{IcebergParquetSource, ScanCodec};
pub use table::Table;
