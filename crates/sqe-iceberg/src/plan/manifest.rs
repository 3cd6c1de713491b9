//! Manifest lists and manifests, read and cut down to what planning needs.
//!
//! The `iceberg` crate parses the bytes. Its own scan is not used: it compares bounds in the type
//! a column had when its file was written and thereby drops files of promoted columns.

use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use iceberg::spec::{
    FormatVersion, Manifest, ManifestEntry, ManifestFile, ManifestStatus, Snapshot,
};

use super::data_file::DataFile;
use crate::storage::Storage;
use crate::{Error, Result};

/// Where the manifest list of a snapshot is.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotFile {
    pub(crate) id: i64,
    pub(crate) manifest_list: String,
    pub(crate) sequence_number: i64,
    /// The version of the table, which may be newer than that of the snapshot.
    pub(crate) format_version: FormatVersion,
}

impl SnapshotFile {
    pub(crate) fn new(snapshot: &Snapshot, format_version: FormatVersion) -> Self {
        Self {
            id: snapshot.snapshot_id(),
            manifest_list: snapshot.manifest_list().to_owned(),
            sequence_number: snapshot.sequence_number(),
            format_version,
        }
    }
}

/// The manifests of a snapshot.
#[derive(Debug)]
pub(crate) struct ManifestList {
    pub(crate) manifests: Vec<ManifestFile>,
}

impl ManifestList {
    /// Reads a manifest list. Errors: `Corrupt`, or what the store says, with the location.
    pub(crate) async fn read(storage: &Storage, snapshot: &SnapshotFile) -> Result<Self> {
        let bytes = storage.read(&snapshot.manifest_list).await?;
        let (version, of_v1) = (snapshot.format_version, snapshot.sequence_number == 0);
        let parsed = blocking(&snapshot.manifest_list, move || {
            let parsed = iceberg::spec::ManifestList::parse_with_version(&bytes, version);
            if parsed.is_ok() || version == FormatVersion::V1 || !of_v1 {
                return parsed;
            }
            // A snapshot from before the table was upgraded. It cannot list deletes, so reading
            // its list without the column that tells them apart loses nothing.
            iceberg::spec::ManifestList::parse_with_version(&bytes, FormatVersion::V1)
        });
        Ok(Self { manifests: parsed.await?.consume_entries().into_iter().collect() })
    }

    /// Bytes in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        let of_one = |manifest: &ManifestFile| {
            let summaries = manifest.partitions.iter().flatten();
            let summaries = summaries.map(|summary| {
                let bounds = [&summary.lower_bound, &summary.upper_bound].into_iter().flatten();
                size_of_val(summary) + bounds.map(|bound| bound.len()).sum::<usize>()
            });
            let metadata = manifest.key_metadata.as_ref().map_or(0, Vec::len);
            size_of::<ManifestFile>()
                + manifest.manifest_path.len()
                + metadata
                + summaries.sum::<usize>()
        };
        self.manifests.iter().map(of_one).sum()
    }
}

/// The live files of a manifest, in its order.
/// Errors: `Corrupt`, or what the store says, with the location; `Unsupported` for encryption.
pub(crate) async fn read_manifest(
    storage: &Storage,
    file: &ManifestFile,
) -> Result<Arc<[Arc<DataFile>]>> {
    if file.key_metadata.as_ref().is_some_and(|key| !key.is_empty()) {
        return Err(Error::unsupported(format!("manifest {} is encrypted", file.manifest_path)));
    }
    let bytes = storage.read(&file.manifest_path).await?;
    let (spec_id, sequence_number) = (file.partition_spec_id, file.sequence_number);
    blocking(&file.manifest_path, move || {
        let manifest = Manifest::parse_avro(&bytes)?;
        let live = manifest.entries().iter().filter(|entry| entry.is_alive());
        Ok(live
            .map(|entry| {
                let sequence_number = inherited(entry, sequence_number);
                Arc::new(DataFile::new(entry.data_file(), spec_id, sequence_number))
            })
            .collect())
    })
    .await
}

/// A file that was added by the commit that wrote the manifest may leave its number out.
fn inherited(entry: &ManifestEntry, of_manifest: i64) -> Option<i64> {
    match (entry.sequence_number(), entry.status()) {
        (Some(number), _) => Some(number),
        (None, ManifestStatus::Added) => Some(of_manifest),
        (None, _) => None,
    }
}

/// Decoding takes milliseconds, which other tasks of the thread should not have to wait for.
async fn blocking<T: Send + 'static>(
    location: &str,
    parse: impl FnOnce() -> iceberg::Result<T> + Send + 'static,
) -> Result<T> {
    let corrupt = || Error::corrupt(format!("failed to decode {location}"));
    match SpawnedTask::spawn_blocking(parse).join().await {
        Ok(parsed) => parsed.map_err(|error| corrupt().with_source(Error::from(error))),
        Err(panicked) => Err(corrupt().with_source(panicked)),
    }
}
