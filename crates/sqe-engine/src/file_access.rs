//! Which files statements may reach that no catalog gives them: the one place that decides it, for
//! table functions, COPY and the LOCATION of new tables.
//!
//! Files of this machine are the operator's to open. Files in S3 are read with the operator's keys,
//! which are for all users, and so only below prefixes that the operator named.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use sqe_iceberg::storage::{S3_SCHEMES, S3Endpoint, S3Keys, Storage, is_below};

use crate::{Error, ErrorKind, Result};

/// What lets statements reach files of this machine.
const LOCAL_SETTING: &str = "[table_functions] allow_local_paths";

/// Properties of a table that put its files elsewhere than below its location.
const PLACES: [&str; 4] = [
    "write.data.path",
    "write.metadata.path",
    "write.object-storage.path",
    "write.folder-storage.path",
];

/// What an operator says about files outside of tables.
#[derive(Debug, Clone, Default)]
pub struct FileAccessOptions {
    /// Lets statements read and write files of this machine.
    pub allow_local_paths: bool,
    /// Places in S3, such as `s3://bucket/landing`, below which files may be read.
    pub allowed_prefixes: Vec<String>,
    /// The store that they are in, and the keys to read them with.
    pub s3: Option<(S3Endpoint, S3Keys)>,
}

/// Which files outside of tables statements may reach; by default none.
#[derive(Debug, Clone, Default)]
pub struct FileAccess {
    local: bool,
    prefixes: Vec<String>,
    /// Reaches what is below the prefixes, and nothing else.
    s3: Option<Storage>,
}

/// Where a file is.
#[derive(Debug)]
pub(crate) enum Place<'a> {
    Local,
    S3(&'a Storage),
}

impl FileAccess {
    /// Asks nobody anything. Errors: `InvalidStatement` and `Unsupported` for prefixes and
    /// addresses that make no sense.
    pub fn new(options: FileAccessOptions) -> Result<Self> {
        let FileAccessOptions { allow_local_paths: local, allowed_prefixes, s3 } = options;
        let prefixes = allowed_prefixes.iter().map(|prefix| prefix.trim_end_matches('/'));
        let prefixes: Vec<String> = prefixes.map(canonical).collect();
        let s3 = s3.map(|(endpoint, keys)| Storage::s3_files(&prefixes, &endpoint, &keys));
        let s3 = s3.transpose()?;
        Ok(Self { local, prefixes, s3 })
    }

    /// Where the file or the pattern `path` is, if it may be read.
    ///
    /// Errors: `PermissionDenied` naming the setting that would allow it; `Unsupported` for what is
    /// neither of this machine nor in S3.
    pub(crate) fn check_read(&self, path: &str) -> Result<Place<'_>> {
        let Some(scheme) = scheme(path).filter(|scheme| *scheme != "file") else {
            return match self.local {
                true => Ok(Place::Local),
                false => Err(denied(
                    format!("reading files of the server, such as '{path}', is not allowed"),
                    LOCAL_SETTING,
                )),
            };
        };
        if !S3_SCHEMES.contains(&scheme) {
            let message = format!("table functions cannot read '{path}'");
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("they read files of the server and of S3, which begin with s3://"));
        }
        let allowed = !climbs(path) && self.covers(path);
        let message = |why: &str| format!("reading '{path}' is not allowed: {why}");
        match (allowed, &self.s3) {
            (true, Some(storage)) => Ok(Place::S3(storage)),
            (true, None) => {
                let why = "there are no keys for files outside of tables";
                Err(denied(message(why), "[storage] s3_access_key and s3_secret_key"))
            }
            (false, _) => {
                let why = "no prefix of [table_functions] allowed_prefixes covers it";
                Err(denied(message(why), "[table_functions] allowed_prefixes"))
            }
        }
    }

    fn covers(&self, path: &str) -> bool {
        let path = canonical(path);
        self.prefixes.iter().any(|prefix| is_below(&path, prefix))
    }

    /// Errors: `PermissionDenied` where COPY may not write to `target`. It writes files of this
    /// machine only: keys to read what everybody may see are none to write with.
    pub(crate) fn check_copy(&self, target: &str) -> Result<()> {
        match scheme(target) {
            None | Some("file") if self.local => Ok(()),
            None | Some("file") => {
                Err(denied(format!("COPY may not write to '{target}'"), LOCAL_SETTING))
            }
            Some(_) => {
                let message = format!("COPY may not write to '{target}'");
                Err(Error::new(ErrorKind::PermissionDenied, message)
                    .with_hint("it writes files of the server; CREATE TABLE .. AS writes tables"))
            }
        }
    }

    /// Errors: `PermissionDenied` where a new table may not be at `location`. What is not of this
    /// machine the catalog decides, which gives the keys for it.
    pub(crate) fn check_location(&self, location: &str) -> Result<()> {
        match scheme(location) {
            None | Some("file") if !self.local => {
                Err(denied(format!("LOCATION may not choose '{location}'"), LOCAL_SETTING))
            }
            _ => Ok(()),
        }
    }

    /// The same for the places that properties of a new table name.
    pub(crate) fn check_properties(&self, properties: &HashMap<String, String>) -> Result<()> {
        let mut places = PLACES.iter().filter_map(|key| properties.get(*key));
        places.try_for_each(|place| self.check_location(place))
    }
}

/// The scheme of a URL; `None` for a path. `file:` needs no slashes to be one.
fn scheme(path: &str) -> Option<&str> {
    if path.starts_with("file:") {
        return Some("file");
    }
    path.split_once("://").map(|(scheme, _)| scheme)
}

/// The same place under the usual name of S3.
fn canonical(path: &str) -> String {
    match path.split_once("://") {
        Some((scheme, rest)) if S3_SCHEMES.contains(&scheme) => format!("s3://{rest}"),
        _ => path.to_owned(),
    }
}

/// Whether a path leads out of where it begins, also for whoever decodes it once or more. Braces
/// and commas end a name, too: what is between them is put in their place.
fn climbs(path: &str) -> bool {
    let mut path = path.to_owned();
    loop {
        let mut names = path.split(['/', '\\', '{', ',', '}']);
        if names.any(|name| matches!(name, "." | "..")) || path.contains('\0') {
            return true;
        }
        match percent_decode_str(&path).decode_utf8() {
            Ok(decoded) if decoded == path => return false,
            Ok(decoded) => path = decoded.into_owned(),
            // Nobody who decodes it gets a name from it.
            Err(_) => return true,
        }
    }
}

fn denied(message: String, setting: &str) -> Error {
    let hint = format!("the setting is {setting}");
    Error::new(ErrorKind::PermissionDenied, message).with_hint(hint)
}

#[cfg(test)]
mod tests;
