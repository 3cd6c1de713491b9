//! JSON as an array of objects, or as one object per line. Nulls are written, so that every object
//! has every column.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, Writer};

use super::RowWriter;

pub(super) struct JsonWriter<'a, F: JsonFormat> {
    writer: Writer<&'a mut dyn Write, F>,
    /// What ends the last line.
    end: &'static str,
}

pub(super) fn array_writer(out: &mut dyn Write) -> JsonWriter<'_, JsonArray> {
    JsonWriter { writer: WriterBuilder::new().with_explicit_nulls(true).build(out), end: "\n" }
}

pub(super) fn line_writer(out: &mut dyn Write) -> JsonWriter<'_, LineDelimited> {
    JsonWriter { writer: WriterBuilder::new().with_explicit_nulls(true).build(out), end: "" }
}

impl<F: JsonFormat> RowWriter for JsonWriter<'_, F> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.writer.write(batch)
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        self.writer.finish()?;
        self.writer.get_mut().write_all(self.end.as_bytes())?;
        Ok(())
    }
}
