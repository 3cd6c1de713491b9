//! The store behind a table: one `object_store` for data and metadata, also where the `iceberg`
//! crate reads and writes metadata through its own trait.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, OutputFile, StorageConfig,
    StorageFactory,
};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use crate::{Error, Result};

/// A store and the way from an Iceberg location to a path in it.
///
/// Two users never share one, so what one may read says nothing about the other.
#[derive(Clone)]
pub struct Storage {
    url: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    file_io: FileIO,
}

impl Storage {
    /// The files of this machine.
    pub fn local() -> Self {
        Self::new(ObjectStoreUrl::local_filesystem(), Arc::new(LocalFileSystem::new()))
    }

    fn new(url: ObjectStoreUrl, store: Arc<dyn ObjectStore>) -> Self {
        let adapter = StoreAdapter { store: Some(Arc::clone(&store)) };
        let file_io = FileIOBuilder::new(Arc::new(adapter)).build();
        Self { url, store, file_io }
    }

    /// The key under which the engine finds the store.
    pub fn url(&self) -> &ObjectStoreUrl {
        &self.url
    }

    /// The store itself.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The same store as the `iceberg` crate wants it.
    pub fn file_io(&self) -> &FileIO {
        &self.file_io
    }

    /// The path of an Iceberg location in this store. Errors: `Unsupported` for another scheme.
    pub fn path(&self, location: &str) -> Result<Path> {
        local_path(location)
    }

    /// Reads a whole file.
    pub async fn read(&self, location: &str) -> Result<Bytes> {
        let path = self.path(location)?;
        let result = self.store.get(&path).await.map_err(|e| read_error(location, e))?;
        result.bytes().await.map_err(|e| read_error(location, e))
    }

    /// Writes a whole file.
    pub async fn write(&self, location: &str, bytes: Bytes) -> Result<()> {
        let path = self.path(location)?;
        self.store.put(&path, PutPayload::from_bytes(bytes)).await?;
        Ok(())
    }

