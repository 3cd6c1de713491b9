//! From a pattern to the files of S3 that it names.
//!
//! A pattern means here what it means for files of the server, but for two things: a name that holds
//! a character of patterns is found by a class such as `[*]` only; and an empty object is passed
//! over, because stores keep one where somebody made a folder, and a file without a byte has no rows.

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};
use sqe_iceberg::storage::Storage;

use super::{
    fault::unreadable,
    glob::{self, ANY_FOLDERS, PathSegment},
    paths::{Found, is_data, not_found, relative},
};
use crate::Result;

/// The files of a pattern, sorted by path, each once. Names that end with `/` are directories.
///
/// Errors: `NotFound` if there are none, `PermissionDenied` where the keys do not suffice.
pub(super) async fn list(
    storage: &Storage,
    pattern: &str,
    extensions: &[&str],
) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for alternative in glob::expand_braces(pattern)? {
        match Names::parse(&alternative)? {
            Names::One(path) => found.extend(file(storage, path).await?),
            Names::Below(below) => found.extend(below.list(storage, extensions).await?),
        }
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    match found.is_empty() {
        false => Ok(found),
        true => {
            let hint = "a directory ends with /";
            let error = not_found(pattern);
            Err(if pattern.ends_with('/') { error } else { error.with_hint(hint) })
        }
    }
}

async fn file(storage: &Storage, path: &str) -> Result<Option<Found>> {
    match storage.store().head(&storage.path(path)?).await {
        Ok(meta) => Ok(Some(Found { meta, path: path.to_owned() })),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(unreadable(path, error)),
    }
}

/// What a pattern without braces names.
enum Names<'a> {
    One(&'a str),
    Below(Below),
}

/// Files below a folder.
struct Below {
    /// Without a final slash.
    folder: String,
    /// What their paths below it are like.
    pattern: Vec<PathSegment>,
    /// All data in the directories that the pattern matches.
    is_directory: bool,
}

impl<'a> Names<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let is_directory = text.ends_with('/');
        let segments: Vec<&str> = text.trim_end_matches('/').split('/').collect();
        let fixed = segments.iter().take_while(|segment| !glob::is_pattern(segment)).count();
        if fixed == segments.len() && !is_directory {
            return Ok(Self::One(text));
        }
        let rest = segments[fixed..].iter().copied();
        let rest = rest.chain(is_directory.then_some(ANY_FOLDERS));
        let pattern = rest.map(PathSegment::parse).collect::<Result<_>>()?;
        Ok(Self::Below(Below { folder: segments[..fixed].join("/"), pattern, is_directory }))
    }
}

impl Below {
    async fn list(&self, storage: &Storage, extensions: &[&str]) -> Result<Vec<Found>> {
        let root = storage.path(&self.folder)?;
        let objects = self.candidates(&**storage.store(), &root).await;
        let objects = objects.map_err(|error| unreadable(&self.folder, error))?;
        let found = objects.into_iter().filter(|meta| meta.size > 0).filter_map(|meta| {
            let below = relative(&root, &meta.location)?;
            let path = self.fits(&below, extensions).then(|| format!("{}/{below}", self.folder));
            path.map(|path| Found { meta, path })
        });
        Ok(found.collect())
    }

    /// All that the pattern can match, found folder by folder up to its first `**`, whose files are
    /// listed in one go.
    async fn candidates(
        &self,
        store: &dyn ObjectStore,
        root: &Path,
    ) -> object_store::Result<Vec<ObjectMeta>> {
        let mut objects = Vec::new();
        let mut folders = vec![root.clone()];
        for (index, segment) in self.pattern.iter().enumerate() {
            let mut below = Vec::new();
            for folder in &folders {
                let PathSegment::One(name) = segment else {
                    objects.extend(store.list(Some(folder)).try_collect::<Vec<_>>().await?);
                    continue;
                };
                let level = store.list_with_delimiter(Some(folder)).await?;
                match index + 1 == self.pattern.len() {
                    true => objects.extend(level.objects),
                    false => below.extend(level.common_prefixes.into_iter().filter(|folder| {
                        folder.filename().is_some_and(|folder| name.matches(folder))
                    })),
                }
            }
            // Empty behind `**`, too.
            folders = below;
        }
        Ok(objects)
    }

    fn fits(&self, below: &str, extensions: &[&str]) -> bool {
        let path: Vec<&str> = below.split('/').collect();
        glob::matches_path(&self.pattern, &path)
            && (!self.is_directory || is_data(below, extensions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folder that is listed, and which of `below` fit.
    fn check(pattern: &str, folder: &str, below: &[&str], expected: &[&str]) {
        let Names::Below(names) = Names::parse(pattern).unwrap() else { panic!("{pattern}") };
        assert_eq!(names.folder, folder);
        let fitting: Vec<_> =
            below.iter().copied().filter(|below| names.fits(below, &[".csv"])).collect();
        assert_eq!(fitting, expected, "{pattern}");
    }

    #[test]
    fn patterns_choose_files() {
        let below = ["a.csv", "b.txt", "x/a.csv", "x/y/a.csv", "x/_tmp/a.csv", ".b.csv"];
        check("s3://b/p/*.csv", "s3://b/p", &below, &["a.csv"]);
        check("s3://b/p/*/a.csv", "s3://b/p", &below, &["x/a.csv"]);
        check("s3://b/**/a.csv", "s3://b", &below[..4], &["a.csv", "x/a.csv", "x/y/a.csv"]);
        check("s3://b/p/", "s3://b/p", &below, &["a.csv", "x/a.csv", "x/y/a.csv"]);
        check("s3://b/p/*/", "s3://b/p", &below, &["x/a.csv", "x/y/a.csv"]);
    }

    #[test]
    fn a_name_is_looked_up() {
        assert!(matches!(Names::parse("s3://b/p/a b%20.csv").unwrap(), Names::One(_)));
    }
}
