//! Record batches as Flight messages. A batch is encoded once, where it is made.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::kernels::take::take;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoder, FlightDataEncoderBuilder};
use arrow_flight::error::FlightError;
use datafusion::error::Result;
use futures::{Stream, StreamExt};

/// The rows of one partition as messages, its schema first.
///
/// Errors of the rows come as [`FlightError::ExternalError`] that holds a `DataFusionError`.
pub(crate) fn encode(
    schema: SchemaRef,
    rows: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
) -> FlightDataEncoder {
    let rows = rows.map(|batch| {
        let batch = batch.map_err(|error| FlightError::ExternalError(Box::new(error)))?;
        compact(batch).map_err(FlightError::from)
    });
    FlightDataEncoderBuilder::new()
        .with_schema(schema)
        // Both ends know dictionaries.
        .with_dictionary_handling(DictionaryHandling::Resend)
        // A batch is one message: both ends allow any size, and the batches are not large.
        .with_max_flight_data_size(usize::MAX)
        .build(rows)
}

/// The batch without what its arrays hold and no row of it uses: a filtered column of views or of
/// dictionary keys keeps all the values of its source.
fn compact(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let (schema, columns, rows) = batch.into_parts();
    let columns: Vec<ArrayRef> = columns.iter().map(used).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

fn used(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if let Some(views) = column.as_string_view_opt() {
        return Ok(Arc::new(views.gc()));
    }
    if let Some(views) = column.as_binary_view_opt() {
        return Ok(Arc::new(views.gc()));
    }
    if let Some(dictionary) = column.as_any_dictionary_opt()
        && dictionary.values().len() > dictionary.len()
    {
        // Each row gets a value of its own, which is fewer than there are.
        let keys = dictionary.normalized_keys();
        let keys = arrow::array::UInt64Array::from_iter(
            keys.iter()
                .enumerate()
                .map(|(row, key)| dictionary.is_valid(row).then_some(*key as u64)),
        );
        let values = take(dictionary.values().as_ref(), &keys, None)?;
        return arrow::compute::cast(&values, column.data_type());
    }
    Ok(Arc::clone(column))
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, Int32Array, StringArray, StringViewArray};
    use arrow::compute::filter_record_batch;
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn what_no_row_uses_is_left_out() {
        let text = (0..1000).map(|n| format!("a text of more than twelve bytes {n}"));
        let text: Vec<String> = text.collect();
        let views: ArrayRef = Arc::new(StringViewArray::from_iter_values(&text));
        let keys = Int32Array::from_iter_values(0..1000);
        let values = Arc::new(StringArray::from_iter_values(&text));
        let dictionary: ArrayRef =
            Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values).unwrap());
        let batch = RecordBatch::try_from_iter([("v", views), ("d", dictionary)]).unwrap();
        let chosen = (0..1000).map(|row| Some(row == 7 || row == 500)).collect();
        let few = filter_record_batch(&batch, &chosen).unwrap();
        let compacted = compact(few.clone()).unwrap();
        assert_eq!(compacted, few);
        assert!(compacted.get_array_memory_size() * 10 < few.get_array_memory_size());
    }
}
