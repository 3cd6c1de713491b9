//! `bucket[N]`: the 32-bit Murmur3 hash of a value, as appendix B of the specification wants it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Int32Array};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int32Type, Int64Type, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use iceberg::spec::Transform;

use super::misfit;
use crate::{Error, Result};

pub(super) fn bucket(count: u32, values: &ArrayRef) -> Result<ArrayRef> {
    let count = i32::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
        Error::invalid(format!("bucket[{count}]: the number of buckets must be from 1 to 2^31 - 1"))
    })?;
    let buckets = Buckets { count };
    let buckets = match values.data_type() {
        // Numbers hash as 64 bits, so that a column that grows from int to long keeps its buckets.
        DataType::Int32 => buckets.of_longs::<Int32Type>(values),
        DataType::Int64 => buckets.of_longs::<Int64Type>(values),
        DataType::Date32 => buckets.of_longs::<Date32Type>(values),
        DataType::Time64(TimeUnit::Microsecond) => {
            buckets.of_longs::<Time64MicrosecondType>(values)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            buckets.of_longs::<TimestampMicrosecondType>(values)
        }
        DataType::Decimal128(..) => values
            .as_primitive::<Decimal128Type>()
            .unary(|unscaled| buckets.of_bytes(shortest(&unscaled.to_be_bytes()))),
        DataType::Utf8 => buckets.of_all(values.as_string::<i32>().iter()),
        DataType::LargeUtf8 => buckets.of_all(values.as_string::<i64>().iter()),
        DataType::Utf8View => buckets.of_all(values.as_string_view().iter()),
        DataType::Binary => buckets.of_all(values.as_binary::<i32>().iter()),
        DataType::LargeBinary => buckets.of_all(values.as_binary::<i64>().iter()),
        DataType::BinaryView => buckets.of_all(values.as_binary_view().iter()),
        DataType::FixedSizeBinary(_) => buckets.of_all(values.as_fixed_size_binary().iter()),
        _ => return Err(misfit(Transform::Bucket(count as u32), values)),
    };
    Ok(Arc::new(buckets))
}

#[derive(Clone, Copy)]
struct Buckets {
    count: i32,
}

impl Buckets {
    fn of_bytes(self, bytes: &[u8]) -> i32 {
        (hash(bytes) & i32::MAX) % self.count
    }

    fn of_longs<T: ArrowPrimitiveType<Native: Into<i64>>>(self, values: &ArrayRef) -> Int32Array {
        values
            .as_primitive::<T>()
            .unary(|value| self.of_bytes(&Into::<i64>::into(value).to_le_bytes()))
    }

    fn of_all<V: AsRef<[u8]>>(self, values: impl Iterator<Item = Option<V>>) -> Int32Array {
        values.map(|value| value.map(|value| self.of_bytes(value.as_ref()))).collect()
    }
}

/// Reading from memory cannot fail.
fn hash(mut bytes: &[u8]) -> i32 {
    murmur3::murmur3_32(&mut bytes, 0).unwrap_or_default() as i32
}

/// The fewest bytes of a big-endian number in two's complement that still have its sign.
fn shortest(bytes: &[u8; 16]) -> &[u8] {
    let filler = if bytes[0] & 0x80 == 0 { 0x00 } else { 0xFF };
    let redundant = bytes
        .windows(2)
        .take_while(|pair| pair[0] == filler && (pair[1] ^ filler) & 0x80 == 0)
        .count();
    &bytes[redundant..]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of appendix B of the specification.
    #[test]
    fn hashes_are_those_of_the_specification() {
        let long = |value: i64| hash(&value.to_le_bytes());
        let decimal = |unscaled: i128| hash(shortest(&unscaled.to_be_bytes()));
        assert_eq!(long(34), 2_017_239_379);
        assert_eq!(decimal(1420), -500_754_589);
        let date_2017_11_16 = 17_486;
        assert_eq!(long(date_2017_11_16), -653_330_422);
        let time_22_31_08 = 81_068_000_000;
        assert_eq!(long(time_22_31_08), -662_762_989);
        let timestamp_2017_11_16_22_31_08 = 1_510_871_468_000_000;
        assert_eq!(long(timestamp_2017_11_16_22_31_08), -2_047_944_441);
        assert_eq!(long(timestamp_2017_11_16_22_31_08 + 1), -1_207_196_810);
        assert_eq!(hash(b"iceberg"), 1_210_000_089);
        let uuid = 0xf79c_3e09_677c_4bbd_a479_3f34_9cb7_85e7_u128;
        assert_eq!(hash(&uuid.to_be_bytes()), 1_488_055_340);
        assert_eq!(hash(&[0, 1, 2, 3]), -188_683_207);
    }

    #[test]
    fn decimals_take_the_fewest_bytes() {
        let check = |unscaled: i128, expected: &[u8]| {
            assert_eq!(shortest(&unscaled.to_be_bytes()), expected);
        };
        check(0, &[0]);
        check(-1, &[0xFF]);
        check(127, &[0x7F]);
        check(128, &[0x00, 0x80]);
        check(-128, &[0x80]);
        check(-129, &[0xFF, 0x7F]);
    }
}
