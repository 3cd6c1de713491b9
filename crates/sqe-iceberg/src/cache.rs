//! Decoded manifests and manifest lists, shared by all statements of a process.
//!
//! Both are immutable files, so nothing here is ever out of date. Who may read a table is not
//! decided here: the catalog has let the user load it in this statement. What a table's metadata
//! names outside of its own location is not shared between users, because a name is no proof.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use moka::future::Cache;

use crate::plan::{DataFile, ManifestList};
use crate::storage::Storage;
use crate::{Error, Result, plan, storage};

/// A bounded cache of decoded manifests by location. Clones share it.
#[derive(Debug, Clone)]
pub struct ManifestCache {
    files: Cache<Key, Decoded>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    /// The path in the store, which tells stores and, outside of the table, users apart.
    path: object_store::path::Path,
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
                let bytes = size_of::<Key>() + key.path.as_ref().len() + decoded.size_bytes();
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
        let key = Key { path: storage.path(&snapshot.manifest_list)?, stamp: snapshot.id };
        let load = || {
            let list = ManifestList::read(storage, snapshot);
            list.map_ok(|list| Decoded::List(Arc::new(list))).boxed()
        };
        match self.get(key, load).await? {
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
        let path = storage.path(&manifest.manifest_path)?;
        let key = Key { path, stamp: manifest.manifest_length };
        let load = || plan::read_manifest(storage, manifest).map_ok(Decoded::Files).boxed();
        match self.get(key, load).await? {
            Decoded::Files(files) => Ok(files),
            Decoded::List(_) => Err(mixed_up(&manifest.manifest_path)),
        }
    }

    /// What is cached, or what `load` reads.
    async fn get<'a>(
        &self,
        key: Key,
        load: impl Fn() -> BoxFuture<'a, Result<Decoded>>,
    ) -> Result<Decoded> {
        let mut was_asked = false;
        let first = async {
            was_asked = true;
            load().await
        };
        let decoded = self.files.try_get_with(key, first).await;
        storage::manifest_asked(!was_asked);
        if was_asked {
            storage::manifest_bytes(self.files.weighted_size());
        }
        match decoded {
            Ok(decoded) => Ok(decoded),
            Err(error) if was_asked => Err(Error::new(error.kind(), error.to_string())),
            // It was somebody else who failed, and he may have had other rights.
            Err(_) => load().await,
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

    #[tokio::test]
    async fn the_failure_of_one_user_is_not_that_of_another() {
        let cache = ManifestCache::new(1 << 20);
        let key = || Key { path: "n/b/t/m".into(), stamp: 1 };
        let begun = tokio::sync::Notify::new();
        let denied = || {
            let load = async {
                begun.notified().await;
                Err(Error::new(crate::ErrorKind::Forbidden, "denied"))
            };
            load.boxed()
        };
        let allowed = || async { Ok(Decoded::Files(Arc::new([]))) }.boxed();
        let other = async {
            tokio::task::yield_now().await;
            begun.notify_one();
            cache.get(key(), allowed).await
        };
        let (first, second) = tokio::join!(cache.get(key(), denied), other);
        assert_eq!(first.unwrap_err().kind(), crate::ErrorKind::Forbidden);
        second.unwrap();
    }
}
