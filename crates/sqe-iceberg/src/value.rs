//! Values of Iceberg metadata as DataFusion has them.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::scalar::ScalarValue;
use iceberg::spec::PrimitiveLiteral;

/// A literal as a value of `data_type`, the current type of its column. A literal of an older,
/// narrower type of the column is promoted. `None` where the two do not fit together.
pub(crate) fn to_scalar(literal: &PrimitiveLiteral, data_type: &DataType) -> Option<ScalarValue> {
    use PrimitiveLiteral as L;
    Some(match (literal, data_type) {
        (L::Boolean(v), DataType::Boolean) => ScalarValue::Boolean(Some(*v)),
        (L::Int(v), DataType::Int32) => ScalarValue::Int32(Some(*v)),
        (L::Int(v), DataType::Int64) => ScalarValue::Int64(Some(i64::from(*v))),
        (L::Int(v), DataType::Date32) => ScalarValue::Date32(Some(*v)),
        (L::Long(v), DataType::Int64) => ScalarValue::Int64(Some(*v)),
        (L::Long(v), DataType::Time64(TimeUnit::Microsecond)) => {
            ScalarValue::Time64Microsecond(Some(*v))
        }
        (L::Long(v), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            ScalarValue::TimestampMicrosecond(Some(*v), zone.clone())
        }
        (L::Float(v), DataType::Float32) => ScalarValue::Float32(Some(v.0)),
        (L::Float(v), DataType::Float64) => ScalarValue::Float64(Some(f64::from(v.0))),
        (L::Double(v), DataType::Float64) => ScalarValue::Float64(Some(v.0)),
        (L::String(v), DataType::Utf8View) => ScalarValue::Utf8View(Some(v.clone())),
        (L::Binary(v), DataType::BinaryView) => ScalarValue::BinaryView(Some(v.clone())),
        (L::Binary(v), DataType::FixedSizeBinary(n)) if v.len() == *n as usize => {
            ScalarValue::FixedSizeBinary(*n, Some(v.clone()))
        }
        (L::UInt128(v), DataType::FixedSizeBinary(16)) => {
            ScalarValue::FixedSizeBinary(16, Some(v.to_be_bytes().to_vec()))
        }
        (L::Int128(v), DataType::Decimal128(precision, scale)) => {
            ScalarValue::Decimal128(Some(*v), *precision, *scale)
        }
        _ => return None,
    })
}

/// The literal of a value, in the form manifests hold. `None` for a null and for a type that no
/// column of a table has.
pub(crate) fn to_literal(value: &ScalarValue) -> Option<PrimitiveLiteral> {
    use PrimitiveLiteral as L;
    Some(match value {
        ScalarValue::Boolean(v) => L::Boolean((*v)?),
        ScalarValue::Int32(v) | ScalarValue::Date32(v) => L::Int((*v)?),
        ScalarValue::Int64(v)
        | ScalarValue::Time64Microsecond(v)
        | ScalarValue::TimestampMicrosecond(v, _) => L::Long((*v)?),
        ScalarValue::Float32(v) => L::Float((*v)?.into()),
        ScalarValue::Float64(v) => L::Double((*v)?.into()),
        ScalarValue::Utf8(v) | ScalarValue::LargeUtf8(v) | ScalarValue::Utf8View(v) => {
            L::String(v.clone()?)
        }
        ScalarValue::Binary(v)
        | ScalarValue::LargeBinary(v)
        | ScalarValue::BinaryView(v)
        | ScalarValue::FixedSizeBinary(_, v) => L::Binary(v.clone()?),
        ScalarValue::Decimal128(v, ..) => L::Int128((*v)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_type_is_promoted() {
        let check = |literal, data_type, expected| {
            assert_eq!(to_scalar(&literal, &data_type), expected);
        };
        check(PrimitiveLiteral::Int(-1), DataType::Int64, Some(ScalarValue::Int64(Some(-1))));
        check(
            PrimitiveLiteral::Float(1.5.into()),
            DataType::Float64,
            Some(ScalarValue::Float64(Some(1.5))),
        );
        check(
            PrimitiveLiteral::Int128(100),
            DataType::Decimal128(20, 2),
            Some(ScalarValue::Decimal128(Some(100), 20, 2)),
        );
        check(PrimitiveLiteral::Long(1), DataType::Int32, None);
    }
}
