//! The way of encoded bytes into the store, in parts of bounded size.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::buffered::BufWriter;
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::errors::{ParquetError, Result};
use tokio::io::AsyncWriteExt;

use super::cleanup::Files;

/// Large enough for every store's multipart upload of the largest file.
const PART_BYTES: usize = 8 << 20;
const PARTS_IN_FLIGHT: usize = 2;

/// The most memory that one upload takes.
pub(super) const UPLOAD_BYTES: usize = PART_BYTES * (PARTS_IN_FLIGHT + 1);

/// One file on its way. A file that is not completed does not appear in the store, and what it
/// left there is aborted when this is dropped.
pub(super) struct Upload {
    /// `None` once the file is complete or has begun to be completed.
    writer: Option<BufWriter>,
    files: Files,
}

impl Upload {
    /// Errors: `Unsupported` for a location that is not in the store of `files`.
    pub(super) fn new(files: &Files, location: &str) -> crate::Result<Self> {
        let (store, path) = (files.storage().store(), files.storage().path(location)?);
        let writer = BufWriter::with_capacity(Arc::clone(store), path, PART_BYTES);
        let writer = writer.with_max_concurrency(PARTS_IN_FLIGHT);
        Ok(Self { writer: Some(writer), files: files.clone() })
    }
}

impl AsyncFileWriter for Upload {
    fn write(&mut self, mut bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        async move {
            let writer = self.writer.as_mut().ok_or_else(completed)?;
            // A put waits for free parts only before it takes bytes, not while.
            while !bytes.is_empty() {
                let part = bytes.split_to(bytes.len().min(PART_BYTES));
                writer.put(part).await.map_err(|error| ParquetError::External(error.into()))?;
            }
            Ok(())
        }
        .boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, Result<()>> {
        async move {
            let mut writer = self.writer.take().ok_or_else(completed)?;
            Ok(writer.shutdown().await?)
        }
        .boxed()
    }
}

fn completed() -> ParquetError {
    ParquetError::General("the file is complete already".to_owned())
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            self.files.finish_later(async move {
                if let Err(error) = writer.abort().await {
                    tracing::debug!(%error, "an upload that was given up could not be aborted");
                }
            });
        }
    }
}
