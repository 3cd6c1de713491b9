//! `read_json`: objects, one after the other or in an array.
//!
//! Options, as DuckDB names them:
//! - `format`: `auto` (an array if the file starts with `[`), `newline_delimited` or `nd` (one
//!   object per line, so that a big file is read by several threads), `unstructured` (objects with
//!   anything blank between them), `array`.
//! - `compression`: `auto` (by the end of the name), `none`, `gzip`, `zstd`, `bzip2`, `xz`.
//! - `sample_size`: only `-1`. All of a file is looked at before it is read, because a column of
//!   whole numbers would silently cut a fraction that comes late.
//!
//! The columns are all keys of all objects of all files, NULL where one lacks them. Types are
//! BOOLEAN, BIGINT, DOUBLE, VARCHAR, and for strings that all are one, DATE and TIMESTAMP; objects
//! are structs, arrays lists. A mix of plain values is VARCHAR; a mix of plain values, objects and
//! arrays under one key is refused.

use std::{
    io::{BufReader, Read},
    sync::Arc,
};

use arrow::{datatypes::Schema, error::ArrowError, json::ReaderBuilder};
use datafusion::{catalog::TableProvider, error::DataFusionError};
use serde::de::DeserializeSeed;
use serde_json::error::Category;

use super::{
    Call, FileAccess, Files, blocking,
    codec::{FormatMessage, JsonMessage},
    fault::unreadable,
    hive::PathColumns,
    json_records::{JsonRecords, Layout},
    json_schema::{Fields, Record},
    options::{Options, invalid},
    provider::{FilesTable, Reading},
    text::{Batches, Compression, Input, TextFormat},
};
use crate::{Error, ErrorKind, Result};

const OPTIONS: [&str; 3] = ["compression", "format", "sample_size"];

const UNSUPPORTED: [&str; 13] = [
    "auto_detect",
    "columns",
    "convert_strings_to_integers",
    "dateformat",
    "field_appearance_threshold",
    "ignore_errors",
    "map_inference_threshold",
    "maximum_depth",
    "maximum_object_size",
    "maximum_sample_files",
    "records",
    "timestampformat",
    "union_by_name",
];

/// What a directory is searched for.
const EXTENSIONS: [&str; 15] = [
    ".json",
    ".json.gz",
    ".json.zst",
    ".json.bz2",
    ".json.xz",
    ".jsonl",
    ".jsonl.gz",
    ".jsonl.zst",
    ".jsonl.bz2",
    ".jsonl.xz",
    ".ndjson",
    ".ndjson.gz",
    ".ndjson.zst",
    ".ndjson.bz2",
    ".ndjson.xz",
];

/// Bytes that the decoder asks for at a time.
const BUFFER_BYTES: usize = 256 * 1024;

pub(super) async fn open(call: Call, access: &FileAccess) -> Result<Arc<dyn TableProvider>> {
    let options = Options::try_new(&call, &OPTIONS, &UNSUPPORTED)?;
    let formats = [
        ("auto", (Layout::Auto, false)),
        ("newline_delimited", (Layout::Sequence, true)),
        ("nd", (Layout::Sequence, true)),
        ("unstructured", (Layout::Sequence, false)),
        ("array", (Layout::Array, false)),
    ];
    let (layout, splits) = options.choice("format", &formats)?.unwrap_or(formats[0].1);
    if let Some(sample) = options.integer("sample_size")?.filter(|sample| *sample != -1) {
        return Err(invalid(format!(
            "option sample_size of read_json can only be -1, all objects, got {sample}"
        )));
    }
    let compression = Compression::of(&options)?;
    let files = Files::list(&call, access, &EXTENSIONS).await?;
    let path_columns = PathColumns::of(&files.found, &options)?;
    let mut fields = Fields::default();
    for found in &files.found {
        let bytes = blocking::bytes(Arc::clone(files.store()), &found.meta);
        let infer = move |reader| add_fields(fields, JsonRecords::new(reader, layout));
        let read = blocking::read_all(bytes, compression.of_file(&found.path), infer).await;
        fields = read.map_err(|error| unreadable(&found.path, error))?;
    }
    let schema = Arc::new(Schema::new(fields.arrow()));
    let reading = Reading::Text { format: Arc::new(JsonFormat { layout, splits }), compression };
    Ok(Arc::new(FilesTable::try_new(files, schema, path_columns, reading)?))
}

/// Adds what the records of a file have.
fn add_fields(mut fields: Fields, records: impl Read) -> Result<Fields, DataFusionError> {
    let records = BufReader::with_capacity(BUFFER_BYTES, records);
    let mut deserializer = serde_json::Deserializer::from_reader(records);
    // The end is looked for before each record: within one, it is an error.
    while let Err(error) = deserializer.end() {
        let record = match error.is_io() {
            true => Err(error),
            false => Record(&mut fields).deserialize(&mut deserializer),
        };
        record.map_err(|error| match error.classify() {
            Category::Io => DataFusionError::from(std::io::Error::from(error)),
            // JSON, but not of a kind that has columns.
            Category::Data => Error::new(ErrorKind::Unsupported, error.to_string()).into(),
            Category::Syntax | Category::Eof => {
                Error::new(ErrorKind::DataCorrupt, error.to_string()).into()
            }
        })?;
    }
    Ok(fields)
}

/// JSON with known columns.
#[derive(Debug)]
pub(super) struct JsonFormat {
    layout: Layout,
    splits: bool,
}

impl JsonFormat {
    pub(super) fn from_message(message: &JsonMessage) -> Self {
        let layout = match (message.array, message.sequence) {
            (true, _) => Layout::Array,
            (false, true) => Layout::Sequence,
            (false, false) => Layout::Auto,
        };
        Self { layout, splits: message.splits }
    }
}

impl TextFormat for JsonFormat {
    fn name(&self) -> &'static str {
        "json"
    }

    fn splits_at_lines(&self) -> bool {
        self.splits
    }

    fn message(&self) -> FormatMessage {
        FormatMessage::Json(JsonMessage {
            array: self.layout == Layout::Array,
            sequence: self.layout == Layout::Sequence,
            splits: self.splits,
        })
    }

    fn decode(&self, input: Input) -> Result<Batches, ArrowError> {
        let Input { reader, schema, projection, batch_size, .. } = input;
        let records = BufReader::with_capacity(BUFFER_BYTES, JsonRecords::new(reader, self.layout));
        let reader = ReaderBuilder::new(Arc::new(schema.project(&projection)?))
            .with_batch_size(batch_size)
            // Numbers and booleans in columns of strings.
            .with_coerce_primitive(true)
            .build(records)?;
        Ok(Box::new(reader))
    }
}
