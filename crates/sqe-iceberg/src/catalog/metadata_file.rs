//! Metadata files of tables and views: their names, their bytes, and what is wrong with one that
//! cannot be read. Where the current one is, is the catalog's business.

use std::fmt;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use iceberg::TableIdent;
use iceberg::compression::CompressionCodec;
use iceberg::spec::{FormatVersion, TableMetadata, Type, ViewMetadata};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::storage::Storage;
use crate::{Error, ErrorKind, Result};

/// Where a table's metadata goes in place of `LOCATION/metadata`.
const METADATA_PATH: &str = "write.metadata.path";

/// The location of the metadata file that follows `current`, or of the first one.
pub(crate) fn table_location(current: Option<&str>, metadata: &TableMetadata) -> Result<String> {
    let directory = match metadata.properties().get(METADATA_PATH) {
        Some(path) => path.trim_end_matches('/').to_owned(),
        None => metadata_directory(metadata.location()),
    };
    Ok(file_name(&directory, current, table_codec(metadata)?.suffix()?))
}

/// The location of the metadata file that follows `current`, or of the first one.
pub(crate) fn view_location(current: Option<&str>, metadata: &ViewMetadata) -> String {
    file_name(&metadata_directory(metadata.location()), current, "")
}

fn metadata_directory(location: &str) -> String {
    format!("{}/metadata", location.trim_end_matches('/'))
}

fn file_name(directory: &str, current: Option<&str>, suffix: &str) -> String {
    let version = current.and_then(version).map_or(0, |current| current.saturating_add(1));
    format!("{directory}/{version:05}-{}{suffix}.metadata.json", Uuid::new_v4())
}

/// The number that a metadata file's name begins with: `00012-UUID.metadata.json` as catalogs name
/// them, `v12.metadata.json` as a table without a catalog does.
fn version(location: &str) -> Option<u32> {
    let name = location.rsplit('/').next()?;
    let digits = name.strip_prefix('v').unwrap_or(name);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn table_codec(metadata: &TableMetadata) -> Result<CompressionCodec> {
    metadata.metadata_compression_codec().map_err(|error| Error::invalid(error.message()))
}

/// The bytes of a table's metadata file, compressed where its properties say so.
pub(crate) fn encode_table(metadata: &TableMetadata) -> Result<Vec<u8>> {
    let json = encode(metadata)?;
    match table_codec(metadata)? {
        CompressionCodec::None => Ok(json),
        CompressionCodec::Gzip(level) => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level.into()));
            encoder.write_all(&json).and_then(|()| encoder.finish()).map_err(|error| {
                Error::new(ErrorKind::Internal, "gzip of table metadata").with_source(error)
            })
        }
        other => Err(Error::unsupported(format!("metadata compressed with {}", other.name()))),
    }
}

/// The bytes of a view's metadata file.
pub(crate) fn encode_view(metadata: &ViewMetadata) -> Result<Vec<u8>> {
    encode(metadata)
}

fn encode(metadata: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(metadata).map_err(|error| {
        Error::new(ErrorKind::Internal, "metadata that cannot be written").with_source(error)
    })
}

/// Reads the metadata of a table. Errors: `Corrupt` where the file is missing or holds something
/// else, `Unsupported` where the table needs something that is not built.
pub(crate) async fn read_table(
    ident: &TableIdent,
    location: &str,
    storage: &Storage,
) -> Result<TableMetadata> {
    let origin = Origin { what: "table", ident: ident.clone(), location: location.to_owned() };
    let metadata: TableMetadata = read(origin, storage).await?;
    check_version(ident, &metadata)?;
    Ok(metadata)
}

/// Errors: `Unsupported` for a format version that is not built.
pub(crate) fn check_version(ident: &TableIdent, metadata: &TableMetadata) -> Result<()> {
    match metadata.format_version() {
        FormatVersion::V1 | FormatVersion::V2 => Ok(()),
        FormatVersion::V3 => Err(unsupported_version(ident, 3)),
    }
}

/// Why the metadata of a table, which is JSON, could not be parsed.
pub(crate) fn explain_table(ident: &TableIdent, metadata: &Value) -> Error {
    unsupported("table", ident, metadata).unwrap_or_else(|| {
        Error::corrupt(format!("metadata of table {ident} is not what its format demands"))
    })
}

/// Reads the metadata of a view. Errors: `Corrupt` where the file is missing or holds something
/// else.
pub(crate) async fn read_view(
    ident: &TableIdent,
    location: &str,
    storage: &Storage,
) -> Result<ViewMetadata> {
    let origin = Origin { what: "view", ident: ident.clone(), location: location.to_owned() };
    read(origin, storage).await
}

/// Whose file it is, for messages.
struct Origin {
    what: &'static str,
    ident: TableIdent,
    location: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metadata file {} of {} {}", self.location, self.what, self.ident)
    }
}

async fn read<M: DeserializeOwned + Send + 'static>(
    origin: Origin,
    storage: &Storage,
) -> Result<M> {
    let bytes = storage.read(&origin.location).await.map_err(|error| match error.kind() {
        // The table is there, so a caller must not take this for a table that does not exist.
        ErrorKind::NotFound => Error::corrupt(format!("{origin} is missing")),
        kind => Error::new(kind, origin.to_string()).with_source(error),
    })?;
    // A table with many snapshots has megabytes of metadata.
    let parsed = tokio::task::spawn_blocking(move || parse(&origin, &bytes)).await;
    parsed.map_err(|error| {
        Error::new(ErrorKind::Internal, "reading of metadata ended early").with_source(error)
    })?
}

