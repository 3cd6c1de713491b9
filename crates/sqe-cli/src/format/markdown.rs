//! A Markdown table, not aligned, because it is rendered elsewhere.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::{Cells, RowWriter, escape};

pub(super) struct MarkdownWriter<'a> {
    out: &'a mut dyn Write,
}

impl<'a> MarkdownWriter<'a> {
    pub(super) fn new(schema: &SchemaRef, out: &'a mut dyn Write) -> Result<Self, ArrowError> {
        let mut writer = Self { out };
        let names = schema.fields().iter().map(|field| Ok(escape(field.name()).into_owned()));
        writer.line(names)?;
        writeln!(writer.out, "|{}", " --- |".repeat(schema.fields().len()))?;
        Ok(writer)
    }

    fn line(
        &mut self,
        cells: impl Iterator<Item = Result<String, ArrowError>>,
    ) -> Result<(), ArrowError> {
        write!(self.out, "|")?;
        for cell in cells {
            write!(self.out, " {} |", cell?.replace('|', "\\|"))?;
        }
        writeln!(self.out)?;
        Ok(())
    }
}

impl RowWriter for MarkdownWriter<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let cells = Cells::new(batch)?;
        for row in 0..batch.num_rows() {
            self.line((0..batch.num_columns()).map(|column| cells.get(column, row)))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        Ok(())
    }
}
