//! Iceberg locations. They are names, not URLs: `%20` in one is three characters of a file's name.

use std::fmt;
use std::path::PathBuf;

use object_store::path::Path;

use crate::{Error, Result};

/// The schemes of S3: two old names and the usual one, to which they are the same.
pub const S3_SCHEMES: [&str; 3] = ["s3", "s3a", "s3n"];

/// Whether `location` is `prefix` or below it, which ends where a name does.
pub fn is_below(location: &str, prefix: &str) -> bool {
    let rest = location.strip_prefix(prefix.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A place in S3: a bucket and a key, or what all keys below it begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct S3Location {
    pub(super) bucket: String,
    /// Without a final slash; empty for the whole bucket.
    pub(super) key: Path,
}

impl S3Location {
    /// Reads `s3://bucket/key`; `s3a` and `s3n` are other names of the same.
    ///
    /// Errors: `Unsupported` for other schemes and for keys that hold an empty segment, `.`, `..`
    /// or control characters, `InvalidArgument` for what no bucket is called.
    pub(super) fn parse(location: &str) -> Result<Self> {
        let rest = match location.split_once("://") {
            Some((scheme, rest)) if S3_SCHEMES.contains(&scheme) => rest,
            _ => return Err(Error::unsupported(format!("location {location} is not one of S3"))),
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(bucket) {
            return Err(Error::invalid(format!("location {location} names no bucket")));
        }
        let unsupported = || {
            let message =
                format!("the key of location {location} has a segment that is not supported");
            Error::unsupported(message)
        };
        // One slash at the front would be lost, and the key be another's.
        if key.starts_with('/') {
            return Err(unsupported());
        }
        let key = Path::parse(key).map_err(|_| unsupported())?;
        Ok(Self { bucket: bucket.to_owned(), key })
    }

    /// Whether `other` is this or below it.
    pub(super) fn contains(&self, other: &Self) -> bool {
        let (own, other_key) = (self.key.as_ref(), other.key.as_ref());
        let below = match other_key.strip_prefix(own) {
            Some(rest) => own.is_empty() || rest.is_empty() || rest.starts_with('/'),
            None => false,
        };
        self.bucket == other.bucket && below
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// The name becomes part of an address, in which other characters would mean something.
fn is_bucket(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(allowed)
}

/// The file of this machine that a location names.
pub(crate) fn local_file(location: &str) -> Result<PathBuf> {
    Ok(PathBuf::from(format!("/{}", local_path(location)?)))
}

pub(super) fn local_path(location: &str) -> Result<Path> {
    let absolute = match location.strip_prefix("file:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None => location,
    };
    if !absolute.starts_with('/') {
        return Err(Error::unsupported(format!(
            "location {location} is not a file of this machine, and this table has no other storage"
        )));
    }
    let collapsed: Vec<&str> = absolute.split('/').filter(|part| !part.is_empty()).collect();
    Path::parse(collapsed.join("/"))
        .map_err(|error| Error::invalid(format!("location {location}")).with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn locations_are_names() {
        let check = |location: &str, bucket: &str, key: &str| {
            let parsed = S3Location::parse(location).unwrap();
            assert_eq!((parsed.bucket.as_str(), parsed.key.as_ref()), (bucket, key));
        };
        check("s3://b/w/t", "b", "w/t");
        check("s3a://b-1.x/w/t/", "b-1.x", "w/t");
        check("s3n://b", "b", "");
        check("s3://b/", "b", "");
        check("s3://b/p=a%20b/ü ?#+&=%2F.parquet", "b", "p=a%20b/ü ?#+&=%2F.parquet");
        check("s3://b/a:/.hidden/...", "b", "a:/.hidden/...");
    }

    #[test]
    fn what_would_become_another_name_is_refused() {
        let check = |location: &str, kind| {
            assert_eq!(S3Location::parse(location).unwrap_err().kind(), kind, "{location}");
        };
        for key in ["/a", "a//b", "a/./b", "../b", "a\nb"] {
            check(&format!("s3://b/{key}"), ErrorKind::Unsupported);
        }
        for location in ["/a", "file:///a", "gs://b/k", "s3:/b/k", "S3://b/k", "b/k"] {
            check(location, ErrorKind::Unsupported);
        }
        for bucket in ["", "a@b", "a#", "a?b", "a%2f", "..", "a:1", "a b"] {
            check(&format!("s3://{bucket}/k"), ErrorKind::InvalidArgument);
        }
    }

    #[test]
    fn a_prefix_contains_whole_segments() {
        let check = |prefix: &str, location: &str, expected| {
            let parse = |location| S3Location::parse(location).unwrap();
            assert_eq!(parse(prefix).contains(&parse(location)), expected, "{prefix} {location}");
        };
        check("s3://b/w/t/", "s3a://b/w/t/f", true);
        check("s3://b/w/t", "s3://b/w/t", true);
        check("s3://b", "s3://b/f", true);
        check("s3://b/w/t", "s3://b/w/table/f", false);
        check("s3://b/w/t", "s3://b/w", false);
        check("s3://b/w", "s3://c/w/f", false);
    }
}
