//! Merging small manifests, so that a table of many small appends can still be planned quickly.
//!
//! Files keep their sequence numbers and the snapshots that added them; entries of files that were
//! deleted are left out. Manifests with deletes and those of other schemas or partitionings stay as
//! they are.

use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{Manifest, ManifestContentType, ManifestFile, TableMetadata};

use super::manifest::{NewSnapshot, manifest_writer, metadata_directory};
use super::options::Properties;
use super::target::Target;
use crate::{Error, Result};

const DEFAULT_MIN_COUNT: usize = 100;
const DEFAULT_TARGET_BYTES: i64 = 8 << 20;
const CONCURRENT_READS: usize = 16;

/// Manifests of a table, with fewer of them after merging.
pub(super) struct Merged {
    pub(super) manifests: Vec<ManifestFile>,
    /// Locations that only these manifests need, where there is a file at all.
    pub(super) written: Vec<String>,
}

/// Merges `manifests` where the table's properties want it. `attempt` makes locations unique.
pub(super) async fn merge_manifests(
    target: &Target,
    metadata: &TableMetadata,
    snapshot: NewSnapshot,
    attempt: u32,
    manifests: Vec<ManifestFile>,
) -> Result<Merged> {
    let properties = Properties(metadata.properties());
    let enabled = properties.parse("commit.manifest-merge.enabled")?.unwrap_or(true);
    let min_count = properties.parse("commit.manifest.min-count-to-merge")?;
    let target_bytes = properties.parse("commit.manifest.target-size-bytes")?;
    let target_bytes = target_bytes.unwrap_or(DEFAULT_TARGET_BYTES);
    let (small, mut others): (Vec<_>, Vec<_>) = manifests.into_iter().partition(|manifest| {
        manifest.content == ManifestContentType::Data
            && manifest.partition_spec_id == target.spec.spec_id()
            && manifest.manifest_length < target_bytes
    });
    if !enabled || small.len() < min_count.unwrap_or(DEFAULT_MIN_COUNT).max(2) {
        others.extend(small);
        return Ok(Merged { manifests: others, written: Vec::new() });
    }
    let mut written = Vec::new();
    for bin in pack(small, target_bytes) {
        let (location, commit) = (metadata_directory(metadata), snapshot.commit);
        let location = format!("{location}/{commit}-merged-{attempt}-{}.avro", written.len());
        others.extend(merge(target, metadata, snapshot, &location, bin).await?);
        written.push(location);
    }
    Ok(Merged { manifests: others, written })
}

/// Neighbours together, so that files that were added together stay together.
fn pack(manifests: Vec<ManifestFile>, target_bytes: i64) -> Vec<Vec<ManifestFile>> {
    let mut bins: Vec<Vec<ManifestFile>> = Vec::new();
    let mut free_bytes = 0;
    for manifest in manifests {
        let bytes = manifest.manifest_length;
        match bins.last_mut() {
            Some(bin) if bytes <= free_bytes => bin.push(manifest),
            _ => {
                bins.push(vec![manifest]);
                free_bytes = target_bytes;
            }
        }
        free_bytes -= bytes;
    }
    bins
}

/// The manifests of one bin as one, behind those that cannot be merged.
async fn merge(
    target: &Target,
    metadata: &TableMetadata,
    snapshot: NewSnapshot,
    location: &str,
    bin: Vec<ManifestFile>,
) -> Result<Vec<ManifestFile>> {
    if bin.len() < 2 {
        return Ok(bin);
    }
    let file_io = target.files.storage().file_io();
    let loaded: Vec<(ManifestFile, Manifest)> = futures::stream::iter(bin)
        .map(async |manifest| {
            let loaded = manifest.load_manifest(file_io).await?;
            Ok::<_, Error>((manifest, loaded))
        })
        .buffered(CONCURRENT_READS)
        .try_collect()
        .await?;
    let (same, different): (Vec<_>, Vec<_>) =
        loaded.into_iter().partition(|(_, loaded)| loaded.metadata().schema() == &target.schema);
    let mut result: Vec<_> = different.into_iter().map(|(manifest, _)| manifest).collect();
    if same.len() < 2 {
        result.extend(same.into_iter().map(|(manifest, _)| manifest));
        return Ok(result);
    }
    target.files.record(location);
    let mut writer = manifest_writer(target, metadata, snapshot, location)?;
    let entries = same.iter().flat_map(|(_, loaded)| loaded.entries());
    for entry in entries.filter(|entry| entry.is_alive()) {
        let (Some(added_by), Some(sequence_number)) =
            (entry.snapshot_id(), entry.sequence_number())
        else {
            let path = entry.file_path();
            return Err(Error::corrupt(format!("manifest entry of {path} has no snapshot")));
        };
        let file_sequence_number = entry.file_sequence_number;
        let file = entry.data_file().clone();
        writer.add_existing_file(file, added_by, sequence_number, file_sequence_number)?;
    }
    result.push(writer.write_manifest_file().await?);
    Ok(result)
}
