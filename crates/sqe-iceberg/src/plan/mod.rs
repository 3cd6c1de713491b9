//! Which files a statement has to read, from the manifests of a snapshot.
//!
//! The walk is from the manifest list over manifests to files, each pruned by what its parent says
//! of it, see [`prune`]. Nothing here opens a data file. What this crate cannot read is refused
//! here by name, so that a row is never wrong or lost.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::{
    DataContentType, DataFileFormat, FormatVersion, ManifestContentType, ManifestFile,
};

use crate::cache::ManifestCache;
use crate::{Error, Result, Table};

mod bounds;
mod data_file;
mod group;
mod inverse;
mod manifest;
mod prune;
mod statistics;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use bounds::ColumnType;
pub(crate) use data_file::DataFile;
pub(crate) use group::{cut, group_by_bytes};
pub(crate) use manifest::{ManifestList, SnapshotFile, read_manifest};
pub(crate) use prune::Pruner;
pub(crate) use statistics::{column_types, file_statistics, table_statistics};

/// Manifests of one statement that are read at the same time.
const CONCURRENT_MANIFESTS: usize = 16;

/// Refuses what a table declares and this crate cannot read.
pub(crate) fn check_supported(table: &Table) -> Result<()> {
    let metadata = &table.metadata;
    if metadata.format_version() > FormatVersion::V2 {
        let version = metadata.format_version() as u8;
        return Err(unsupported(table, format!("format version {version} is not supported")));
    }
    if metadata.encryption_keys_iter().len() > 0 {
        return Err(unsupported(table, "encrypted tables are not supported"));
    }
    Ok(())
}

/// The data files of the current snapshot that can hold a row that `pruner` lets through, in the
/// order of the manifests.
///
/// With `limit`, no more files than are needed for so many rows; only valid without filters.
/// Errors: `Unsupported` for delete files and formats other than Parquet, by name; `Corrupt` and
/// what the store says, by location.
pub(crate) async fn plan_files(
    table: &Table,
    cache: &ManifestCache,
    pruner: Option<&Pruner<'_>>,
    limit: Option<usize>,
) -> Result<Vec<Arc<DataFile>>> {
    let Some(snapshot) = table.metadata.current_snapshot() else {
        return Ok(Vec::new());
    };
    let snapshot = SnapshotFile::new(snapshot, table.metadata.format_version());
    let list = cache.manifest_list(&table.storage, &snapshot).await?;
    refuse_deletes(table, cache, &list).await?;

    let data = |manifest: &&ManifestFile| {
        manifest.content == ManifestContentType::Data && has_live_files(manifest)
    };
    let mut manifests: Vec<&ManifestFile> = list.manifests.iter().filter(data).collect();
    if let Some(pruner) = pruner {
        let mut keep = pruner.manifests(&manifests).into_iter();
        manifests.retain(|_| keep.next().unwrap_or(true));
    }
    let loads = manifests.into_iter().map(|manifest| cache.data_files(&table.storage, manifest));
    let mut loaded = stream::iter(loads.collect::<Vec<_>>()).buffered(CONCURRENT_MANIFESTS);

    let mut files = Vec::new();
    let mut records = 0;
    let wanted = limit.map_or(u64::MAX, |limit| limit as u64);
    while records < wanted
        && let Some(of_manifest) = loaded.try_next().await?
    {
        let keep = match pruner {
            Some(pruner) => pruner.files(&of_manifest),
            None => vec![true; of_manifest.len()],
        };
        for (file, _) in of_manifest.iter().zip(keep).filter(|(_, keep)| *keep) {
            check_readable(table, file)?;
            if records < wanted && file.records > 0 {
                records += file.records;
                files.push(Arc::clone(file));
            }
        }
    }
    Ok(files)
}

/// Applying delete files is not built, and a table that has any would show rows that are deleted.
async fn refuse_deletes(table: &Table, cache: &ManifestCache, list: &ManifestList) -> Result<()> {
    let deletes = list.manifests.iter().filter(|manifest| {
        manifest.content == ManifestContentType::Deletes && has_live_files(manifest)
    });
    for manifest in deletes {
        let files = cache.data_files(&table.storage, manifest).await?;
        if let Some(file) = files.first() {
            let kind = match (file.content, file.format) {
                (_, DataFileFormat::Puffin) => "deletion vectors",
                (DataContentType::EqualityDeletes, _) => "equality deletes",
                _ => "position deletes",
            };
            return Err(unsupported(table, format!("{kind} are not supported")));
        }
    }
    Ok(())
}

fn check_readable(table: &Table, file: &DataFile) -> Result<()> {
    let location = &file.location;
    if file.content != DataContentType::Data {
        return Err(Error::corrupt(format!("{location} is a delete file in a data manifest")));
    }
    if file.format != DataFileFormat::Parquet {
        let format = file.format;
        return Err(unsupported(table, format!("data file {location} is {format}, not parquet")));
    }
    if file.encrypted {
        return Err(unsupported(table, format!("data file {location} is encrypted")));
    }
    Ok(())
}

/// A count that is missing counts as one that is not zero.
fn has_live_files(manifest: &ManifestFile) -> bool {
    manifest.has_added_files() || manifest.has_existing_files()
}

fn unsupported(table: &Table, message: impl std::fmt::Display) -> Error {
    Error::unsupported(format!("table {}: {message}", table.ident))
}
