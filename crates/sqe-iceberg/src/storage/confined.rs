//! Files of this machine, but only those below some places.
//!
//! A path is looked up in the file system before each use: where it leads counts, not how it is
//! written. Whoever can change links below an allowed place while a file is opened is not kept out:
//! he writes the files of the table itself.

use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result as StoreResult,
};

use super::location;
use crate::{Error, ErrorKind, Result};

/// Files that are deleted at the same time.
const CONCURRENT_DELETES: usize = 8;

/// The files of this machine at some places and below. Its paths are those of the whole machine.
#[derive(Debug, Clone)]
pub(super) struct Confined {
    files: Arc<LocalFileSystem>,
    places: Arc<[PathBuf]>,
}

impl Confined {
    /// Errors: `Unsupported` for a prefix that names no file of this machine, `InvalidArgument`
    /// for one that covers all of it.
    pub(super) fn new(prefixes: &[String]) -> Result<Self> {
        let places = prefixes.iter().map(|prefix| {
            let place = location::local_file(prefix)?;
            match place.parent() {
                Some(_) => Ok(place),
                None => Err(Error::invalid(format!("location {prefix} covers the whole machine"))),
            }
        });
        let places = places.collect::<Result<_>>()?;
        Ok(Self { files: Arc::new(LocalFileSystem::new()), places })
    }

    /// Errors: `PermissionDenied` where the path leads out of all places.
    async fn check(&self, path: &Path) -> StoreResult<()> {
        let file = PathBuf::from(format!("/{path}"));
        let places = Arc::clone(&self.places);
        let is_below = tokio::task::spawn_blocking(move || {
            let mut around = places.iter().filter(|place| file.starts_with(place)).peekable();
            let Some(real) = around.peek().and_then(|_| real_path(&file)) else { return false };
            around.filter_map(|place| real_path(place)).any(|place| real.starts_with(place))
        });
        match is_below.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(outside(path)),
            Err(source) => Err(StoreError::JoinError { source }),
        }
    }
}

/// Where a path leads; `None` where that cannot be told. The part that does not exist is taken as
/// it is written, which no link can be part of.
fn real_path(path: &FilePath) -> Option<PathBuf> {
    let mut missing: Vec<OsString> = Vec::new();
    for ancestor in path.ancestors() {
        match ancestor.canonicalize() {
            Ok(mut real) => {
                real.extend(missing.iter().rev());
                return Some(real);
            }
            // A link to nothing, or something that must not be looked at.
            Err(_) if ancestor.symlink_metadata().is_ok() => return None,
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return None,
            Err(_) => missing.push(ancestor.file_name()?.to_owned()),
        }
    }
    None
}

fn outside(path: &Path) -> StoreError {
    let message = format!("file /{path} is outside of what this node may read");
    let source = Box::new(Error::new(ErrorKind::Forbidden, message));
    StoreError::PermissionDenied { path: path.to_string(), source }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files below {:?}", self.places)
    }
}

#[async_trait]
impl ObjectStore for Confined {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> StoreResult<PutResult> {
        self.check(path).await?;
        self.files.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.check(path).await?;
        self.files.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.check(path).await?;
        self.files.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        self.check(path).await?;
        self.files.get_ranges(path, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        let store = self.clone();
        let checked = paths.map(move |path| {
            let store = store.clone();
            async move {
                let path = path?;
                store.check(&path).await?;
                Ok(path)
            }
        });
        self.files.delete_stream(checked.buffered(CONCURRENT_DELETES).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let listing = async move {
            store.check(&prefix).await?;
            let found = store.files.list(Some(&prefix));
            Ok::<_, StoreError>(found.and_then(move |found| {
                let store = store.clone();
                async move { store.check(&found.location).await.map(|()| found) }
            }))
        };
        stream::once(listing).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.check(prefix.unwrap_or(&Path::default())).await?;
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.check(from).await?;
        self.check(to).await?;
        self.files.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn only_what_lies_below_the_places_is_reached() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        for folder in ["table/data", "table2", "other", "real"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["table/f", "table/data/f", "table2/f", "other/f", "real/f", "one"] {
            fs::write(at(file), b"x").unwrap();
        }
        symlink(at("other"), at("table/out")).unwrap();
        symlink(at("other/f"), at("table/leak")).unwrap();
        symlink(at("other/new"), at("table/dangling")).unwrap();
        symlink(at("table/data"), at("table/in")).unwrap();
        symlink(at("real"), at("linked")).unwrap();

        let places = [format!("file://{}/", at("table")), at("linked"), at("one")];
        let store = Confined::new(&places).unwrap();
        let check = async |name: &str, expected: bool| {
            let path = location::local_path(&at(name)).unwrap();
            let read = store.get(&path).await.map(drop);
            let ranges = store.get_ranges(&path, std::slice::from_ref(&(0..1))).await.map(drop);
            for result in [read, ranges] {
                match result {
                    Ok(()) => assert!(expected, "{name} was read"),
                    Err(error) => {
                        assert!(!expected, "{name}: {error}");
                        assert_eq!(Error::from(error).kind(), ErrorKind::Forbidden, "{name}");
                    }
                }
            }
        };
        for name in ["table/f", "table/data/f", "table/in/f", "linked/f", "one"] {
            check(name, true).await;
        }
        for name in ["table2/f", "other/f", "real/f", "table/out/f", "table/leak"] {
            check(name, false).await;
        }
        for name in ["table/dangling", "table/out/new", "other/new"] {
            let path = location::local_path(&at(name)).unwrap();
            let error = store.put(&path, Bytes::from_static(b"y").into()).await.unwrap_err();
            assert_eq!(Error::from(error).kind(), ErrorKind::Forbidden, "{name}");
            assert!(!fs::exists(at("other/new")).unwrap());
        }
        let path = location::local_path(&at("table/new/deep/f")).unwrap();
        store.put(&path, Bytes::from_static(b"y").into()).await.unwrap();
        store.delete(&path).await.unwrap();
        assert!(store.delete(&location::local_path(&at("other/f")).unwrap()).await.is_err());
        assert!(location::local_path(&at("table/../other/f")).is_err());
        assert!(fs::exists(at("other/f")).unwrap());
    }

    #[test]
    fn a_place_is_not_everything() {
        for (place, kind) in [
            ("/", ErrorKind::InvalidArgument),
            ("file:///", ErrorKind::InvalidArgument),
            ("s3://b/t", ErrorKind::Unsupported),
            ("relative", ErrorKind::Unsupported),
        ] {
            assert_eq!(Confined::new(&[place.to_owned()]).unwrap_err().kind(), kind, "{place}");
        }
    }
}
