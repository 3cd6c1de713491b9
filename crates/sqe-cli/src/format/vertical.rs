//! One line per value below a line per row, for rows wider than the screen.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use unicode_width::UnicodeWidthStr;

use super::{Cells, RowWriter, count_rows, escape};

pub(super) struct VerticalWriter<'a> {
    out: &'a mut dyn Write,
    /// Names padded to the same width.
    names: Vec<String>,
    rows: u64,
}

impl<'a> VerticalWriter<'a> {
    pub(super) fn new(schema: &SchemaRef, out: &'a mut dyn Write) -> Self {
        let names: Vec<_> = schema.fields().iter().map(|field| escape(field.name())).collect();
        let width = names.iter().map(|name| name.width()).max().unwrap_or_default();
        let names = names.iter().map(|name| format!("{name}{}", " ".repeat(width - name.width())));
        Self { names: names.collect(), out, rows: 0 }
    }
}

impl RowWriter for VerticalWriter<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let cells = Cells::new(batch)?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            writeln!(self.out, "-[ ROW {} ]-", self.rows)?;
            for (column, name) in self.names.iter().enumerate() {
                writeln!(self.out, "{name} | {}", cells.get(column, row)?)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        writeln!(self.out, "({})", count_rows(self.rows))?;
        Ok(())
    }
}
