//! Between which values the rows of a file or a manifest lie, as far as its metrics and partition
//! values tell, in the current type of the column.
//!
//! A bound that is given is always true of all rows. Where that is not certain there is none.

use std::cmp::Ordering;

use arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;
use iceberg::spec::{Datum, FieldSummary, PrimitiveLiteral, PrimitiveType, Transform, Type};

use super::data_file::DataFile;
use super::inverse::source_range;
use crate::value::to_scalar;

/// A column of the current schema.
#[derive(Debug, Clone)]
pub(crate) struct ColumnType {
    pub(crate) field_id: i32,
    pub(crate) iceberg: PrimitiveType,
    pub(crate) arrow: DataType,
}

/// What is known of the values of one column.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Bounds {
    /// No value that is not null is smaller.
    pub(crate) lower: Option<ScalarValue>,
    /// No value that is not null is larger.
    pub(crate) upper: Option<ScalarValue>,
    pub(crate) nulls: Option<u64>,
}

impl Bounds {
    /// From the column metrics of a file.
    pub(crate) fn of_metrics(file: &DataFile, column: &ColumnType) -> Self {
        let Some(metrics) = file.column(column.field_id) else {
            return Self::default();
        };
        let nulls = metrics.nulls;
        // NaN is not within the recorded bounds; in comparisons it is larger than every number,
        // or smaller, if its sign bit is set.
        if column.arrow.is_floating() && metrics.nans != Some(0) {
            return Self { nulls, ..Self::default() };
        }
        // Writers do not agree on the order of UUIDs.
        if column.iceberg == PrimitiveType::Uuid {
            return Self { nulls, ..Self::default() };
        }
        let bound = |literal: &Option<_>| to_scalar(literal.as_ref()?, &column.arrow);
        Self { lower: bound(&metrics.lower), upper: bound(&metrics.upper), nulls }.checked()
    }

    /// From the partition value of a file of `records` rows; `None` is a null.
    pub(crate) fn of_partition_value(
        transform: Transform,
        value: Option<&PrimitiveLiteral>,
        column: &ColumnType,
        records: u64,
    ) -> Self {
        match (transform, value) {
            (Transform::Void | Transform::Unknown, _) => Self::default(),
            // A null has no transformed value other than null, and nothing else has.
            (_, None) => Self { nulls: Some(records), ..Self::default() },
            (_, Some(value)) => {
                let (lower, upper) = source_range(transform, value, value, &column.arrow);
                Self { lower, upper, nulls: Some(0) }.checked()
            }
        }
    }

    /// From the summary of a partition field over all files of a manifest.
    pub(crate) fn of_summary(
        transform: Transform,
        summary: &FieldSummary,
        column: &ColumnType,
    ) -> Self {
        if matches!(transform, Transform::Void | Transform::Unknown) {
            return Self::default();
        }
        let nulls = (!summary.contains_null).then_some(0);
        let may_be_nan = column.arrow.is_floating() && summary.contains_nan != Some(false);
        let unordered = column.iceberg == PrimitiveType::Uuid;
        let decode = |bound: Option<&Vec<u8>>| {
            let source = Type::Primitive(column.iceberg.clone());
            let Type::Primitive(result) = transform.result_type(&source).ok()? else {
                return None;
            };
            let datum = Datum::try_from_bytes(bound?, result).ok()?;
            Some(datum.literal().clone())
        };
        let (lower, upper) = (summary.lower_bound.as_deref(), summary.upper_bound.as_deref());
        match (decode(lower), decode(upper)) {
            (Some(lower), Some(upper)) if !may_be_nan && !unordered => {
                let (lower, upper) = source_range(transform, &lower, &upper, &column.arrow);
                Self { lower, upper, nulls }.checked()
            }
            _ => Self { nulls, ..Self::default() },
        }
    }

    /// Both hold.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            lower: tighter(self.lower, other.lower, Ordering::Greater),
            upper: tighter(self.upper, other.upper, Ordering::Less),
            nulls: self.nulls.or(other.nulls),
        }
    }

    /// Without a NaN, which is no bound.
    fn checked(self) -> Self {
        let is_nan = |bound: &Option<ScalarValue>| match bound {
            Some(ScalarValue::Float32(Some(value))) => value.is_nan(),
            Some(ScalarValue::Float64(Some(value))) => value.is_nan(),
            _ => false,
        };
        if is_nan(&self.lower) || is_nan(&self.upper) {
            return Self { nulls: self.nulls, ..Self::default() };
        }
        self
    }
}

fn tighter(
    a: Option<ScalarValue>,
    b: Option<ScalarValue>,
    wanted: Ordering,
) -> Option<ScalarValue> {
    match (a, b) {
        (Some(a), Some(b)) if b.partial_cmp(&a) == Some(wanted) => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}
