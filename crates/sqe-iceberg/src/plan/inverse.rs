//! Partition transforms backwards: between which source values the rows of a partition lie.
//!
//! Only transforms that keep the order of their source can answer. A bucket says nothing about
//! order; it is matched by value, see [`super::prune`].

use arrow::datatypes::{DataType, TimeUnit};
use chrono::NaiveDate;
use datafusion::scalar::ScalarValue;
use iceberg::spec::{PrimitiveLiteral, Transform};

use crate::successor::{next_bytes, next_string};
use crate::value::to_scalar;

const MICROS_PER_HOUR: i64 = 3_600_000_000;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// The smallest and the largest source value of type `source` whose transformed value can be
/// between `lower` and `upper`; `None` where that cannot be told.
pub(crate) fn source_range(
    transform: Transform,
    lower: &PrimitiveLiteral,
    upper: &PrimitiveLiteral,
    source: &DataType,
) -> (Option<ScalarValue>, Option<ScalarValue>) {
    match transform {
        Transform::Identity => (to_scalar(lower, source), to_scalar(upper, source)),
        // Values near the smallest integer are rounded down past it and come out near the largest,
        // in the tables of every engine: such a partition may hold either.
        Transform::Truncate(width) if may_have_wrapped(upper, width) => (None, None),
        Transform::Truncate(width) => {
            (to_scalar(lower, source), last_of_truncated(upper, width, source))
        }
        Transform::Year | Transform::Month | Transform::Day | Transform::Hour => {
            let starts = |literal: &PrimitiveLiteral, later: i64| {
                let PrimitiveLiteral::Int(value) = literal else {
                    return None;
                };
                starts_at(transform, i64::from(*value) + later)
            };
            // Writers are known that round moments before 1970 up instead of down.
            let earlier = match lower {
                PrimitiveLiteral::Int(value) if *value <= 0 => -1,
                _ => 0,
            };
            let last = starts(upper, 1).and_then(|micros| micros.checked_sub(1));
            (
                starts(lower, earlier).and_then(|micros| at(micros, source)),
                last.and_then(|micros| at(micros, source)),
            )
        }
        Transform::Bucket(_) | Transform::Void | Transform::Unknown => (None, None),
    }
}

fn may_have_wrapped(truncated: &PrimitiveLiteral, width: u32) -> bool {
    match truncated {
        PrimitiveLiteral::Int(value) => i64::from(*value) > i64::from(i32::MAX) - i64::from(width),
        PrimitiveLiteral::Long(value) => *value > i64::MAX - i64::from(width),
        _ => false,
    }
}

/// The largest value that truncates to `value`.
fn last_of_truncated(
    value: &PrimitiveLiteral,
    width: u32,
    source: &DataType,
) -> Option<ScalarValue> {
    let more = i128::from(width) - 1;
    match (to_scalar(value, source)?, value) {
        (ScalarValue::Int32(Some(value)), _) => {
            let last = i128::from(value).saturating_add(more).min(i128::from(i32::MAX));
            Some(ScalarValue::Int32(Some(last as i32)))
        }
        (ScalarValue::Int64(Some(value)), _) => {
            let last = i128::from(value).saturating_add(more).min(i128::from(i64::MAX));
            Some(ScalarValue::Int64(Some(last as i64)))
        }
        (ScalarValue::Decimal128(Some(value), precision, scale), _) => {
            Some(ScalarValue::Decimal128(Some(value.checked_add(more)?), precision, scale))
        }
        // A shorter value was not truncated.
        (scalar, PrimitiveLiteral::String(value)) if value.chars().count() < width as usize => {
            Some(scalar)
        }
        (_, PrimitiveLiteral::String(value)) => {
            to_scalar(&PrimitiveLiteral::String(next_string(value)?), source)
        }
        (scalar, PrimitiveLiteral::Binary(value)) if value.len() < width as usize => Some(scalar),
        (_, PrimitiveLiteral::Binary(value)) => {
            to_scalar(&PrimitiveLiteral::Binary(next_bytes(value)?), source)
        }
        _ => None,
    }
}

