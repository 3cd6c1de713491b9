//! One bucket as the keys of one scope reach it.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AwsCredential};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutResult, Result,
};

use super::counters;
use super::fault::Fault;
use super::keys::ScopeKeys;
use super::location::S3Location;

/// A bucket. A request that was refused because its keys are over is made once more with new ones.
/// Errors are those of [`Fault`], at the place in the bucket.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) client: AmazonS3,
    pub(super) keys: ScopeKeys,
}

impl Bucket {
    pub(super) fn place(&self, key: &Path) -> S3Location {
        S3Location { bucket: self.name.clone(), key: key.clone() }
    }

    fn credential(&self) -> Option<Arc<AwsCredential>> {
        self.keys.ring.current(self.keys.scope)
    }

    /// Makes a request, twice if need be.
    pub(super) async fn request<T>(
        &self,
        key: &Path,
        attempt: impl Fn(AmazonS3, Path) -> BoxFuture<'static, Result<T>> + Send,
    ) -> Result<T> {
        let used = self.credential();
        let attempt = || attempt(self.client.clone(), key.clone());
        let fault = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(error) => Fault::of(&error),
        };
        if !fault.is_of_old_keys() {
            return Err(fault.at(&self.place(key)));
        }
        self.keys.ring.refuse(self.keys.scope, used.as_ref());
        attempt().await.map_err(|error| Fault::of(&error).at(&self.place(key)))
    }

    pub(super) async fn get(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        let is_head = options.head;
        let attempt = |client: AmazonS3, key: Path| {
            let options = options.clone();
            async move { client.get_opts(&key, options).await }.boxed()
        };
        let result = self.request(key, attempt).await?;
        match is_head {
            true => Ok(result),
            false => Ok(whole(result, self.place(key))),
        }
    }

    pub(super) async fn put(
        &self,
        key: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let is_new = matches!(options.mode, PutMode::Create);
        let attempt = |client: AmazonS3, key: Path| {
            let (payload, options) = (payload.clone(), options.clone());
            async move { client.put_opts(&key, payload, options).await }.boxed()
        };
        match self.request(key, attempt).await {
            Err(Error::Precondition { path, source }) if is_new => {
                Err(Error::AlreadyExists { path, source })
            }
            result => result,
        }
    }

    pub(super) async fn delete(&self, key: &Path) -> Result<()> {
        let attempt =
            |client: AmazonS3, key: Path| async move { client.delete(&key).await }.boxed();
        self.request(key, attempt).await
    }

    pub(super) async fn copy(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let attempt = |client: AmazonS3, to: Path| {
            let (from, options) = (from.clone(), options.clone());
            async move { client.copy_opts(&from, &to, options).await }.boxed()
        };
        self.request(to, attempt).await
    }

    /// Everything below `prefix`; the request has the slash at its end.
    pub(super) fn list(&self, prefix: Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let bucket = self.clone();
        let first = async move {
            let attempt = |client: AmazonS3, prefix: Path| {
                async move {
                    let mut listing = client.list(Some(&prefix));
                    let first = listing.try_next().await?;
                    Ok(stream::iter(first.map(Ok)).chain(listing))
                }
                .boxed()
            };
            let listing = bucket.request(&prefix, attempt).await?;
            let place = bucket.place(&prefix);
            Ok::<_, Error>(listing.map_err(move |error| Fault::of(&error).at(&place)))
        };
        stream::once(first).try_flatten().boxed()
    }

    /// The objects and the folders right below `prefix`; the request has the slash at its end.
    pub(super) async fn list_level(&self, prefix: &Path) -> Result<ListResult> {
        let attempt = |client: AmazonS3, prefix: Path| {
            async move { client.list_with_delimiter(Some(&prefix)).await }.boxed()
        };
        self.request(prefix, attempt).await
    }
}

/// A body that is an error unless it has all the bytes that the head promises.
fn whole(result: GetResult, place: S3Location) -> GetResult {
    let GetResult { payload, meta, range, attributes } = result;
    let expected = range.end - range.start;
    let payload = match payload {
        GetResultPayload::Stream(body) => {
            let parts = stream::try_unfold((body, 0), move |(mut body, received)| {
                let place = place.clone();
                async move {
                    let fault = match body.try_next().await {
                        Ok(Some(part)) => {
                            counters::bytes_read(part.len());
                            let received = received + part.len() as u64;
                            if received <= expected {
                                return Ok(Some((part, (body, received))));
                            }
                            Fault::Malformed
                        }
                        Ok(None) if received == expected => return Ok(None),
                        Ok(None) => Fault::Truncated { received, expected },
                        Err(error) => Fault::of(&error),
                    };
                    Err(fault.at(&place))
                }
            });
            GetResultPayload::Stream(parts.boxed())
        }
        file @ GetResultPayload::File(..) => file,
    };
    GetResult { payload, meta, range, attributes }
}
