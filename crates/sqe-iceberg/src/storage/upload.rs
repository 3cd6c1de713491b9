//! A file that is put in parts.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::bucket::Bucket;
use super::fault::Fault;

/// An upload that may outlast its keys. Parts are numbered here, so that a part which is sent once
/// more keeps its number.
#[derive(Debug)]
pub(super) struct Upload {
    upload: Arc<Begun>,
    parts: usize,
}

struct Begun {
    bucket: Bucket,
    key: Path,
    id: String,
    /// By number; in the order in which they arrived.
    done: Mutex<Vec<(usize, PartId)>>,
}

impl Upload {
    pub(super) async fn begin(bucket: Bucket, key: Path) -> Result<Self> {
        let create = |client: AmazonS3, key: Path| {
            async move { client.create_multipart(&key).await }.boxed()
        };
        let id = bucket.request(&key, create).await?;
        let upload = Arc::new(Begun { bucket, key, id, done: Mutex::default() });
        Ok(Self { upload, parts: 0 })
    }
}

impl Begun {
    async fn put(&self, number: usize, data: PutPayload) -> Result<()> {
        let attempt = |client: AmazonS3, key: Path| {
            let (id, data) = (self.id.clone(), data.clone());
            async move { client.put_part(&key, &id, number, data).await }.boxed()
        };
        let part = match self.bucket.request(&self.key, attempt).await {
            Ok(part) => part,
            Err(error) => {
                // Without this part there will be no file, whatever becomes of the others.
                self.abort().await;
                return Err(error);
            }
        };
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push((number, part));
        Ok(())
    }

    /// Tries to remove the parts. Keys that may write need not be allowed to do so, and what
    /// failed is reported by somebody else.
    async fn abort(&self) {
        let attempt = |client: AmazonS3, key: Path| {
            let id = self.id.clone();
            async move { client.abort_multipart(&key, &id).await }.boxed()
        };
        if let Err(error) = self.bucket.request(&self.key, attempt).await {
            tracing::debug!(%error, "parts of an upload that was given up are left behind");
        }
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (upload, number) = (Arc::clone(&self.upload), self.parts);
        self.parts += 1;
        async move { upload.put(number, data).await }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let mut done = self.upload.done.lock().unwrap_or_else(PoisonError::into_inner).clone();
        done.sort_unstable_by_key(|(number, _)| *number);
        if done.len() != self.parts {
            return Err(Fault::Malformed.at(&self.upload.bucket.place(&self.upload.key)));
        }
        let parts: Vec<PartId> = done.into_iter().map(|(_, part)| part).collect();
        let attempt = |client: AmazonS3, key: Path| {
            let (id, parts) = (self.upload.id.clone(), parts.clone());
            async move { client.complete_multipart(&key, &id, parts).await }.boxed()
        };
        self.upload.bucket.request(&self.upload.key, attempt).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await;
        Ok(())
    }
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun").field("key", &self.key.as_ref()).finish_non_exhaustive()
    }
}
