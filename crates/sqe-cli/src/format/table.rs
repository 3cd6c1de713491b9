//! Aligned columns: header, rule, rows, `(N rows)`. The widths are those of the first rows; a wider
//! value later moves the rest of its line instead of being cut. A value of several lines takes
//! several lines.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use unicode_width::UnicodeWidthStr;

use super::{Cells, RowWriter, count_rows, escape};

/// Rows that determine the widths.
const SAMPLE_ROWS: usize = 1000;
/// One long value must not pad all other rows to its width.
const MAX_WIDTH: usize = 120;

pub(super) struct TableWriter<'a> {
    out: &'a mut dyn Write,
    header: Vec<String>,
    /// Empty until the first rows are there.
    widths: Vec<usize>,
    /// Batches that wait for the widths.
    sample: Vec<RecordBatch>,
    rows: usize,
}

impl<'a> TableWriter<'a> {
    pub(super) fn new(schema: &SchemaRef, out: &'a mut dyn Write) -> Self {
        let header = schema.fields().iter().map(|field| escape(field.name()).into_owned());
        Self { out, header: header.collect(), widths: Vec::new(), sample: Vec::new(), rows: 0 }
    }

    /// Fixes the widths and prints all that waits for them.
    fn start(&mut self) -> Result<(), ArrowError> {
        self.widths = self.header.iter().map(|name| name.width()).collect();
        let mut sampled = 0;
        for batch in &self.sample {
            let cells = Cells::new(batch)?;
            for row in 0..batch.num_rows().min(SAMPLE_ROWS - sampled) {
                for (column, width) in self.widths.iter_mut().enumerate() {
                    let lines = cells.lines(column, row)?;
                    *width = lines.iter().map(|line| line.width()).fold(*width, usize::max);
                }
            }
            sampled = SAMPLE_ROWS.min(sampled + batch.num_rows());
        }
        self.widths.iter_mut().for_each(|width| *width = MAX_WIDTH.min(*width));
        if !self.widths.is_empty() {
            let header = std::mem::take(&mut self.header);
            self.line(header.iter().map(String::as_str))?;
            writeln!(self.out, "{}", rule(&self.widths))?;
        }
        for batch in std::mem::take(&mut self.sample) {
            self.print(&batch)?;
        }
        Ok(())
    }

    fn print(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if batch.num_columns() == 0 {
            return Ok(());
        }
        let cells = Cells::new(batch)?;
        for row in 0..batch.num_rows() {
            let row = (0..batch.num_columns()).map(|column| cells.lines(column, row));
            let row = row.collect::<Result<Vec<_>, _>>()?;
            let height = row.iter().map(Vec::len).max().unwrap_or_default();
            for line in 0..height {
                self.line(row.iter().map(|cell| cell.get(line).map_or("", String::as_str)))?;
            }
        }
        Ok(())
    }

    fn line<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> Result<(), ArrowError> {
        let mut line = String::new();
        let mut padding = 0;
        for (column, (cell, width)) in cells.zip(&self.widths).enumerate() {
            if column > 0 {
                line.extend(std::iter::repeat_n(' ', padding));
                line.push_str(" | ");
            }
            padding = width.saturating_sub(cell.width());
            line.push_str(cell);
        }
        writeln!(self.out, "{}", line.trim_end_matches(' '))?;
        Ok(())
    }

    fn waits(&self) -> bool {
        self.rows < SAMPLE_ROWS
    }
}

impl RowWriter for TableWriter<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let waits = self.waits();
        self.rows += batch.num_rows();
        if !waits {
            return self.print(batch);
        }
        self.sample.push(batch.clone());
        if self.waits() { Ok(()) } else { self.start() }
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        if self.waits() {
            self.start()?;
        }
        writeln!(self.out, "({})", count_rows(self.rows as u64))?;
        Ok(())
    }
}

/// Dashes below each column and the space on both sides of it, `+` below `|`. Rows have no space
/// before the first column, so it has one dash less when others follow it.
fn rule(widths: &[usize]) -> String {
    let dashes = widths.iter().enumerate().map(|(column, width)| match column {
        0 if widths.len() > 1 => "-".repeat(width + 1),
        _ => "-".repeat(width + 2),
    });
    dashes.collect::<Vec<_>>().join("+")
}
