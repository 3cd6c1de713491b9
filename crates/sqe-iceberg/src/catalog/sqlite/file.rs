//! A new metadata file: on disk before the row that points to it, gone where there is none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Error, ErrorKind, Result, storage};

/// A file and the directories that were made for it. It stays only where `keep` is called.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
    /// The innermost first.
    directories: Vec<PathBuf>,
}

impl NewFile {
    /// Writes the file so that it survives a crash of the machine. Blocks.
    pub(super) fn write(location: &str, bytes: &[u8]) -> Result<Self> {
        let path = storage::local_file(location)?;
        let mut file = Self { path, directories: Vec::new() };
        file.create(bytes).map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    ErrorKind::ResourceExhausted
                }
                _ => ErrorKind::Unavailable,
            };
            Error::new(kind, format!("failed to write {location}")).with_source(error)
        })?;
        Ok(file)
    }

    /// The row is there: the file stays.
    pub(super) fn keep(mut self) {
        self.path = PathBuf::new();
        self.directories.clear();
    }

    fn create(&mut self, bytes: &[u8]) -> io::Result<()> {
        let parent = self.path.parent().unwrap_or(Path::new("/")).to_owned();
        let missing = parent.ancestors().take_while(|directory| !directory.exists());
        self.directories = missing.map(Path::to_owned).collect();
        let mut file = self.create_below(&parent)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        File::open(&parent)?.sync_all()?;
        for directory in &self.directories {
            if let Some(outer) = directory.parent() {
                File::open(outer)?.sync_all()?;
            }
        }
        Ok(())
    }

    fn create_below(&self, parent: &Path) -> io::Result<File> {
        let create = || {
            fs::create_dir_all(parent)?;
            OpenOptions::new().write(true).create_new(true).open(&self.path)
        };
        match create() {
            // Somebody whose change failed removed the directory between the two steps.
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(),
            result => result,
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "unused metadata file stays");
            }
            _ => {}
        }
        for directory in &self.directories {
            // Fails where somebody else put a file there, and then the directory has to stay.
            if fs::remove_dir(directory).is_err() {
                break;
            }
        }
    }
}
