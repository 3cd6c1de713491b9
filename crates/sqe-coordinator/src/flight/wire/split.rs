//! Batches in pieces of the size of a message.
//!
//! Clients refuse messages above 4 to 16 MiB, and batches do not tell their size: slices share
//! large buffers, views and dictionaries grow when they are written plainly, and rows differ in
//! size. The size is therefore estimated as it will be written, and pieces that are still too large
//! are cut again.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    ArrowNativeType, BinaryType, ByteArrayType, DataType, LargeBinaryType, LargeUtf8Type, Utf8Type,
};

/// Room for the descriptions of an array and for the padding of its buffers.
const ARRAY_OVERHEAD_BYTES: usize = 192;

/// Cuts `batch` into pieces, in order, that hold each row once. A piece has at most `max_bytes` by
/// estimate or one row. A batch without rows has no pieces.
pub(super) fn split(batch: &RecordBatch, max_bytes: usize) -> Vec<RecordBatch> {
    let mut pieces = Vec::new();
    cut(batch, max_bytes, &mut pieces);
    pieces
}

fn cut(batch: &RecordBatch, max_bytes: usize, pieces: &mut Vec<RecordBatch>) {
    let rows = batch.num_rows();
    let bytes = batch_bytes(batch);
    match rows {
        0 => {}
        1 => pieces.push(batch.clone()),
        _ if bytes <= max_bytes => pieces.push(batch.clone()),
        _ => {
            // A quarter of slack, so that pieces of nearly equal rows are not cut a second time.
            let count = bytes.div_ceil(max_bytes - max_bytes / 4).clamp(2, rows);
            let length = rows.div_ceil(count);
            for offset in (0..rows).step_by(length) {
                let part = batch.slice(offset, length.min(rows - offset));
                cut(&part, max_bytes, pieces);
            }
        }
    }
}

/// The bytes that `batch` needs in a message, by estimate.
pub(super) fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(array_bytes).sum()
}

fn array_bytes(array: &ArrayRef) -> usize {
    let rows = array.len();
    let values = match array.data_type() {
        DataType::Null => 0,
        DataType::Boolean => rows.div_ceil(8),
        DataType::Utf8 => byte_array_bytes::<Utf8Type>(array),
        DataType::LargeUtf8 => byte_array_bytes::<LargeUtf8Type>(array),
        DataType::Binary => byte_array_bytes::<BinaryType>(array),
        DataType::LargeBinary => byte_array_bytes::<LargeBinaryType>(array),
        DataType::Utf8View => {
            let lengths = array.as_string_view().lengths();
            lengths.map(|length| length as usize + 4).sum()
        }
        DataType::BinaryView => {
            let lengths = array.as_binary_view().lengths();
            lengths.map(|length| length as usize + 4).sum()
        }
        DataType::FixedSizeBinary(width) => rows * usize::try_from(*width).unwrap_or(0),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            rows * 4 + items_bytes(list.values(), list.value_offsets())
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            rows * 8 + items_bytes(list.values(), list.value_offsets())
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let entries: ArrayRef = std::sync::Arc::new(map.entries().clone());
            rows * 4 + items_bytes(&entries, map.value_offsets())
        }
        // A sliced list of fixed size holds a sliced child.
        DataType::FixedSizeList(_, _) => array_bytes(array.as_fixed_size_list().values()),
        DataType::Struct(_) => array.as_struct().columns().iter().map(array_bytes).sum(),
        DataType::Dictionary(_, _) => dictionary_bytes(array),
        other => match other.primitive_width() {
            Some(width) => rows * width.max(decimal_width(other)),
            None => array.get_buffer_memory_size(),
        },
    };
    values + rows.div_ceil(8) + ARRAY_OVERHEAD_BYTES
}

fn byte_array_bytes<T: ByteArrayType>(array: &ArrayRef) -> usize {
    let offsets = array.as_bytes::<T>().value_offsets();
    range_of(offsets).len() + size_of_val(offsets)
}

fn items_bytes<O: ArrowNativeType>(items: &ArrayRef, offsets: &[O]) -> usize {
    let range = range_of(offsets);
    array_bytes(&items.slice(range.start, range.len()))
}

fn range_of<O: ArrowNativeType>(offsets: &[O]) -> std::ops::Range<usize> {
    let at = |offset: Option<&O>| offset.map_or(0, |offset| offset.as_usize());
    at(offsets.first())..at(offsets.last())
}

/// The size of the values, one for each row.
fn dictionary_bytes(array: &ArrayRef) -> usize {
    let dictionary = array.as_any_dictionary();
    let values = dictionary.values();
    if values.is_empty() {
        return 0;
    }
    let sizes: Vec<usize> = (0..values.len())
        .map(|i| array_bytes(&values.slice(i, 1)).saturating_sub(ARRAY_OVERHEAD_BYTES))
        .collect();
    let keys = dictionary.normalized_keys();
    keys.into_iter().map(|key| sizes[key]).sum()
}

/// Small decimals are written with 16 bytes.
fn decimal_width(data_type: &DataType) -> usize {
    match data_type {
        DataType::Decimal32(_, _) | DataType::Decimal64(_, _) => 16,
        _ => 0,
    }
}
