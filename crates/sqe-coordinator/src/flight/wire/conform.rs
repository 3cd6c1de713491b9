//! Batches in the layout that was announced. Only the layout may change here: a batch whose types
//! mean something else than the announced ones is a defect and becomes an error.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::error::ArrowError;
use sqe_engine::{Error, ErrorKind, Result};

use super::schema::wire_type;

/// `batch` in the layout of `schema`. Errors: `Internal`, if its types or nulls do not fit.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let fields = schema.fields();
    if batch.num_columns() != fields.len() {
        return Err(misfit(format!(
            "a batch of {} columns where {} were announced",
            batch.num_columns(),
            fields.len()
        )));
    }
    let columns = batch.columns().iter().zip(fields);
    let columns: Vec<ArrayRef> =
        columns.map(|(column, field)| conform_column(column, field)).collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options)
        .map_err(|error| misfit(error.to_string()))
}

fn conform_column(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    let (from, to) = (column.data_type(), field.data_type());
    if from == to {
        return Ok(ArrayRef::clone(column));
    }
    if !same_shape(&wire_type(from), to) {
        let name = field.name();
        return Err(misfit(format!("column {name} is {from}, announced as {to}")));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let context = |error: ArrowError| misfit(format!("column {}: {error}", field.name()));
    cast_with_options(column, to, &options).map_err(context)
}

/// Whether values of `a` are values of `b`: equal but for nullability, metadata and the names of
/// the items of lists and maps.
fn same_shape(a: &DataType, b: &DataType) -> bool {
    use DataType::{FixedSizeList, LargeList, List, Map, Struct};
    let same_item = |a: &Field, b: &Field| same_shape(a.data_type(), b.data_type());
    match (a, b) {
        (List(a), List(b)) | (LargeList(a), LargeList(b)) => same_item(a, b),
        (FixedSizeList(a, n), FixedSizeList(b, m)) => n == m && same_item(a, b),
        (Struct(a), Struct(b)) => {
            let mut pairs = a.iter().zip(b);
            a.len() == b.len() && pairs.all(|(a, b)| a.name() == b.name() && same_item(a, b))
        }
        (Map(a, _), Map(b, _)) => match (a.data_type(), b.data_type()) {
            (Struct(a), Struct(b)) => a.iter().zip(b).all(|(a, b)| same_item(a, b)),
            _ => false,
        },
        _ => a == b,
    }
}

fn misfit(detail: String) -> Error {
    Error::new(ErrorKind::Internal, format!("result does not fit: {detail}"))
}
