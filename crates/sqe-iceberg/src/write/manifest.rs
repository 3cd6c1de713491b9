//! Manifests of new data files, and lists of manifests.

use std::sync::Arc;

use iceberg::io::FileIO;
use iceberg::spec::{
    DataFile, FormatVersion, ManifestFile, ManifestList, ManifestListWriter, ManifestWriter,
    ManifestWriterBuilder, Snapshot, TableMetadata,
};
use uuid::Uuid;

use super::target::Target;
use crate::storage::Storage;
use crate::{Error, Result};

/// Readers load whole manifests, so several of this size are better than one of any size.
const TARGET_MANIFEST_BYTES: usize = 8 << 20;
/// What an entry takes without its metrics, and what the metrics of a column add.
const ENTRY_BYTES: usize = 300;
const COLUMN_BYTES: usize = 100;

/// What identifies a snapshot before it exists. It stays when a commit is tried again, so that
/// manifests can be used again.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewSnapshot {
    pub(super) id: i64,
    pub(super) commit: Uuid,
}

impl NewSnapshot {
    pub(super) fn generate() -> Self {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        // A positive number, of which all bits but the sign are random.
        Self { id: ((high ^ low) >> 1) as i64, commit: Uuid::new_v4() }
    }
}

/// Writes manifests with `files` as added. Their sequence number is the one of the snapshot,
/// whatever that will be.
pub(super) async fn write_manifests(
    target: &Target,
    metadata: &TableMetadata,
    snapshot: NewSnapshot,
    files: Vec<DataFile>,
) -> Result<Vec<ManifestFile>> {
    let entry_bytes = ENTRY_BYTES + COLUMN_BYTES * target.options.leaves.len();
    let per_manifest = (TARGET_MANIFEST_BYTES / entry_bytes).clamp(50, 10_000);
    let mut manifests = Vec::new();
    let mut files = files.into_iter().peekable();
    while files.peek().is_some() {
        let (location, commit) = (metadata_directory(metadata), snapshot.commit);
        let location = format!("{location}/{commit}-m{}.avro", manifests.len());
        target.files.record(&location);
        let mut writer = manifest_writer(target, metadata, snapshot, &location)?;
        for file in files.by_ref().take(per_manifest) {
            writer.add_file(file, INHERITED)?;
        }
        manifests.push(writer.write_manifest_file().await?);
    }
    Ok(manifests)
}

/// A writer of a manifest of data files.
pub(super) fn manifest_writer(
    target: &Target,
    metadata: &TableMetadata,
    snapshot: NewSnapshot,
    location: &str,
) -> Result<ManifestWriter> {
    let builder = ManifestWriterBuilder::new(
        target.files.storage().file_io().new_output(location)?,
        Some(snapshot.id),
        Arc::clone(&target.schema),
        target.manifest_spec.clone(),
    );
    match metadata.format_version() {
        FormatVersion::V1 => Ok(builder.build_v1()),
        FormatVersion::V2 => Ok(builder.build_v2_data()),
        FormatVersion::V3 => Err(version_3()),
    }
}

/// A sequence number that stands for that of the snapshot.
const INHERITED: i64 = -1;

/// Reads the manifest list of a snapshot.
pub(super) async fn read_manifest_list(
    storage: &Storage,
    snapshot: &Snapshot,
    version: FormatVersion,
) -> Result<Vec<ManifestFile>> {
    let location = snapshot.manifest_list();
    let bytes = storage.read(location).await?;
    let list = ManifestList::parse_with_version(&bytes, version)
        // A table keeps the lists from before it was upgraded.
        .or_else(|error| {
            ManifestList::parse_with_version(&bytes, FormatVersion::V1).map_err(|_| error)
        })
        .map_err(|error| {
            Error::corrupt(format!("manifest list {location}")).with_source(Error::from(error))
        })?;
    Ok(list.consume_entries().into_iter().collect())
}

/// Writes the manifest list of `snapshot` on top of the current one of `metadata`.
pub(super) async fn write_manifest_list(
    file_io: &FileIO,
    location: &str,
    metadata: &TableMetadata,
    snapshot: NewSnapshot,
    manifests: Vec<ManifestFile>,
) -> Result<()> {
    let output = file_io.new_output(location)?.writer().await?;
    let parent = metadata.current_snapshot_id();
    let mut writer = match metadata.format_version() {
        FormatVersion::V1 => ManifestListWriter::v1(output, snapshot.id, parent),
        FormatVersion::V2 => {
            let sequence_number = metadata.next_sequence_number();
            ManifestListWriter::v2(output, snapshot.id, parent, sequence_number)
        }
        FormatVersion::V3 => return Err(version_3()),
    };
    writer.add_manifests(manifests.into_iter())?;
    Ok(writer.close().await?)
}

fn version_3() -> Error {
    Error::unsupported("writing into a table of format version 3")
}

/// Where metadata goes, without a final slash.
pub(super) fn metadata_directory(metadata: &TableMetadata) -> String {
    match metadata.properties().get("write.metadata.path") {
        Some(path) => path.trim_end_matches('/').to_owned(),
        None => format!("{}/metadata", metadata.location().trim_end_matches('/')),
    }
}
