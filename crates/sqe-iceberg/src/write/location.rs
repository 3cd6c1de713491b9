//! Where data files go: below the data directory of the table, one directory for each partition.
//!
//! The directories are for people who look at the files. Nothing here or elsewhere reads partition
//! values from them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use iceberg::spec::{
    Literal, PartitionSpec, PrimitiveLiteral, PrimitiveType, Struct, StructType, Transform,
};
use url::form_urlencoded::byte_serialize;
use uuid::Uuid;

/// A location that no other file has, `directory/[name=value/…]uuid.parquet`.
pub(super) fn new_data_file(
    directory: &str,
    spec: &PartitionSpec,
    partition_type: &StructType,
    partition: &Struct,
) -> String {
    let mut location = directory.to_owned();
    let fields = spec.fields().iter().zip(partition_type.fields()).zip(partition.iter());
    for ((field, result), value) in fields {
        let value = human(field.transform, result.field_type.as_primitive_type(), value);
        location.push('/');
        location.extend(byte_serialize(field.name.as_bytes()));
        location.push('=');
        location.extend(byte_serialize(value.as_bytes()));
    }
    // Ordered by time, so that a listing shows the files as they came.
    format!("{location}/{}.parquet", Uuid::now_v7())
}

/// A partition value as other implementations write it into their directories.
fn human(
    transform: Transform,
    data_type: Option<&PrimitiveType>,
    value: Option<&Literal>,
) -> String {
    use PrimitiveLiteral as L;
    let Some(value) = value.and_then(Literal::as_primitive_literal) else {
        return "null".to_owned();
    };
    match (transform, &value) {
        (Transform::Year, L::Int(years)) => (1970 + i64::from(*years)).to_string(),
        (Transform::Month, L::Int(months)) => {
            let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
            format!("{}-{:02}", 1970 + i64::from(year), month + 1)
        }
        (Transform::Day, L::Int(days)) => date(*days),
        (Transform::Hour, L::Int(hours)) => {
            format!("{}-{:02}", date(hours.div_euclid(24)), hours.rem_euclid(24))
        }
        (_, L::Int(days)) if data_type == Some(&PrimitiveType::Date) => date(*days),
        (_, L::Long(value)) => long(data_type, *value),
        (_, L::Int(value)) => value.to_string(),
        (_, L::Boolean(value)) => value.to_string(),
        (_, L::Float(value)) => value.to_string(),
        (_, L::Double(value)) => value.to_string(),
        (_, L::String(text)) => text.clone(),
        (_, L::Binary(bytes)) => STANDARD.encode(bytes),
        (_, L::UInt128(uuid)) => Uuid::from_u128(*uuid).to_string(),
        (_, L::Int128(unscaled)) => decimal(data_type, *unscaled),
        (_, L::AboveMax | L::BelowMin) => "null".to_owned(),
    }
}

/// Days beyond the calendar stay a number.
fn date(days: i32) -> String {
    match chrono::NaiveDate::from_epoch_days(days) {
        Some(date) => date.to_string(),
        None => days.to_string(),
    }
}

fn long(data_type: Option<&PrimitiveType>, value: i64) -> String {
    let moment = chrono::DateTime::from_timestamp_micros(value);
    match (data_type, moment) {
        (Some(PrimitiveType::Time), Some(moment)) => moment.format("%H:%M:%S%.f").to_string(),
        (Some(PrimitiveType::Timestamp), Some(moment)) => {
            moment.format("%Y-%m-%dT%H:%M:%S%.f").to_string()
        }
        (Some(PrimitiveType::Timestamptz), Some(moment)) => {
            moment.format("%Y-%m-%dT%H:%M:%S%.f+00:00").to_string()
        }
        _ => value.to_string(),
    }
}

fn decimal(data_type: Option<&PrimitiveType>, unscaled: i128) -> String {
    let scale = match data_type {
        Some(PrimitiveType::Decimal { scale, .. }) => *scale as usize,
        _ => 0,
    };
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    match fraction {
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_people_read_them() {
        let check = |transform, data_type, literal, expected: &str| {
            let literal = Literal::Primitive(literal);
            assert_eq!(human(transform, Some(&data_type), Some(&literal)), expected);
        };
        let int = PrimitiveLiteral::Int;
        check(Transform::Year, PrimitiveType::Int, int(-1), "1969");
        check(Transform::Month, PrimitiveType::Int, int(-1), "1969-12");
        check(Transform::Day, PrimitiveType::Date, int(-1), "1969-12-31");
        check(Transform::Hour, PrimitiveType::Int, int(25), "1970-01-02-01");
        check(Transform::Bucket(4), PrimitiveType::Int, int(3), "3");
        check(Transform::Identity, PrimitiveType::Date, int(0), "1970-01-01");
        let decimal = PrimitiveType::Decimal { precision: 9, scale: 2 };
        check(Transform::Identity, decimal, PrimitiveLiteral::Int128(-5), "-0.05");
        let micros = PrimitiveLiteral::Long(1_500_000);
        let moment = "1970-01-01T00:00:01.500+00:00";
        check(Transform::Identity, PrimitiveType::Timestamptz, micros, moment);
        assert_eq!(human(Transform::Identity, None, None), "null");
    }
}
