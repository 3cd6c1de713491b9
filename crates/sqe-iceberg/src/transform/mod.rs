//! Partition transforms over whole Arrow arrays.
//!
//! The `iceberg` crate has the same functions for an older Arrow; the tests hold these against its
//! transforms of single literals. Nulls stay null. Which transform fits which type is decided
//! where a table is created; what does not fit here is an error, never a guess.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int32Array, new_null_array};
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use iceberg::spec::Transform;

use crate::{Error, Result};

mod bucket;
mod truncate;

#[cfg(test)]
mod tests;

const MICROS_PER_DAY: i64 = 86_400_000_000;
const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// The partition values of `values`, one for each.
///
/// `bucket`, `year`, `month` and `hour` give `Int32`, `day` gives `Date32`, the others the type of
/// `values`. Errors: `Unsupported` for a transform of a newer version of the format or one that
/// does not fit the type, `InvalidArgument` for a value whose hour does not fit into 32 bits.
pub fn apply(transform: Transform, values: &ArrayRef) -> Result<ArrayRef> {
    match transform {
        Transform::Identity => Ok(Arc::clone(values)),
        Transform::Void => Ok(new_null_array(values.data_type(), values.len())),
        Transform::Bucket(count) => bucket::bucket(count, values),
        Transform::Truncate(width) => truncate::truncate(width, values),
        Transform::Year => months(values).map(|months| by_int(&months, |m| m.div_euclid(12))),
        Transform::Month => months(values).map(|months| Arc::new(months) as ArrayRef),
        Transform::Day => days(values).map(|days| Arc::new(days) as ArrayRef),
        Transform::Hour => hours(values),
        Transform::Unknown => Err(Error::unsupported("an unknown partition transform")),
    }
}

fn misfit(transform: Transform, values: &ArrayRef) -> Error {
    Error::unsupported(format!("{transform} of values of type {}", values.data_type()))
}

fn by_int(values: &Int32Array, op: impl Fn(i32) -> i32) -> ArrayRef {
    Arc::new(values.unary::<_, arrow::datatypes::Int32Type>(op))
}

/// Days from 1970-01-01, also of moments before it.
fn days(values: &ArrayRef) -> Result<Date32Array> {
    match values.data_type() {
        DataType::Date32 => Ok(values.as_primitive::<Date32Type>().clone()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let values = values.as_primitive::<TimestampMicrosecondType>();
            // The largest number of microseconds is 107 million days.
            Ok(values.unary(|micros| micros.div_euclid(MICROS_PER_DAY) as i32))
        }
        _ => Err(misfit(Transform::Day, values)),
    }
}

/// Months from 1970-01, also of moments before it.
fn months(values: &ArrayRef) -> Result<Int32Array> {
    Ok(days(values)?.unary(months_of_days))
}

fn hours(values: &ArrayRef) -> Result<ArrayRef> {
    if !matches!(values.data_type(), DataType::Timestamp(TimeUnit::Microsecond, _)) {
        return Err(misfit(Transform::Hour, values));
    }
    let values = values.as_primitive::<TimestampMicrosecondType>();
    let hours: Int32Array = values.try_unary(|micros| {
        i32::try_from(micros.div_euclid(MICROS_PER_HOUR)).map_err(|_| {
            Error::invalid(format!("the hour of {micros} microseconds does not fit into 32 bits"))
        })
    })?;
    Ok(Arc::new(hours))
}

/// Months from 1970-01 of a number of days from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year, in eras of 400
/// years, which all have the same number of days.
fn months_of_days(days: i32) -> i32 {
    const DAYS_FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    const DAYS_PER_ERA: i64 = 146_097;
    let days = i64::from(days) + DAYS_FROM_MARCH_OF_YEAR_0;
    let (era, day) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let months = (era * 400 + year_of_era) * 12 + months_from_march + 2;
    // 2^31 days are less than 6 million years.
    (months - 1970 * 12) as i32
}
