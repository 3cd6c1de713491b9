//! CSV and TSV with a header, quoted where needed; a null is an empty field. Nested values, for
//! which CSV has no form, are written as text.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::csv::{Writer, WriterBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::RowWriter;

pub(super) struct DelimitedWriter<'a>(Writer<&'a mut dyn Write>);

impl<'a> DelimitedWriter<'a> {
    pub(super) fn new(
        delimiter: u8,
        schema: &SchemaRef,
        out: &'a mut dyn Write,
    ) -> Result<Self, ArrowError> {
        let mut writer = WriterBuilder::new().with_delimiter(delimiter).build(out);
        // An empty result has a header too.
        let header =
            schema.fields().iter().map(|field| Field::new(field.name(), DataType::Null, true));
        let header = Arc::new(Schema::new(header.collect::<Vec<_>>()));
        writer.write(&RecordBatch::new_empty(header))?;
        Ok(Self(writer))
    }
}

impl RowWriter for DelimitedWriter<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if !batch.columns().iter().any(|column| column.data_type().is_nested()) {
            return self.0.write(batch);
        }
        let mut fields = Vec::with_capacity(batch.num_columns());
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let nested = column.data_type().is_nested();
            let column = if nested { text(column)? } else { Arc::clone(column) };
            fields.push(Field::new(field.name(), column.data_type().clone(), true));
            columns.push(column);
        }
        self.0.write(&RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        Ok(())
    }
}

fn text(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = FormatOptions::new().with_null("NULL").with_display_error(false);
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    let values = (0..column.len())
        .map(|row| match column.is_null(row) {
            true => Ok(None),
            false => formatter.value(row).try_to_string().map(Some),
        })
        .collect::<Result<StringArray, _>>()?;
    Ok(Arc::new(values))
}
