//! Uuids, which Arrow's formats print as sixteen bytes.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use uuid::Uuid;

use super::RowWriter;

/// Writes the rows of a result with its uuids as text.
pub(super) struct AsText<'a>(pub(super) Box<dyn RowWriter + 'a>);

/// Whether a result has columns of uuids.
pub(super) fn any(schema: &Schema) -> bool {
    schema.fields().iter().any(|field| is_uuid(field))
}

/// Arrow's canonical extension type.
fn is_uuid(field: &Field) -> bool {
    *field.data_type() == DataType::FixedSizeBinary(16)
        && field.extension_type_name() == Some("arrow.uuid")
}

impl RowWriter for AsText<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            match is_uuid(field) {
                true => (Field::new(field.name(), DataType::Utf8, true), text(column)),
                false => (field.as_ref().clone(), Arc::clone(column)),
            }
        });
        let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.unzip();
        self.0.write(&RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        self.0.finish()
    }
}

fn text(uuids: &ArrayRef) -> ArrayRef {
    let uuids = uuids.as_fixed_size_binary().iter();
    let text = uuids.map(|bytes| Uuid::from_slice(bytes?).ok().map(|uuid| uuid.to_string()));
    Arc::new(text.collect::<StringArray>())
}
