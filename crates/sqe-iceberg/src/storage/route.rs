//! From a location to the keys that are for it: one store over all scopes of a table.
//!
//! A path in this store is `NAME/BUCKET/KEY`. Caches of the engine know files by their paths alone,
//! so NAME keeps apart what must not be taken for each other: the files of two stores, and files
//! that somebody's metadata names outside of the table that the catalog gave to him.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::bucket::Bucket;
use super::credentials::S3Endpoint;
use super::fault::Fault;
use super::location::S3Location;
use super::upload::Upload;
use crate::{Error, ErrorKind, Result};

/// Files deleted at the same time.
const CONCURRENT_DELETES: usize = 8;

/// Everything below one prefix.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) prefix: S3Location,
    pub(super) bucket: Bucket,
    /// The name of the store.
    pub(super) name: String,
    pub(super) endpoint: S3Endpoint,
}

/// The scopes of one table for one user.
#[derive(Clone)]
pub(super) struct Routes(Arc<Inner>);

struct Inner {
    /// That of the storage.
    id: u64,
    /// The location of the table, if the files are those of one.
    table: Option<S3Location>,
    /// Those with longer prefixes first.
    scopes: Vec<Scope>,
}

impl Routes {
    pub(super) fn new(id: u64, table: Option<S3Location>, mut scopes: Vec<Scope>) -> Self {
        scopes.sort_by_key(|scope| std::cmp::Reverse(scope.prefix.key.as_ref().len()));
        Self(Arc::new(Inner { id, table, scopes }))
    }

    pub(super) fn table(&self) -> Option<&S3Location> {
        self.0.table.as_ref()
    }

    pub(super) fn scopes(&self) -> &[Scope] {
        &self.0.scopes
    }

    fn scope(&self, place: &S3Location) -> Option<&Scope> {
        self.0.scopes.iter().find(|scope| scope.prefix.contains(place))
    }

    /// The path of a location. Errors: `Forbidden` outside of all scopes, those of
    /// [`S3Location::parse`].
    pub(super) fn path(&self, location: &str) -> Result<Path> {
        let place = S3Location::parse(location)?;
        let scope = self.scope(&place).ok_or_else(|| {
            let message = format!("location {location} is outside of what there are keys for");
            Error::new(ErrorKind::Forbidden, message)
        })?;
        let table = self.0.table.as_ref();
        let own = match table.is_some_and(|table| table.contains(&place)) {
            true => String::new(),
            false => format!("+{}", self.0.id),
        };
        let path = format!("{}{own}/{}/{}", scope.name, place.bucket, place.key);
        Path::parse(path)
            .map_err(|error| Error::invalid(format!("location {location}")).with_source(error))
    }

    /// The way back: the name in front, and where in S3 a path is.
    fn place(path: &Path) -> Option<(&str, S3Location)> {
        let (name, rest) = path.as_ref().split_once('/')?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let key = Path::parse(key).ok()?;
        Some((name, S3Location { bucket: bucket.to_owned(), key }))
    }

    /// The location of a path.
    pub(super) fn location(path: &Path) -> String {
        let (_, location) = path.as_ref().split_once('/').unwrap_or_default();
        format!("s3://{location}")
    }

    fn route(&self, path: &Path) -> object_store::Result<(&Bucket, Path)> {
        let nowhere = || S3Location { bucket: String::new(), key: path.clone() };
        let Some((_, place)) = Self::place(path) else {
            return Err(Fault::Outside.at(&nowhere()));
        };
        match self.scope(&place) {
            Some(scope) => Ok((&scope.bucket, place.key)),
            None => Err(Fault::Outside.at(&place)),
        }
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefixes = self.0.scopes.iter().map(|scope| scope.prefix.to_string());
        f.debug_list().entries(prefixes).finish()
    }
}

impl fmt::Display for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.table {
            Some(table) => write!(f, "S3 for {table}"),
            None => write!(f, "S3 for {self:?}"),
        }
    }
}

#[async_trait]
impl ObjectStore for Routes {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let (bucket, key) = self.route(location)?;
        bucket.put(&key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let (bucket, key) = self.route(location)?;
        Ok(Box::new(Upload::begin(bucket.clone(), key).await?))
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let (bucket, key) = self.route(location)?;
        let mut result = bucket.get(&key, options).await?;
        result.meta.location = location.clone();
        Ok(result)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let routes = self.clone();
        // One by one: of many in one request it cannot be told which one is refused, and why.
        locations
            .map(move |location| {
                let routes = routes.clone();
                async move {
                    let location = location?;
                    let (bucket, key) = routes.route(&location)?;
                    bucket.delete(&key).await?;
                    Ok(location)
                }
            })
            .buffered(CONCURRENT_DELETES)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let prefix = prefix.cloned().unwrap_or_default();
        let (bucket, key) = match self.route(&prefix) {
            Ok((bucket, key)) => (bucket.clone(), key),
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let root = Root::of(&prefix, &bucket);
        bucket
            .list(key)
            .map(move |found| {
                let mut found = found?;
                found.location = root.path(&found.location)?;
                Ok(found)
            })
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        let (bucket, key) = self.route(&prefix)?;
        let root = Root::of(&prefix, bucket);
        let mut level = bucket.list_level(&key).await?;
        for found in &mut level.objects {
            found.location = root.path(&found.location)?;
        }
        for folder in &mut level.common_prefixes {
            *folder = root.path(folder)?;
        }
        Ok(level)
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        let (from_bucket, from) = self.route(from)?;
        let (bucket, to) = self.route(to)?;
        match from_bucket.name == bucket.name {
            true => bucket.copy(&from, &to, options).await,
            false => Err(not_implemented("copying between buckets")),
        }
    }
}

/// What the paths of a bucket begin with here: `NAME/BUCKET`.
struct Root(String);

impl Root {
    /// That of `bucket`, in which `path` is.
    fn of(path: &Path, bucket: &Bucket) -> Self {
        let (name, _) = path.as_ref().split_once('/').unwrap_or((path.as_ref(), ""));
        Self(format!("{name}/{}", bucket.name))
    }

    fn path(&self, key: &Path) -> object_store::Result<Path> {
        let path = Path::parse(format!("{}/{key}", self.0));
        path.map_err(|source| object_store::Error::Generic {
            store: "S3",
            source: Box::new(source),
        })
    }
}

fn not_implemented(operation: &str) -> object_store::Error {
    object_store::Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "the S3 store of a table".to_owned(),
    }
}
