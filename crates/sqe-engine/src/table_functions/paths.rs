//! From what a call says about files of this machine to the files. Whether they may be read is
//! decided before.

use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};

use super::{
    fault::unreadable,
    glob::{self, ANY_FOLDERS, PathSegment, Segment},
    options::{invalid, strings},
};
use crate::{Error, ErrorKind, Result};

/// The scheme of files of this machine.
const FILE_SCHEME: &str = "file://";

/// A file of a call.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) meta: ObjectMeta,
    /// Its path as the call would have to write it: relative where the call's pattern is.
    pub(super) path: String,
}

/// The patterns of a call: one string or one list of strings.
pub(super) fn patterns(function: &str, positional: &[ScalarValue]) -> Result<Vec<String>> {
    let [argument] = positional else {
        let count = positional.len();
        return Err(invalid(format!(
            "{function} takes one path or one list of paths before its options, got {count}"
        )));
    };
    let patterns = strings(argument).ok_or_else(|| {
        let data_type = argument.data_type();
        invalid(format!("the path of {function} must be a string or a list, got {data_type}"))
    })?;
    if patterns.is_empty() || patterns.iter().any(String::is_empty) {
        return Err(invalid(format!("the path of {function} is empty")));
    }
    Ok(patterns)
}

/// The files of a pattern, sorted by path, each once.
///
/// A pattern that ends with `/` is a directory: all files below it whose name ends with one of
/// `extensions`, without those that a name with `.` or `_` in front hides.
///
/// Errors: `NotFound` if there are none.
pub(super) async fn list(
    store: &dyn ObjectStore,
    pattern: &str,
    extensions: &[&str],
) -> Result<Vec<Found>> {
    let text = match pattern.strip_prefix(FILE_SCHEME) {
        Some(path) if path.starts_with('/') => percent_decoded(path),
        Some(_) => return Err(invalid(format!("'{pattern}' must have an absolute path"))),
        None => pattern.to_owned(),
    };
    let behind_wildcard = text.split('/').skip_while(|segment| !glob::is_pattern(segment));
    if behind_wildcard.into_iter().any(|segment| segment == "..") {
        return Err(invalid(format!("'..' cannot follow a wildcard in the pattern '{pattern}'")));
    }
    if !text.ends_with('/')
        && let Some(found) = file(store, &Folder::of(&text, pattern).await?).await?
    {
        return Ok(vec![found]);
    }
    let mut found: Vec<Found> = Vec::new();
    for alternative in glob::expand_braces(&text)? {
        found.extend(walk(store, &alternative, pattern, extensions).await?);
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.meta.location == b.meta.location);
    if !found.is_empty() {
        return Ok(found);
    }
    let error = not_found(pattern);
    let is_folder = tokio::fs::metadata(&text).await.is_ok_and(|meta| meta.is_dir());
    Err(match is_folder && !text.ends_with('/') {
        true => error.with_hint("it is a directory; end it with / to read all its files"),
        false => error,
    })
}

pub(super) fn not_found(pattern: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("no files match '{pattern}'"))
}

/// A place below which is searched.
#[derive(Debug, Clone)]
struct Folder {
    location: Path,
    /// As the call writes it, with a slash at its end unless it is empty.
    text: String,
}

impl Folder {
    /// The place that a path without wildcards names.
    async fn of(text: &str, pattern: &str) -> Result<Self> {
        let unusable = |error: &dyn std::fmt::Display| {
            invalid(format!("'{pattern}' is not a path of a file: {error}"))
        };
        let mut absolute = std::path::absolute(text).map_err(|error| unusable(&error))?;
        // Only the file system knows where `..` leads from behind a symbolic link.
        if absolute.components().any(|part| part == std::path::Component::ParentDir) {
            absolute = match tokio::fs::canonicalize(&absolute).await {
                Ok(absolute) => absolute,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(not_found(pattern));
                }
                Err(error) => return Err(unusable(&error)),
            };
        }
        let location = absolute.to_str().unwrap_or_default().trim_end_matches('/');
        let location = Path::parse(location).map_err(|error| unusable(&error))?;
        Ok(Self { location, text: text.to_owned() })
    }

    /// The text of something below it.
    fn join(&self, name: &str) -> String {
        match self.text.is_empty() || self.text.ends_with('/') {
            true => format!("{}{name}", self.text),
            false => format!("{}/{name}", self.text),
        }
    }

    /// What is below it, in the store's words.
    fn prefix(&self) -> Option<&Path> {
        Some(&self.location).filter(|location| !location.as_ref().is_empty())
    }
}

/// The file of this very name, if there is one.
async fn file(store: &dyn ObjectStore, folder: &Folder) -> Result<Option<Found>> {
    if folder.prefix().is_none() {
        return Ok(None);
    }
    match store.head(&folder.location).await {
        Ok(meta) => Ok(Some(Found { meta, path: folder.text.clone() })),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(unreadable(&folder.text, error)),
    }
}

