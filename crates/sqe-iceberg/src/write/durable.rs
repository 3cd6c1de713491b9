//! Making the files of this machine survive a crash of it: `object_store` leaves them to the cache
//! of the system. Other stores keep what they have taken, and nothing is done here for them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::storage::{Storage, local_file};
use crate::{Error, ErrorKind, Result};

/// Waits until the bytes of `files` are on the disk.
pub(super) async fn sync_bytes(storage: &Storage, files: Vec<String>) -> Result<()> {
    if !storage.is_local() || files.is_empty() {
        return Ok(());
    }
    let paths = files.iter().map(|location| local_file(location)).collect::<Result<_>>()?;
    sync(paths).await
}

/// Waits until the names of `files` are on the disk, and those of the directories that were made
/// for them inside of `outer`.
pub(super) async fn sync_names(
    storage: &Storage,
    files: Vec<String>,
    outer: Option<PathBuf>,
) -> Result<()> {
    if !storage.is_local() {
        return Ok(());
    }
    let files = files.iter().map(|location| local_file(location)).collect::<Result<Vec<_>>>()?;
    sync(directories_of(&files, outer.as_deref()).into_iter().collect()).await
}

async fn sync(paths: Vec<PathBuf>) -> Result<()> {
    let task =
        tokio::task::spawn_blocking(move || paths.iter().try_for_each(|path| sync_one(path)));
    task.await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Internal, "a write to the disk panicked").with_source(error))
    })
}

fn sync_one(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ErrorKind::ResourceExhausted
            }
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("failed to write {}", path.display())).with_source(error)
    })
}

/// The directories of `files` and those above them up to `outer`.
fn directories_of(files: &[PathBuf], outer: Option<&Path>) -> BTreeSet<PathBuf> {
    let mut directories = BTreeSet::new();
    for file in files {
        let above = file.ancestors().skip(1);
        let inside = above.take_while(|above| outer.is_some_and(|outer| above.starts_with(outer)));
        directories.extend(file.parent().into_iter().chain(inside).map(Path::to_owned));
    }
    directories
}

/// The nearest directory that exists, `location` itself or one above it: what is made below it has
/// to be made durable.
pub(super) fn existing_directory(location: &str) -> Option<PathBuf> {
    let directory = local_file(location).ok()?;
    directory.ancestors().find(|directory| directory.is_dir()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_those_a_statement_may_have_made() {
        let check = |files: &[&str], outer: &str, expected: &[&str]| {
            let files: Vec<_> = files.iter().map(PathBuf::from).collect();
            let expected = expected.iter().map(PathBuf::from).collect();
            assert_eq!(directories_of(&files, Some(Path::new(outer))), expected);
        };
        let files = ["/w/s/t/data/p=1/a", "/w/s/t/data/p=1/b", "/w/s/t/metadata/m"];
        let inner = ["/w/s/t", "/w/s/t/data", "/w/s/t/data/p=1", "/w/s/t/metadata"];
        check(&files, "/w/s/t", &inner);
        check(&files, "/w", &[&inner[..], &["/w", "/w/s"]].concat());
        check(&["/elsewhere/d/f"], "/w/s/t", &["/elsewhere/d"]);
    }

    #[tokio::test]
    async fn a_file_that_is_missing_is_an_error() {
        let directory = tempfile::TempDir::new().unwrap();
        let location = directory.path().join("there").display().to_string();
        std::fs::write(&location, "x").unwrap();
        let outer = existing_directory(&format!("{location}/not/yet")).unwrap();
        assert_eq!(outer, directory.path());
        let storage = Storage::local();
        sync_bytes(&storage, vec![location.clone()]).await.unwrap();
        sync_names(&storage, vec![location.clone()], Some(outer)).await.unwrap();
        let missing = format!("{location}2");
        let error = sync_bytes(&storage, vec![location, missing.clone()]).await.unwrap_err();
        assert_eq!(error.message(), format!("failed to write {missing}"));
    }
}