fn parse<M: DeserializeOwned>(origin: &Origin, bytes: &[u8]) -> Result<M> {
    let mut plain = Vec::new();
    let json = if bytes.starts_with(&[0x1f, 0x8b]) {
        GzDecoder::new(bytes).read_to_end(&mut plain).map_err(|error| {
            Error::corrupt(format!("{origin} is not a whole gzip file")).with_source(error)
        })?;
        &plain
    } else {
        bytes
    };
    serde_json::from_slice(json).map_err(|error| explain(origin, json, error))
}

/// The parser of the metadata only says that something did not fit; this says what.
fn explain(origin: &Origin, json: &[u8], error: serde_json::Error) -> Error {
    let value: Value = match serde_json::from_slice(json) {
        Ok(value) => value,
        Err(error) => return Error::corrupt(format!("{origin} is not JSON")).with_source(error),
    };
    unsupported(origin.what, &origin.ident, &value).unwrap_or_else(|| {
        Error::corrupt(format!("{origin} does not hold {} metadata", origin.what))
            .with_source(error)
    })
}

/// What metadata needs that is not built.
fn unsupported(what: &str, ident: &TableIdent, metadata: &Value) -> Option<Error> {
    if let Some((column, column_type)) = unknown_type(metadata) {
        return Some(Error::unsupported(format!(
            "column {column:?} of {what} {ident} has type {column_type}, which is not supported"
        )));
    }
    let version = metadata.get("format-version").and_then(Value::as_u64);
    let version = version.filter(|version| *version > 2 && what == "table");
    version.map(|version| unsupported_version(ident, version))
}

fn unsupported_version(ident: &TableIdent, version: u64) -> Error {
    Error::unsupported(format!(
        "table {ident} has format version {version}, only versions 1 and 2 are supported"
    ))
}

/// The first column, anywhere in the schemas, whose type is a name that nobody here knows.
fn unknown_type(metadata: &Value) -> Option<(&str, &str)> {
    let schemas = metadata.get("schemas").and_then(Value::as_array).into_iter().flatten();
    schemas.chain(metadata.get("schema")).find_map(|schema| unknown_in("", schema))
}

fn unknown_in<'a>(column: &'a str, field_type: &'a Value) -> Option<(&'a str, &'a str)> {
    if let Value::String(name) = field_type {
        let known = serde_json::from_value::<Type>(field_type.clone()).is_ok();
        return (!known).then_some((column, name.as_str()));
    }
    let fields = field_type.get("fields").and_then(Value::as_array).into_iter().flatten();
    let nested = fields
        .filter_map(|field| Some((field.get("name").and_then(Value::as_str)?, field.get("type")?)));
    let inner = ["element", "key", "value"].map(|key| field_type.get(key).map(|t| (column, t)));
    nested.chain(inner.into_iter().flatten()).find_map(|(name, value)| unknown_in(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_numbered_after_the_one_before() {
        let check = |current: &str, expected: &str| {
            let name = file_name("/t/metadata", Some(current), ".gz");
            assert!(name.starts_with(expected), "{name}");
            assert!(name.ends_with(".gz.metadata.json"), "{name}");
        };
        check(
            "/t/metadata/00041-9c12d441-03fe-4693-9a96-a0705ddf69c1.metadata.json",
            "/t/metadata/00042-",
        );
        check("file:///t/metadata/v9.metadata.json", "/t/metadata/00010-");
        check("/t/metadata/first.metadata.json", "/t/metadata/00000-");
    }

    #[test]
    fn the_reason_why_metadata_cannot_be_read_is_named() {
        let check = |json: &str, kind, expected: &str| {
            let ident = TableIdent::from_strs(["s", "t"]).unwrap();
            let origin = Origin { what: "table", ident, location: "/f".into() };
            let error = parse::<TableMetadata>(&origin, json.as_bytes()).unwrap_err();
            assert_eq!((error.kind(), error.message()), (kind, expected));
        };
        let corrupt = ErrorKind::Corrupt;
        check("{", corrupt, "metadata file /f of table s.t is not JSON");
        check("{}", corrupt, "metadata file /f of table s.t does not hold table metadata");
        check("\x1f", corrupt, "metadata file /f of table s.t is not JSON");
        check(
            r#"{"format-version": 4}"#,
            ErrorKind::Unsupported,
            "table s.t has format version 4, only versions 1 and 2 are supported",
        );
        check(
            r#"{"format-version": 3, "schemas": [{"type": "struct", "fields": [
                {"id": 1, "name": "a", "type": "decimal(9, 2)", "required": true},
                {"id": 2, "name": "b", "required": true, "type":
                    {"type": "list", "element-id": 3, "element": "geometry(srid:4326)"}}]}]}"#,
            ErrorKind::Unsupported,
            r#"column "b" of table s.t has type geometry(srid:4326), which is not supported"#,
        );
    }
}
