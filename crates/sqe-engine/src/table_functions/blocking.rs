//! The bytes of a file as a blocking reader, for decoders that compute more than they wait.
//!
//! Decoding runs on a thread of its own, which also frees the threads of the runtime from it. The
//! bytes come through a bounded channel from the object store; when the future or stream that
//! feeds it is dropped, the reader fails, and the thread ends.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use datafusion::{common::runtime::SpawnedTask, error::DataFusionError};
use datafusion_datasource::file_compression_type::FileCompressionType;
use futures::{Stream, StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};
use tokio::sync::mpsc;

use crate::{Error, ErrorKind};

/// Bytes that one request asks the store for.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// Requests at a time, and chunks that wait for the decoder.
const CHUNKS_AHEAD: usize = 2;

/// The bytes of a file, in order.
pub(super) type ByteStream = BoxStream<'static, object_store::Result<Bytes>>;

/// All bytes of a file, which must not change meanwhile.
pub(super) fn bytes(store: Arc<dyn ObjectStore>, meta: &ObjectMeta) -> ByteStream {
    let (location, size, version) = (meta.location.clone(), meta.size, meta.e_tag.clone());
    let ranges = (0..size.div_ceil(CHUNK_BYTES)).map(move |chunk| {
        let start = chunk * CHUNK_BYTES;
        start..size.min(start + CHUNK_BYTES)
    });
    let requests = ranges.map(move |range| {
        let (store, location) = (Arc::clone(&store), location.clone());
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: version.clone(),
            ..GetOptions::default()
        };
        async move { store.get_opts(&location, options).await?.bytes().await }
    });
    stream::iter(requests).buffered(CHUNKS_AHEAD).boxed()
}

/// The blocking end of a channel of bytes.
pub(super) struct ChannelReader {
    /// An empty chunk says that the file is at its end, which a closed channel does not.
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    chunk: Bytes,
    ended: bool,
}

impl Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.ended {
            let cancelled = || io::Error::other(Error::new(ErrorKind::Cancelled, "cancelled"));
            self.chunk = self.chunks.blocking_recv().ok_or_else(cancelled)??;
            self.ended = self.chunk.is_empty();
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// A reader of `bytes`, and the future that feeds it until its end.
pub(super) fn channel(
    bytes: impl Stream<Item = object_store::Result<Bytes>> + Send + 'static,
) -> (ChannelReader, impl Future<Output = ()> + Send + 'static) {
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let feed = async move {
        let mut bytes = std::pin::pin!(bytes.map_err(|error| { io::Error::other(error) }));
        while let Some(chunk) = bytes.next().await {
            let failed = chunk.is_err();
            let is_empty = chunk.as_ref().is_ok_and(Bytes::is_empty);
            // Nobody reads any more, or it does not go on.
            if !is_empty && (sender.send(chunk).await.is_err() || failed) {
                return;
            }
        }
        // A receiver that is gone needs no end.
        let _ = sender.send(Ok(Bytes::new())).await;
    };
    (ChannelReader { chunks, chunk: Bytes::new(), ended: false }, feed)
}

/// What `read` makes of the decompressed bytes, on a thread that may block.
pub(super) async fn read_all<T: Send + 'static>(
    bytes: ByteStream,
    compression: FileCompressionType,
    read: impl FnOnce(Box<dyn Read + Send>) -> Result<T, DataFusionError> + Send + 'static,
) -> Result<T, DataFusionError> {
    let (reader, feed) = channel(bytes);
    let task = SpawnedTask::spawn_blocking(move || read(compression.convert_read(reader)?));
    let (result, ()) = tokio::join!(task.join_unwind(), feed);
    result.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?
}

#[cfg(test)]
mod tests {
    use object_store::{ObjectStoreExt, memory::InMemory, path::Path};

    use super::{super::fault::unreadable, *};

    async fn stored(content: &[u8]) -> (Arc<dyn ObjectStore>, ObjectMeta) {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let path = Path::from("file");
        store.put(&path, content.to_vec().into()).await.unwrap();
        let meta = store.head(&path).await.unwrap();
        (store, meta)
    }

    async fn read_to_end(bytes: ByteStream) -> Result<Vec<u8>, DataFusionError> {
        read_all(bytes, FileCompressionType::UNCOMPRESSED, |mut reader| {
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            Ok(content)
        })
        .await
    }

    #[tokio::test]
    async fn all_bytes_come_in_order() {
        for length in [0, 1, 1024 * 1024, 3 * 1024 * 1024 + 5] {
            let content = (0..length).map(|byte| (byte % 251) as u8).collect::<Vec<_>>();
            let (store, meta) = stored(&content).await;
            assert!(read_to_end(bytes(store, &meta)).await.unwrap() == content, "{length}");
        }
    }

    #[tokio::test]
    async fn a_file_that_changed_is_not_read() {
        let (store, meta) = stored(b"before").await;
        let bytes = bytes(Arc::clone(&store), &meta);
        store.put(&meta.location, b"behind".to_vec().into()).await.unwrap();
        let error = unreadable("file", read_to_end(bytes).await.unwrap_err());
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    }

    #[tokio::test]
    async fn a_reader_without_its_feed_fails() {
        let (mut reader, feed) = channel(stream::iter([Ok(Bytes::from_static(b"ab"))]));
        drop(feed);
        let read = SpawnedTask::spawn_blocking(move || reader.read(&mut [0; 8]));
        assert_eq!(read.await.unwrap().unwrap_err().to_string(), "cancelled");
    }
}
