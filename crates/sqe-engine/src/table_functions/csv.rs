//! `read_csv`.
//!
//! Options, as DuckDB names them:
//! - `header`: whether the first line names the columns. By default it does if none of its values
//!   is a number, a boolean, a date or a timestamp, and at least one is not empty.
//! - `delim` or `sep`: one ASCII character; by default a comma, or a tab if the first file is a
//!   `.tsv` file.
//! - `quote` (`"`), `escape` (a doubled quote), `comment` (none): one ASCII character each.
//! - `nullstr`: a string or a list of strings that stand for NULL, instead of the empty one.
//! - `compression`: `auto` (by the end of the name), `none`, `gzip`, `zstd`, `bzip2`, `xz`.
//! - `all_varchar`: no column gets another type than VARCHAR.
//! - `sample_size`: lines that types are inferred from, 20,480 by default, `-1` for all. A value
//!   behind them that is not of its column's type is an error, never a NULL.
//! - `newlines_in_values`: `false` promises that no value holds a line break, so that a big file is
//!   read by several threads.
//!
//! Types are BOOLEAN, BIGINT, DOUBLE, DATE (`2024-12-31`), TIMESTAMP (with a time zone if the
//! values say one) and VARCHAR. Columns are matched by place, so all files must have the same.

use std::{io::Read, sync::Arc};

use arrow::{
    csv::{ReaderBuilder, reader::Format},
    datatypes::SchemaRef,
    error::ArrowError,
};
use datafusion::catalog::TableProvider;
use regex::Regex;

use super::{
    Call, FileAccess, Files,
    codec::{CsvMessage, FormatMessage},
    csv_schema::{self, CsvSchema},
    hive::PathColumns,
    options::{Options, invalid},
    provider::{FilesTable, Reading},
    text::{Batches, Compression, Input, TextFormat},
};
use crate::{Error, ErrorKind, Result};

const OPTIONS: [&str; 11] = [
    "all_varchar",
    "comment",
    "compression",
    "delim",
    "escape",
    "header",
    "newlines_in_values",
    "nullstr",
    "quote",
    "sample_size",
    "sep",
];

const UNSUPPORTED: [&str; 24] = [
    "allow_quoted_nulls",
    "auto_detect",
    "auto_type_candidates",
    "buffer_size",
    "column_names",
    "column_types",
    "columns",
    "dateformat",
    "decimal_separator",
    "dtypes",
    "encoding",
    "force_not_null",
    "ignore_errors",
    "max_line_size",
    "names",
    "new_line",
    "normalize_names",
    "null_padding",
    "parallel",
    "skip",
    "store_rejects",
    "timestampformat",
    "types",
    "union_by_name",
];

/// What a directory is searched for.
const EXTENSIONS: [&str; 10] = [
    ".csv", ".csv.gz", ".csv.zst", ".csv.bz2", ".csv.xz", ".tsv", ".tsv.gz", ".tsv.zst",
    ".tsv.bz2", ".tsv.xz",
];

/// Lines that types are inferred from.
const SAMPLE_LINES: usize = 20_480;

/// How the values of a file are separated and written.
#[derive(Debug, Clone)]
pub(super) struct Dialect {
    delimiter: u8,
    quote: u8,
    escape: Option<u8>,
    comment: Option<u8>,
    /// What stands for NULL; the empty string if there is none.
    nulls: Vec<String>,
}

impl Dialect {
    fn of(options: &Options<'_>, first_path: &str) -> Result<Self> {
        let delimiter = match (options.character("delim")?, options.character("sep")?) {
            (Some(_), Some(_)) => {
                return Err(invalid("options delim and sep of read_csv are the same".to_owned()));
            }
            (Some(delimiter), None) | (None, Some(delimiter)) => delimiter,
            (None, None) if first_path.contains(".tsv") => b'\t',
            (None, None) => b',',
        };
        let quote = options.character("quote")?.unwrap_or(b'"');
        // A doubled quote is understood without an escape character.
        let escape = options.character("escape")?.filter(|escape| *escape != quote);
        let comment = options.character("comment")?;
        let special = [Some(delimiter), Some(quote), escape, comment];
        let special = special.into_iter().flatten().collect::<Vec<_>>();
        for (index, character) in special.iter().enumerate() {
            if special[..index].contains(character) || matches!(character, b'\n' | b'\r') {
                let character = char::from(*character);
                return Err(invalid(format!(
                    "character {character:?} cannot have two meanings in read_csv"
                )));
            }
        }
        Ok(Self { delimiter, quote, escape, comment, nulls: options.texts("nullstr")? })
    }

    /// Whether a value stands for NULL.
    pub(super) fn is_null(&self, text: &str) -> bool {
        match self.nulls.as_slice() {
            [] => text.is_empty(),
            nulls => nulls.iter().any(|null| null == text),
        }
    }

    /// A reader of text that starts with a record, not a header.
    pub(super) fn reader(&self, schema: SchemaRef) -> ReaderBuilder {
        let mut builder = ReaderBuilder::new(schema)
            .with_header(false)
            .with_delimiter(self.delimiter)
            .with_quote(self.quote);
        if let Some(escape) = self.escape {
            builder = builder.with_escape(escape);
        }
        if let Some(comment) = self.comment {
            builder = builder.with_comment(comment);
        }
        builder
    }

