//! `read_parquet`, `read_csv` and `read_json` as table functions.
//!
//! A call names files by path, glob or directory; [`open`] lists them, reads what it needs to know
//! their columns, and returns a table that reads exactly those files. Options have the names that
//! DuckDB gives them, and one that is not supported is refused by name.
//!
//! Each function lists its options in its own file: `parquet.rs`, `csv.rs`, `json.rs`. All take
//! `hive_partitioning` (columns from `key=value` folders, by default where all files have the same
//! keys) and `filename` (the path of each row's file).

mod blocking;
pub(crate) mod codec;
mod csv;
mod csv_schema;
mod fault;
mod glob;
mod hive;
mod json;
mod json_records;
mod json_schema;
mod kinds;
mod options;
mod parquet;
mod parquet_source;
mod paths;
mod provider;
mod s3_paths;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use datafusion::{catalog::TableProvider, execution::SessionState, scalar::ScalarValue};
use object_store::{ObjectStore, local::LocalFileSystem};
use sqe_iceberg::storage::Storage;

use self::paths::Found;
use crate::file_access::{FileAccess, Place};
use crate::{Error, ErrorKind, Result};

/// The functions of this module, in lower case.
pub const NAMES: [&str; 3] = ["read_csv", "read_json", "read_parquet"];

/// A call in a FROM clause; its arguments are constants.
#[derive(Debug, Clone)]
pub struct Call {
    /// One of [`NAMES`].
    pub function: String,
    /// Arguments without a name, in their order; a list of paths is one `List` value.
    pub positional: Vec<ScalarValue>,
    /// Arguments given as `name => value` or `name = value`, names in lower case.
    pub named: Vec<(String, ScalarValue)>,
}

/// The table that a call stands for: lists its files, infers its schema.
///
/// Errors: `PermissionDenied` for a path that `access` does not cover, `NotFound` where no file
/// matches, `InvalidStatement` for an unknown option (with the nearest name) or a bad value,
/// `Unsupported` for an option or a location that is not built, `DataCorrupt` for a file that is
/// not what the function reads. Cancel-safe.
pub async fn open(
    call: Call,
    state: &SessionState,
    access: &FileAccess,
) -> Result<Arc<dyn TableProvider>> {
    match call.function.as_str() {
        "read_csv" => csv::open(call, access).await,
        "read_json" => json::open(call, access).await,
        "read_parquet" => parquet::open(call, state, access).await,
        other => {
            let message = format!("table function {other} not found");
            Err(Error::new(ErrorKind::NotFound, message))
        }
    }
}

/// The files of a call and the storage that holds them. A scan brings it along and finds none in a
/// registry, where other statements could, too.
struct Files {
    storage: Storage,
    /// At least one.
    found: Vec<Found>,
}

impl Files {
    /// The files of the paths of `call`, in the order of the paths and sorted within each.
    ///
    /// `extensions` are those that a directory is searched for, with their dot.
    async fn list(call: &Call, access: &FileAccess, extensions: &[&str]) -> Result<Self> {
        let patterns = paths::patterns(&call.function, &call.positional)?;
        let places = patterns.iter().map(|pattern| access.check_read(pattern));
        let places = places.collect::<Result<Vec<_>>>()?;
        let local = LocalFileSystem::new();
        let (mut found, mut folders) = (Vec::new(), Vec::new());
        for (pattern, place) in patterns.iter().zip(&places) {
            found.extend(match (place, &places[0]) {
                (Place::Local, Place::Local) => {
                    let found = paths::list(&local, pattern, extensions).await?;
                    folders.extend(paths::around(&found));
                    found
                }
                (Place::S3(storage), Place::S3(_)) => {
                    s3_paths::list(storage, pattern, extensions).await?
                }
                _ => {
                    let message = "a call reads files of the server or of S3, not of both";
                    return Err(Error::new(ErrorKind::InvalidStatement, message));
                }
            });
        }
        let storage = match places.first() {
            Some(Place::S3(storage)) => (*storage).clone(),
            _ => Storage::local_below(folders),
        };
        Ok(Self { storage, found })
    }

    fn store(&self) -> &Arc<dyn ObjectStore> {
        self.storage.store()
    }
}
