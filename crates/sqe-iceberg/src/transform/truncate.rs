//! `truncate[W]`: numbers down to a multiple of W, strings and binaries to their first W
//! characters or bytes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, LargeBinaryArray, LargeStringArray,
    PrimitiveArray, StringArray, StringViewArray,
};
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type};
use iceberg::spec::Transform;

use super::misfit;
use crate::{Error, Result};

pub(super) fn truncate(width: u32, values: &ArrayRef) -> Result<ArrayRef> {
    if width == 0 {
        return Err(Error::invalid("truncate[0]: the width must be at least 1"));
    }
    let chars = |value| first_chars(value, width as usize);
    let bytes = |value| first_bytes(value, width as usize);
    Ok(match values.data_type() {
        // Below the least number it wraps, as it does in other implementations.
        DataType::Int32 => {
            let values = values.as_primitive::<Int32Type>();
            let floor = |v: i32| (i64::from(v) - i64::from(v).rem_euclid(i64::from(width))) as i32;
            Arc::new(values.unary::<_, Int32Type>(floor))
        }
        DataType::Int64 => {
            let values = values.as_primitive::<Int64Type>();
            let floor = |v: i64| v.wrapping_sub(v.rem_euclid(i64::from(width)));
            Arc::new(values.unary::<_, Int64Type>(floor))
        }
        DataType::Decimal128(precision, scale) => {
            let values = values.as_primitive::<Decimal128Type>();
            let floor = |v: i128| v.wrapping_sub(v.rem_euclid(i128::from(width)));
            let floors: PrimitiveArray<Decimal128Type> = values.unary(floor);
            Arc::new(floors.with_data_type(DataType::Decimal128(*precision, *scale)))
        }
        DataType::Utf8 => {
            let values = values.as_string::<i32>().iter();
            Arc::new(values.map(|v| v.map(chars)).collect::<StringArray>())
        }
        DataType::LargeUtf8 => {
            let values = values.as_string::<i64>().iter();
            Arc::new(values.map(|v| v.map(chars)).collect::<LargeStringArray>())
        }
        DataType::Utf8View => {
            let values = values.as_string_view().iter();
            Arc::new(values.map(|v| v.map(chars)).collect::<StringViewArray>())
        }
        DataType::Binary => {
            let values = values.as_binary::<i32>().iter();
            Arc::new(values.map(|v| v.map(bytes)).collect::<BinaryArray>())
        }
        DataType::LargeBinary => {
            let values = values.as_binary::<i64>().iter();
            Arc::new(values.map(|v| v.map(bytes)).collect::<LargeBinaryArray>())
        }
        DataType::BinaryView => {
            let values = values.as_binary_view().iter();
            Arc::new(values.map(|v| v.map(bytes)).collect::<BinaryViewArray>())
        }
        _ => return Err(misfit(Transform::Truncate(width), values)),
    })
}

fn first_chars(value: &str, width: usize) -> &str {
    match value.char_indices().nth(width) {
        Some((end, _)) => &value[..end],
        None => value,
    }
}

fn first_bytes(value: &[u8], width: usize) -> &[u8] {
    &value[..value.len().min(width)]
}