    /// The number of values in the first record of `text`.
    pub(super) fn width(&self, text: &[u8]) -> Result<usize, ArrowError> {
        let mut format = Format::default()
            .with_header(true)
            .with_delimiter(self.delimiter)
            .with_quote(self.quote);
        if let Some(escape) = self.escape {
            format = format.with_escape(escape);
        }
        if let Some(comment) = self.comment {
            format = format.with_comment(comment);
        }
        Ok(format.infer_schema(text, Some(0))?.0.fields().len())
    }
}

/// What of a file is looked at to know its columns, and how.
#[derive(Debug, Clone)]
pub(super) struct Inference {
    pub(super) dialect: Dialect,
    /// Whether the first line is a header; unknown before it is seen.
    pub(super) header: Option<bool>,
    pub(super) all_varchar: bool,
    /// Records per file; all of them if not given.
    pub(super) sample: Option<usize>,
}

pub(super) async fn open(call: Call, access: &FileAccess) -> Result<Arc<dyn TableProvider>> {
    let options = Options::try_new(&call, &OPTIONS, &UNSUPPORTED)?;
    let files = Files::list(&call, access, &EXTENSIONS).await?;
    let dialect = Dialect::of(&options, &files.found[0].path)?;
    let compression = Compression::of(&options)?;
    let inference = Inference {
        header: options.boolean("header")?,
        all_varchar: options.boolean("all_varchar")?.unwrap_or(false),
        sample: sample(&options, files.found.len())?,
        dialect,
    };
    let splits = options.boolean("newlines_in_values")? == Some(false);
    let path_columns = PathColumns::of(&files.found, &options)?;
    let CsvSchema { schema, header } = csv_schema::infer(&files, &inference, compression).await?;
    let format = CsvFormat::new(inference.dialect, header, splits)?;
    let reading = Reading::Text { format: Arc::new(format), compression };
    Ok(Arc::new(FilesTable::try_new(files, schema, path_columns, reading)?))
}

/// Lines of each of `files` files to infer types from.
fn sample(options: &Options<'_>, files: usize) -> Result<Option<usize>> {
    match options.integer("sample_size")? {
        None => Ok(Some((SAMPLE_LINES / files).max(1024))),
        Some(-1) => Ok(None),
        Some(lines) => match usize::try_from(lines) {
            Ok(lines) if lines > 0 => Ok(Some(lines)),
            _ => Err(invalid(format!(
                "option sample_size of read_csv must be positive or -1, got {lines}"
            ))),
        },
    }
}

/// Matches exactly the strings of `nulls`; `None` for the default.
fn null_regex(nulls: &[String]) -> Result<Option<Regex>> {
    if nulls.is_empty() {
        return Ok(None);
    }
    let alternatives = nulls.iter().map(|null| regex::escape(null)).collect::<Vec<_>>();
    let regex = Regex::new(&format!(r"\A(?:{})\z", alternatives.join("|")));
    let message = |error| format!("option nullstr of read_csv is too long: {error}");
    regex.map(Some).map_err(|error| Error::new(ErrorKind::InvalidStatement, message(error)))
}

/// CSV with known columns.
#[derive(Debug)]
pub(super) struct CsvFormat {
    dialect: Dialect,
    nulls: Option<Regex>,
    header: bool,
    splits: bool,
}

impl CsvFormat {
    fn new(dialect: Dialect, header: bool, splits: bool) -> Result<Self> {
        Ok(Self { nulls: null_regex(&dialect.nulls)?, dialect, header, splits })
    }

    /// Errors: `Internal` for a character that is none of ASCII.
    pub(super) fn from_message(message: CsvMessage) -> Result<Self> {
        let CsvMessage { delimiter, quote, escape, comment, nulls, header, splits } = message;
        let character = |code: u32| {
            u8::try_from(code).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
        };
        let dialect = Dialect {
            delimiter: character(delimiter)?,
            quote: character(quote)?,
            escape: escape.map(character).transpose()?,
            comment: comment.map(character).transpose()?,
            nulls,
        };
        Self::new(dialect, header, splits)
    }
}

impl TextFormat for CsvFormat {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn splits_at_lines(&self) -> bool {
        self.splits
    }

    fn message(&self) -> FormatMessage {
        let Dialect { delimiter, quote, escape, comment, nulls } = &self.dialect;
        FormatMessage::Csv(CsvMessage {
            delimiter: u32::from(*delimiter),
            quote: u32::from(*quote),
            escape: escape.map(u32::from),
            comment: comment.map(u32::from),
            nulls: nulls.clone(),
            header: self.header,
            splits: self.splits,
        })
    }

    fn decode(&self, input: Input) -> Result<Batches, ArrowError> {
        let Input { reader, at_start, schema, projection, batch_size } = input;
        let mut builder = self
            .dialect
            .reader(schema)
            .with_header(self.header && at_start)
            .with_projection(projection)
            .with_batch_size(batch_size);
        if let Some(nulls) = &self.nulls {
            builder = builder.with_null_regex(nulls.clone());
        }
        let reader: Box<dyn Read> = reader;
        Ok(Box::new(builder.build(reader)?))
    }
}
