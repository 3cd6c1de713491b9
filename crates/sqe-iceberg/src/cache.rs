//! Decoded manifests and manifest lists, shared by all statements of a process.
//!
//! Both are immutable files, so nothing here is ever out of date. Who may read a table is not
//! decided here: a location is only known to somebody whom the catalog let load the table.

use std::sync::Arc;

use moka::future::Cache;

use crate::plan::{DataFile, ManifestList};
use crate::storage::Storage;
use crate::{Error, Result, plan};

/// A bounded cache of decoded manifests by location. Clones share it.
#[derive(Debug, Clone)]
pub struct ManifestCache {
    files: Cache<Key, Decoded>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    location: String,
    /// Length of a manifest, id of the snapshot of a list: a file that was written where a dropped
    /// table once had one is not taken for it.
    stamp: i64,
}

#[derive(Debug, Clone)]
enum Decoded {
    List(Arc<ManifestList>),
    Files(Arc<[Arc<DataFile>]>),
}

impl ManifestCache {
    /// A cache that holds about `max_bytes` of decoded manifests.
    pub fn new(max_bytes: u64) -> Self {
        let files = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|key: &Key, decoded: &Decoded| {
                let bytes = size_of::<Key>() + key.location.len() + decoded.size_bytes();
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .build();
        Self { files }
    }

    /// The manifests of a snapshot.
    pub(crate) async fn manifest_list(
        &self,
        storage: &Storage,
        snapshot: &plan::SnapshotFile,
    ) -> Result<Arc<ManifestList>> {
        let key = Key { location: snapshot.manifest_list.clone(), stamp: snapshot.id };
        let load = async {
            ManifestList::read(storage, snapshot).await.map(|list| Decoded::List(Arc::new(list)))
        };
        match self.files.try_get_with(key, load).await.map_err(shared)? {
            Decoded::List(list) => Ok(list),
            Decoded::Files(_) => Err(mixed_up(&snapshot.manifest_list)),
        }
    }

    /// The live files of a manifest.
    pub(crate) async fn data_files(
        &self,
        storage: &Storage,
        manifest: &iceberg::spec::ManifestFile,
    ) -> Result<Arc<[Arc<DataFile>]>> {
        let location = manifest.manifest_path.clone();
        let key = Key { location, stamp: manifest.manifest_length };
        let load = async { plan::read_manifest(storage, manifest).await.map(Decoded::Files) };
        match self.files.try_get_with(key, load).await.map_err(shared)? {
            Decoded::Files(files) => Ok(files),
            Decoded::List(_) => Err(mixed_up(&manifest.manifest_path)),
        }
    }
}

impl Decoded {
    fn size_bytes(&self) -> usize {
        match self {
            Self::List(list) => list.size_bytes(),
            Self::Files(files) => files.iter().map(|file| file.size_bytes()).sum(),
        }
    }
}

/// All that waited for one load get its error.
fn shared(error: Arc<Error>) -> Error {
    Error::new(error.kind(), error.to_string())
}

fn mixed_up(location: &str) -> Error {
    Error::corrupt(format!("{location} is named as a manifest and as a manifest list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_load_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let location = directory.path().join("list.avro").display().to_string();
        let snapshot = plan::SnapshotFile {
            id: 1,
            manifest_list: location.clone(),
            sequence_number: 1,
            format_version: iceberg::spec::FormatVersion::V2,
        };
        let cache = ManifestCache::new(1 << 20);
        let storage = Storage::local();
        let error = cache.manifest_list(&storage, &snapshot).await.unwrap_err();
        assert!(error.to_string().contains(&location), "{error}");

        let bytes = plan::tests::manifest_list(snapshot.format_version, 1, Vec::new()).await;
        std::fs::write(&location, bytes).unwrap();
        let list = cache.manifest_list(&storage, &snapshot).await.unwrap();
        std::fs::remove_file(&location).unwrap();
        let again = cache.manifest_list(&storage, &snapshot).await.unwrap();
        assert!(Arc::ptr_eq(&list, &again));
    }
}
