//! Small results made of columns of text.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StringArray};
use arrow::compute::{filter_record_batch, kernels::comparison::like};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::physical_plan::memory::MemoryStream;

use crate::{Output, Result};

/// A schema of text columns; the first one is never null.
pub(super) fn text_schema(columns: &[&str]) -> SchemaRef {
    let fields = columns.iter().enumerate();
    let fields = fields.map(|(n, name)| Field::new(*name, DataType::Utf8, n > 0));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A row of a listing.
pub(super) type Row = Vec<Option<String>>;

/// A result of text columns; with `pattern` only the rows whose first column is LIKE it.
pub(super) fn listing(schema: SchemaRef, rows: Vec<Row>, pattern: Option<&str>) -> Result<Output> {
    let columns = (0..schema.fields().len()).map(|n| {
        let values = rows.iter().map(|row| row[n].as_deref());
        Arc::new(values.collect::<StringArray>()) as ArrayRef
    });
    let columns: Vec<ArrayRef> = columns.collect();
    let mut batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(internal)?;
    if let Some(pattern) = pattern {
        let names = batch.column(0);
        let matching: BooleanArray =
            like(names, &StringArray::new_scalar(pattern)).map_err(internal)?;
        batch = filter_record_batch(&batch, &matching).map_err(internal)?;
    }
    let stream = MemoryStream::try_new(vec![batch], schema, None)?;
    Ok(Output::Rows(Box::pin(stream)))
}

fn internal(error: arrow::error::ArrowError) -> crate::Error {
    datafusion::error::DataFusionError::from(error).into()
}