    /// Deletes a file; one that is not there is no error.
    pub async fn delete(&self, location: &str) -> Result<()> {
        match self.store.delete(&self.path(location)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

fn read_error(location: &str, error: object_store::Error) -> Error {
    let converted = Error::from(error);
    Error::new(converted.kind(), format!("failed to read {location}")).with_source(converted)
}

/// The file of this machine that a location names.
pub(crate) fn local_file(location: &str) -> Result<PathBuf> {
    Ok(PathBuf::from(format!("/{}", local_path(location)?)))
}

/// Iceberg locations are names, not URLs: `%20` in one is three characters of the file's name.
fn local_path(location: &str) -> Result<Path> {
    let absolute = match location.strip_prefix("file:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None => location,
    };
    if !absolute.starts_with('/') {
        return Err(Error::unsupported(format!(
            "location {location} is not a file of this machine, and no other storage is supported"
        )));
    }
    let collapsed: Vec<&str> = absolute.split('/').filter(|part| !part.is_empty()).collect();
    Path::parse(collapsed.join("/"))
        .map_err(|error| Error::invalid(format!("location {location}")).with_source(error))
}

/// An `object_store` behind the storage trait of the `iceberg` crate.
///
/// That trait can be serialized; a store cannot, and nothing here ever tries: an adapter that was
/// read from somewhere holds no store and fails at its first use.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct StoreAdapter {
    #[serde(skip)]
    store: Option<Arc<dyn ObjectStore>>,
}

impl StoreAdapter {
    fn locate(&self, location: &str) -> iceberg::Result<(&Arc<dyn ObjectStore>, Path)> {
        let store = self.store.as_ref().ok_or_else(|| unexpected("a storage without a store"))?;
        let path = local_path(location).map_err(|error| unexpected(error.to_string()))?;
        Ok((store, path))
    }
}

fn unexpected(message: impl Into<String>) -> iceberg::Error {
    iceberg::Error::new(iceberg::ErrorKind::Unexpected, message)
}

fn store_error(location: &str) -> impl Fn(object_store::Error) -> iceberg::Error {
    let location = location.to_owned();
    move |error| unexpected(format!("{location}: {error}")).with_source(error)
}

#[typetag::serde(name = "sqe-object-store")]
impl StorageFactory for StoreAdapter {
    fn build(&self, _config: &StorageConfig) -> iceberg::Result<Arc<dyn iceberg::io::Storage>> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
#[typetag::serde(name = "sqe-object-store")]
impl iceberg::io::Storage for StoreAdapter {
    async fn exists(&self, location: &str) -> iceberg::Result<bool> {
        let (store, path) = self.locate(location)?;
        match store.head(&path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(store_error(location)(error)),
        }
    }

    async fn metadata(&self, location: &str) -> iceberg::Result<FileMetadata> {
        let (store, path) = self.locate(location)?;
        let meta = store.head(&path).await.map_err(store_error(location))?;
        Ok(FileMetadata { size: meta.size })
    }

    async fn read(&self, location: &str) -> iceberg::Result<Bytes> {
        let (store, path) = self.locate(location)?;
        let result = store.get(&path).await.map_err(store_error(location))?;
        result.bytes().await.map_err(store_error(location))
    }

    async fn reader(&self, location: &str) -> iceberg::Result<Box<dyn FileRead>> {
        let (store, path) = self.locate(location)?;
        Ok(Box::new(RangeReader { store: Arc::clone(store), path }))
    }

    async fn write(&self, location: &str, bytes: Bytes) -> iceberg::Result<()> {
        let (store, path) = self.locate(location)?;
        store.put(&path, bytes.into()).await.map_err(store_error(location))?;
        Ok(())
    }

    async fn writer(&self, location: &str) -> iceberg::Result<Box<dyn FileWrite>> {
        let (store, path) = self.locate(location)?;
        Ok(Box::new(WholeWriter { store: Arc::clone(store), path, chunks: Vec::new() }))
    }

    async fn delete(&self, location: &str) -> iceberg::Result<()> {
        let (store, path) = self.locate(location)?;
        store.delete(&path).await.map_err(store_error(location))
    }

    async fn delete_prefix(&self, location: &str) -> iceberg::Result<()> {
        let (store, path) = self.locate(location)?;
        let mut listing = store.list(Some(&path));
        while let Some(found) = listing.next().await {
            let found = found.map_err(store_error(location))?;
            store.delete(&found.location).await.map_err(store_error(location))?;
        }
        Ok(())
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> iceberg::Result<()> {
        while let Some(location) = paths.next().await {
            self.delete(&location).await?;
        }
        Ok(())
    }

    fn new_input(&self, location: &str) -> iceberg::Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), location.to_owned()))
    }

    fn new_output(&self, location: &str) -> iceberg::Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), location.to_owned()))
    }
}

struct RangeReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

#[async_trait]
impl FileRead for RangeReader {
    async fn read(&self, range: std::ops::Range<u64>) -> iceberg::Result<Bytes> {
        self.store
            .get_range(&self.path, range)
            .await
            .map_err(|error| store_error(self.path.as_ref())(error))
    }
}

/// Collects a metadata file, which is small, and puts it at once, so that nobody sees half of it.
struct WholeWriter {
    store: Arc<dyn ObjectStore>,
    path: Path,
    chunks: Vec<Bytes>,
}

#[async_trait]
impl FileWrite for WholeWriter {
    async fn write(&mut self, bytes: Bytes) -> iceberg::Result<()> {
        self.chunks.push(bytes);
        Ok(())
    }

    async fn close(&mut self) -> iceberg::Result<()> {
        let payload: PutPayload = std::mem::take(&mut self.chunks).into_iter().collect();
        let result = self.store.put(&self.path, payload).await;
        result.map_err(|error| store_error(self.path.as_ref())(error))?;
        Ok(())
    }
}
