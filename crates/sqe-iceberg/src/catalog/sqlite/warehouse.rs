//! The directory of new tables, and where in it a table goes.

use std::fmt::Write;
use std::path::{Component, Path};

use iceberg::TableIdent;
use uuid::Uuid;

use crate::{Error, ErrorKind, Result, storage};

/// Longest name of a directory that is made from a name; file systems allow 255 bytes.
const MAX_SEGMENT_BYTES: usize = 150;

/// The directory of new tables, as the beginning of their locations.
#[derive(Debug, Clone)]
pub(super) struct Warehouse {
    location: String,
}

impl Warehouse {
    /// Creates the directory where it is missing.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let unusable = |error: std::io::Error| {
            let message = format!("warehouse {} cannot be used", directory.display());
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        };
        std::fs::create_dir_all(directory).map_err(unusable)?;
        let mut absolute = std::path::absolute(directory).map_err(unusable)?;
        // Links stay as they are, since they are often there to keep a name stable.
        if absolute.components().any(|component| component == Component::ParentDir) {
            absolute = absolute.canonicalize().map_err(unusable)?;
        }
        let path = absolute.to_str().ok_or_else(|| {
            Error::invalid(format!("warehouse {} is not UTF-8", directory.display()))
        })?;
        let location = format!("file://{}", path.trim_end_matches('/'));
        storage::local_file(&location)?;
        Ok(Self { location })
    }

    /// A location below the warehouse that no table uses or used.
    ///
    /// Always two directories down, so that no table is inside another one.
    pub(super) fn new_location(
        &self,
        ident: &TableIdent,
        is_used: impl Fn(&str) -> Result<bool>,
    ) -> Result<String> {
        let levels: Vec<String> = ident.namespace.iter().map(|level| encode(level)).collect();
        let namespace = shorten(levels.join("."));
        let plain = format!("{}/{namespace}/{}", self.location, shorten(encode(&ident.name)));
        let mut location = plain.clone();
        while is_used(&location)? || has_content(&location)? {
            let suffix = Uuid::new_v4().simple().to_string();
            location = format!("{plain}-{}", &suffix[..8]);
        }
        Ok(location)
    }
}

/// A name as a directory. Letters, digits, `_` and `-` stay as they are, so the result means the
/// same as a path, in a URL and in a glob pattern.
fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => encoded.push(byte.into()),
            _ => write!(encoded, "%{byte:02X}").unwrap_or(()),
        }
    }
    encoded
}

/// Names that become the same are told apart by the suffix of a location that is in use.
fn shorten(mut segment: String) -> String {
    segment.truncate(MAX_SEGMENT_BYTES);
    segment
}

fn has_content(location: &str) -> Result<bool> {
    let path = storage::local_file(location)?;
    match std::fs::read_dir(&path).and_then(|mut entries| entries.next().transpose()) {
        Ok(entry) => Ok(entry.is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(true),
        Err(error) => {
            let message = format!("directory {} cannot be read", path.display());
            Err(Error::new(ErrorKind::Unavailable, message).with_source(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_directories_of_the_warehouse() {
        let root = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(&root.path().join("w")).unwrap();
        let check = |names: &[&str], expected: &str| {
            let ident = TableIdent::from_strs(names).unwrap();
            let location = warehouse.new_location(&ident, |_| Ok(false)).unwrap();
            let expected = format!("file://{}/w/{expected}", root.path().display());
            assert_eq!(location, expected);
        };
        check(&["main", "t_1-a"], "main/t_1-a");
        check(&["a", "b", "t"], "a.b/t");
        check(&["s", "../../etc/passwd"], "s/%2E%2E%2F%2E%2E%2Fetc%2Fpasswd");
        check(&["..", "."], "%2E%2E/%2E");
        check(&["Grüße", "it's \"100%\"?#"], "Gr%C3%BC%C3%9Fe/it%27s%20%22100%25%22%3F%23");
        check(&["s", &"x".repeat(300)], &format!("s/{}", "x".repeat(150)));
    }

    #[test]
    fn a_location_in_use_gets_a_suffix() {
        let root = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(root.path()).unwrap();
        let ident = TableIdent::from_strs(["s", "t"]).unwrap();
        let plain = warehouse.new_location(&ident, |_| Ok(false)).unwrap();

        let other = warehouse.new_location(&ident, |location| Ok(location == plain)).unwrap();
        assert_eq!(other.strip_prefix(&format!("{plain}-")).map(str::len), Some(8));

        std::fs::create_dir_all(root.path().join("s/t")).unwrap();
        assert_eq!(warehouse.new_location(&ident, |_| Ok(false)).unwrap(), plain);
        std::fs::write(root.path().join("s/t/left-over"), "").unwrap();
        assert_ne!(warehouse.new_location(&ident, |_| Ok(false)).unwrap(), plain);
    }
}
