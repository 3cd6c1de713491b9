//! Every transform against the `iceberg` crate's, value by value.

use arrow::array::{
    BinaryViewArray, Decimal128Array, FixedSizeBinaryArray, Int64Array, StringViewArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use datafusion::scalar::ScalarValue;
use iceberg::spec::{Datum, PrimitiveLiteral, PrimitiveType};
use iceberg::transform::create_transform_function;
use proptest::prelude::*;

use super::*;
use crate::value::to_literal;

/// Both transforms of one value agree; a null stays null.
fn check(transform: Transform, values: ArrayRef, datum: &Datum) {
    let actual = apply(transform, &values).unwrap();
    let actual = ScalarValue::try_from_array(&actual, 0).unwrap();
    let expected = create_transform_function(&transform).unwrap();
    let expected = expected.transform_literal(datum).unwrap().unwrap();
    assert_eq!(to_literal(&actual).as_ref(), Some(expected.literal()), "{transform} of {datum}");

    let null = new_null_array(values.data_type(), 2);
    assert_eq!(apply(transform, &null).unwrap().null_count(), 2);
}

fn datum(bytes: &[u8], data_type: PrimitiveType) -> Datum {
    Datum::try_from_bytes(bytes, data_type).unwrap()
}

const MICROS: i64 = 200_000 * 365 * MICROS_PER_DAY;

proptest! {
    #[test]
    fn ints(value: i32, count in 1..1000u32, width in 1..1000u32) {
        let array = || Arc::new(Int32Array::from(vec![value])) as ArrayRef;
        check(Transform::Bucket(count), array(), &Datum::int(value));
        if value > i32::MIN + 1000 {
            check(Transform::Truncate(width), array(), &Datum::int(value));
        }
    }

    #[test]
    fn longs(value: i64, count in 1..1000u32, width in 1..1000u32) {
        let array = || Arc::new(Int64Array::from(vec![value])) as ArrayRef;
        check(Transform::Bucket(count), array(), &Datum::long(value));
        if value > i64::MIN + 1000 {
            check(Transform::Truncate(width), array(), &Datum::long(value));
        }
    }

    #[test]
    fn decimals(value in -10i128.pow(37)..10i128.pow(37), shift in 0..120u32, count in 1..1000u32) {
        let value = value >> shift;
        let array = Decimal128Array::from(vec![value]).with_precision_and_scale(38, 4).unwrap();
        let data_type = PrimitiveType::Decimal { precision: 38, scale: 4 };
        let datum = datum(&value.to_be_bytes(), data_type);
        check(Transform::Bucket(count), Arc::new(array.clone()), &datum);
        // The decimals of that crate hold no more digits when it truncates them.
        if value.abs() < 10i128.pow(27) {
            check(Transform::Truncate(count), Arc::new(array), &datum);
        }
    }

    #[test]
    fn strings(value: String, count in 1..1000u32, width in 1..20u32) {
        let array = || Arc::new(StringViewArray::from(vec![value.as_str()])) as ArrayRef;
        check(Transform::Bucket(count), array(), &Datum::string(&value));
        check(Transform::Truncate(width), array(), &Datum::string(&value));
    }

    #[test]
    fn binaries(value: Vec<u8>, count in 1..1000u32, width in 1..20u32) {
        let array = Arc::new(BinaryViewArray::from(vec![value.as_slice()])) as ArrayRef;
        let first = apply(Transform::Truncate(width), &array).unwrap();
        let expected = &value[..value.len().min(width as usize)];
        prop_assert_eq!(first.as_binary_view().value(0), expected);
        check(Transform::Bucket(count), array, &Datum::binary(value));
    }

    #[test]
    fn uuids(value: u128, count in 1..1000u32) {
        let bytes = value.to_be_bytes();
        let array = FixedSizeBinaryArray::try_from_iter([bytes].iter()).unwrap();
        let datum = datum(&bytes, PrimitiveType::Uuid);
        assert_eq!(datum.literal(), &PrimitiveLiteral::UInt128(value));
        check(Transform::Bucket(count), Arc::new(array), &datum);
    }

    #[test]
    fn times(value in 0..MICROS_PER_DAY, count in 1..1000u32) {
        let array = Arc::new(Time64MicrosecondArray::from(vec![value]));
        check(Transform::Bucket(count), array, &datum(&value.to_le_bytes(), PrimitiveType::Time));
    }

    #[test]
    fn dates(value in -80_000_000..80_000_000i32, count in 1..1000u32) {
        let array = || Arc::new(Date32Array::from(vec![value])) as ArrayRef;
        for transform in [Transform::Year, Transform::Month, Transform::Day] {
            check(transform, array(), &Datum::date(value));
        }
        check(Transform::Bucket(count), array(), &Datum::date(value));
    }

    #[test]
    fn timestamps(value in -MICROS..MICROS, near in -100..100i64, count in 1..1000u32) {
        let transforms =
            [Transform::Year, Transform::Month, Transform::Hour, Transform::Bucket(count)];
        // A moment anywhere, one near a midnight and one near the epoch.
        for value in [value, value - value % MICROS_PER_DAY + near, near] {
            let array = || TimestampMicrosecondArray::from(vec![value]);
            for transform in transforms {
                check(transform, Arc::new(array()), &Datum::timestamp_micros(value));
                let zoned = Arc::new(array().with_timezone("UTC"));
                check(transform, zoned, &Datum::timestamptz_micros(value));
            }
            // That crate is a day late in the last second of days before 1969-12-31.
            let date = chrono::DateTime::from_timestamp_micros(value).unwrap().date_naive();
            let days = apply(Transform::Day, &(Arc::new(array()) as ArrayRef)).unwrap();
            prop_assert_eq!(days.as_primitive::<Date32Type>().value(0), date.to_epoch_days());
        }
    }
}

#[test]
fn dates_beyond_any_calendar_library() {
    let check = |days, expected| assert_eq!(months_of_days(days), expected);
    check(0, 0);
    check(-1, -1);
    check(59, 2);
    check(-719_468 + 60, -1970 * 12 + 3);
    check(i32::MAX, 70_555_326);
    check(i32::MIN, -70_555_327);
}

#[test]
fn what_does_not_fit_is_refused() {
    let values = Arc::new(Int32Array::from(vec![1])) as ArrayRef;
    let check = |transform, expected: &str| {
        assert_eq!(apply(transform, &values).unwrap_err().to_string(), expected);
    };
    check(Transform::Day, "day of values of type Int32");
    check(Transform::Hour, "hour of values of type Int32");
    check(Transform::Truncate(0), "truncate[0]: the width must be at least 1");
    check(Transform::Bucket(0), "bucket[0]: the number of buckets must be from 1 to 2^31 - 1");
    let late = Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX])) as ArrayRef;
    assert!(apply(Transform::Hour, &late).is_err());
}

#[test]
fn void_is_null() {
    let values = Arc::new(Int32Array::from(vec![1])) as ArrayRef;
    assert!(apply(Transform::Void, &values).unwrap().is_null(0));
    assert_eq!(&apply(Transform::Identity, &values).unwrap(), &values);
}