/// When a year, month, day or hour begins, in microseconds from 1970.
fn starts_at(transform: Transform, value: i64) -> Option<i64> {
    let days = |year: i64, month: u32| {
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, 1)?;
        let days = date.signed_duration_since(NaiveDate::default()).num_days();
        days.checked_mul(MICROS_PER_DAY)
    };
    match transform {
        Transform::Year => days(1970 + value, 1),
        Transform::Month => {
            days(1970 + value.div_euclid(12), u32::try_from(value.rem_euclid(12) + 1).ok()?)
        }
        Transform::Day => value.checked_mul(MICROS_PER_DAY),
        Transform::Hour => value.checked_mul(MICROS_PER_HOUR),
        _ => None,
    }
}

/// A moment as a value of a column; a date is the day it lies in.
fn at(micros: i64, source: &DataType) -> Option<ScalarValue> {
    match source {
        DataType::Date32 => {
            Some(ScalarValue::Date32(Some(i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok()?)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            Some(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transform::apply;

    /// The range of the partition that a value falls into holds the value.
    fn check(transform: Transform, value: ScalarValue) {
        let partition = apply(transform, &value.to_array().unwrap()).unwrap();
        let partition = ScalarValue::try_from_array(&partition, 0).unwrap();
        let literal = crate::value::to_literal(&partition).unwrap();
        let (lower, upper) = source_range(transform, &literal, &literal, &value.data_type());
        let (lower, upper) = (lower.expect("a lower bound"), upper.expect("an upper bound"));
        assert!(lower <= value && value <= upper, "{transform}: {lower} <= {value} <= {upper}");
    }

    proptest! {
        #[test]
        fn a_value_lies_in_the_range_of_its_partition(
            int in any::<i32>(),
            // Years 1000 to 9000.
            micros in -30_610_000_000_000_000_i64..221_845_000_000_000_000,
            days in -354_000_i32..2_567_000,
            string in "\\PC{0,6}",
            bytes in proptest::collection::vec(any::<u8>(), 0..6),
            width in 1_u32..5,
        ) {
            check(Transform::Truncate(width), ScalarValue::Int32(Some(int / 2)));
            check(Transform::Truncate(width), ScalarValue::Int64(Some(i64::from(int))));
            check(Transform::Truncate(width), ScalarValue::Decimal128(Some(int.into()), 20, 2));
            check(Transform::Truncate(width), ScalarValue::Utf8View(Some(string)));
            if bytes[..bytes.len().min(width as usize)].iter().any(|byte| *byte < u8::MAX) {
                check(Transform::Truncate(width), ScalarValue::BinaryView(Some(bytes)));
            }
            for transform in [Transform::Year, Transform::Month, Transform::Day] {
                check(transform, ScalarValue::Date32(Some(days)));
                check(transform, ScalarValue::TimestampMicrosecond(Some(micros), None));
            }
            check(Transform::Hour, ScalarValue::TimestampMicrosecond(Some(micros), None));
        }
    }

    #[test]
    fn a_partition_of_wrapped_values_has_no_range() {
        let smallest = ScalarValue::Int32(Some(i32::MIN));
        let transform = Transform::Truncate(10);
        let partition = apply(transform, &smallest.to_array().unwrap()).unwrap();
        let partition = ScalarValue::try_from_array(&partition, 0).unwrap();
        let wrapped = crate::value::to_literal(&partition).unwrap();
        let low = PrimitiveLiteral::Int(0);
        let range = source_range(transform, &low, &wrapped, &DataType::Int32);
        assert_eq!(range, (None, None), "{partition}");
    }

    #[test]
    fn partitions_end_where_the_next_begins() {
        let micros = |micros| ScalarValue::TimestampMicrosecond(Some(micros), None);
        let check = |transform, value, first, last| {
            let literal = PrimitiveLiteral::Int(value);
            let source = DataType::Timestamp(TimeUnit::Microsecond, None);
            let expected = (Some(micros(first)), Some(micros(last)));
            assert_eq!(source_range(transform, &literal, &literal, &source), expected);
        };
        check(Transform::Day, 1, MICROS_PER_DAY, 2 * MICROS_PER_DAY - 1);
        check(Transform::Month, 1, 31 * MICROS_PER_DAY, 59 * MICROS_PER_DAY - 1);
        check(Transform::Year, 2, 730 * MICROS_PER_DAY, 1_096 * MICROS_PER_DAY - 1);
        check(Transform::Hour, -1, -2 * MICROS_PER_HOUR, -1);
    }
}
