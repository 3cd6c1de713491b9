//! How rows are printed. A format gets batches one after the other and keeps no more of them than
//! a bounded sample, so that a result may be of any size.

mod delimited;
mod json;
mod markdown;
mod table;
mod uuids;
mod vertical;

use std::borrow::Cow;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::ValueEnum;

/// The formats by their names on the command line.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people
    Table,
    /// Comma-separated values with a header
    Csv,
    /// Tab-separated values with a header
    Tsv,
    /// One JSON array of objects
    Json,
    /// One JSON object per line
    Ndjson,
    /// A Markdown table
    Markdown,
    /// One line per value
    Vertical,
}

impl Format {
    /// Whether other programs read it, so that it must hold nothing but rows.
    pub(crate) fn is_data(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Json | Self::Ndjson)
    }

    /// Starts a result whose batches have `schema`.
    pub(crate) fn open<'a>(
        self,
        schema: &SchemaRef,
        out: &'a mut dyn Write,
    ) -> Result<Box<dyn RowWriter + 'a>, ArrowError> {
        let rows: Box<dyn RowWriter + 'a> = match self {
            Self::Table => Box::new(table::TableWriter::new(schema, out)),
            Self::Csv => Box::new(delimited::DelimitedWriter::new(b',', schema, out)?),
            Self::Tsv => Box::new(delimited::DelimitedWriter::new(b'\t', schema, out)?),
            Self::Json => Box::new(json::array_writer(out)),
            Self::Ndjson => Box::new(json::line_writer(out)),
            Self::Markdown => Box::new(markdown::MarkdownWriter::new(schema, out)?),
            Self::Vertical => Box::new(vertical::VerticalWriter::new(schema, out)),
        };
        Ok(if uuids::any(schema) { Box::new(uuids::AsText(rows)) } else { rows })
    }
}

/// Prints the batches of one result.
pub(crate) trait RowWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError>;

    /// Prints what follows the last row.
    fn finish(&mut self) -> Result<(), ArrowError>;
}

/// The values of a batch as text for people: nulls are `NULL`, control characters are escaped.
struct Cells<'a>(Vec<ArrayFormatter<'a>>);

impl<'a> Cells<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let options = FormatOptions::new().with_null("NULL").with_display_error(false);
        let formatters = batch.columns().iter();
        let formatters =
            formatters.map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        Ok(Self(formatters.collect::<Result<_, _>>()?))
    }

    /// The lines of a value, such as a plan or the text of a view; at least one.
    fn lines(&self, column: usize, row: usize) -> Result<Vec<String>, ArrowError> {
        let text = self.0[column].value(row).try_to_string()?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Ok(text.split('\n').map(|line| escape(line).into_owned()).collect())
    }

    fn get(&self, column: usize, row: usize) -> Result<String, ArrowError> {
        let text = self.0[column].value(row).try_to_string()?;
        Ok(match escape(&text) {
            Cow::Owned(escaped) => escaped,
            Cow::Borrowed(_) => text,
        })
    }
}

/// `text` with its control characters escaped, so that no value moves the cursor of a terminal.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// `1 row`, `2 rows`.
pub(crate) fn count_rows(rows: u64) -> String {
    format!("{rows} row{}", if rows == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
