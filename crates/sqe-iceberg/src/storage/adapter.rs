//! A store behind the trait through which the `iceberg` crate reads and writes metadata.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::io::{
    FileMetadata, FileRead, FileWrite, InputFile, OutputFile, StorageConfig, StorageFactory,
};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use super::Root;

/// An `object_store` behind the storage trait of the `iceberg` crate.
///
/// That trait can be serialized; a store cannot, and nothing here ever tries: an adapter that was
/// read from somewhere holds no store and fails at its first use.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct StoreAdapter {
    #[serde(skip)]
    root: Option<Arc<Root>>,
}

/// The same store for the `iceberg` crate.
pub(super) fn factory(root: &Arc<Root>) -> impl StorageFactory + 'static {
    StoreAdapter { root: Some(Arc::clone(root)) }
}

impl fmt::Debug for StoreAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreAdapter")
    }
}

impl StoreAdapter {
    fn locate(&self, location: &str) -> iceberg::Result<(&Arc<dyn ObjectStore>, Path)> {
        let root = self.root.as_ref().ok_or_else(|| unexpected("a storage without a store"))?;
        let path = root
            .path(location)
            .map_err(|error| unexpected(error.to_string()).with_source(error))?;
        Ok((&root.store, path))
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
        Ok(Box::new(RangeReader { store: Arc::clone(store), path, location: location.to_owned() }))
    }

    async fn write(&self, location: &str, bytes: Bytes) -> iceberg::Result<()> {
        let (store, path) = self.locate(location)?;
        store.put(&path, bytes.into()).await.map_err(store_error(location))?;
        Ok(())
    }

    async fn writer(&self, location: &str) -> iceberg::Result<Box<dyn FileWrite>> {
        let (store, path) = self.locate(location)?;
        let (store, location) = (Arc::clone(store), location.to_owned());
        Ok(Box::new(WholeWriter { store, path, location, chunks: Vec::new() }))
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
    location: String,
}

#[async_trait]
impl FileRead for RangeReader {
    async fn read(&self, range: std::ops::Range<u64>) -> iceberg::Result<Bytes> {
        let read = self.store.get_range(&self.path, range);
        read.await.map_err(store_error(&self.location))
    }
}

/// Collects a metadata file, which is small, and puts it at once, so that nobody sees half of it.
struct WholeWriter {
    store: Arc<dyn ObjectStore>,
    path: Path,
    location: String,
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
        self.store.put(&self.path, payload).await.map_err(store_error(&self.location))?;
        Ok(())
    }
}