/// The files that one pattern without braces matches.
async fn walk(
    store: &dyn ObjectStore,
    text: &str,
    pattern: &str,
    extensions: &[&str],
) -> Result<Vec<Found>> {
    let segments = text.split('/').collect::<Vec<_>>();
    let fixed = segments.iter().take_while(|segment| !glob::is_pattern(segment)).count();
    let is_folder = text.ends_with('/');
    let start = match fixed == segments.len() && !is_folder {
        // A plain path was looked up before braces were expanded, unless they made it.
        true => {
            return Ok(file(store, &Folder::of(text, pattern).await?).await?.into_iter().collect());
        }
        false => segments[..fixed].join("/"),
    };
    let start = match (start.is_empty(), text.starts_with('/')) {
        (true, true) => "/".to_owned(),
        (true, false) => ".".to_owned(),
        (false, _) => start,
    };
    let mut folder = Folder::of(&start, pattern).await?;
    if folder.text == "." && !text.starts_with('.') {
        folder.text.clear();
    }
    let mut rest =
        segments[fixed..].iter().copied().filter(|segment| !matches!(*segment, "" | "."));
    let mut rest = rest.by_ref().collect::<Vec<_>>();
    if !is_folder {
        return search(store, folder, &rest).await;
    }
    rest.push(ANY_FOLDERS);
    let mut found = search(store, folder.clone(), &rest).await?;
    found.retain(|found| {
        let below = found.path.strip_prefix(&folder.text).unwrap_or(&found.path);
        is_data(below, extensions)
    });
    Ok(found)
}

/// Whether a file below a folder is one of the data in it, by its path below.
pub(super) fn is_data(below: &str, extensions: &[&str]) -> bool {
    let hidden = below.split('/').any(|segment| segment.starts_with(['.', '_']));
    !hidden && extensions.iter().any(|extension| below.ends_with(extension))
}

/// The files below `folder` that match the segments: folder by folder up to the first `**`, whose
/// files are listed in one go.
async fn search(store: &dyn ObjectStore, folder: Folder, segments: &[&str]) -> Result<Vec<Found>> {
    let mut folders = vec![folder];
    for (index, segment) in segments.iter().enumerate() {
        let failed = |folder: &Folder, error| unreadable(&folder.text, error);
        if *segment == ANY_FOLDERS {
            let pattern = segments[index..].iter().map(|segment| PathSegment::parse(segment));
            let pattern = pattern.collect::<Result<Vec<_>>>()?;
            let mut found = Vec::new();
            for folder in &folders {
                let below = store.list(folder.prefix()).try_collect::<Vec<_>>().await;
                found.extend(below.map_err(|error| failed(folder, error))?.into_iter().filter_map(
                    |meta| {
                        let below = relative(&folder.location, &meta.location)?;
                        let path = below.split('/').collect::<Vec<_>>();
                        let path = glob::matches_path(&pattern, &path).then(|| folder.join(&below));
                        path.map(|path| Found { meta, path })
                    },
                ));
            }
            return Ok(found);
        }
        let segment = Segment::parse(segment)?;
        let matching = |folder: &Folder, location: &Path| {
            location.filename().filter(|name| segment.matches(name)).map(|name| folder.join(name))
        };
        let is_last = index + 1 == segments.len();
        let mut below = Vec::new();
        let mut found = Vec::new();
        for folder in &folders {
            let list = store.list_with_delimiter(folder.prefix()).await;
            let list = list.map_err(|error| failed(folder, error))?;
            if is_last {
                found.extend(list.objects.into_iter().filter_map(|meta| {
                    let path = matching(folder, &meta.location);
                    path.map(|path| Found { meta, path })
                }));
            } else {
                below.extend(list.common_prefixes.into_iter().filter_map(|location| {
                    let text = matching(folder, &location);
                    text.map(|text| Folder { location, text })
                }));
            }
        }
        if is_last {
            return Ok(found);
        }
        folders = below;
    }
    Ok(Vec::new())
}

/// Where files are, in few words: the folder around all of them, or the files themselves where that
/// is the root.
pub(super) fn around(found: &[Found]) -> Vec<String> {
    let folder = |found: &'_ Found| -> String {
        let location = found.meta.location.as_ref();
        location.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
    };
    let common = found.iter().map(folder).reduce(|a, b| {
        let shared = a.split('/').zip(b.split('/')).take_while(|(a, b)| a == b);
        shared.map(|(name, _)| name).collect::<Vec<_>>().join("/")
    });
    match common {
        Some(folder) if !folder.is_empty() => vec![format!("/{folder}")],
        _ => found.iter().map(|found| format!("/{}", found.meta.location)).collect(),
    }
}

/// The part of `location` below `folder`.
pub(super) fn relative(folder: &Path, location: &Path) -> Option<String> {
    let below = location.as_ref().strip_prefix(folder.as_ref())?;
    Some(below.trim_start_matches('/').to_owned())
}

/// `%41` as `A`; what is no such escape stays.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let byte = match (first, tail) {
            (b'%', [high, low, ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                digit(*high)
                    .zip(digit(*low))
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
            }
            _ => None,
        };
        decoded.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}
