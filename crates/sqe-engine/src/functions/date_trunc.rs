//! `date_trunc` of all years of Iceberg's timestamps. DataFusion's own computes in nanoseconds, which
//! end in the year 2262.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::kernels::arity::binary;
use arrow::datatypes::{DataType, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::functions::datetime::date_trunc::DateTruncFunc;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

/// The Gregorian calendar repeats itself after 400 years, which are whole weeks.
const CYCLE: i64 = 146_097 * 86_400 * 1_000_000;

/// DataFusion's function, on years that it can compute with.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct DateTrunc {
    inner: DateTruncFunc,
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(input)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_far = |value: &ColumnarValue| match value {
            ColumnarValue::Array(array) => is_far(array),
            ColumnarValue::Scalar(scalar) => scalar.to_array().is_ok_and(|array| is_far(&array)),
        };
        match args.args.get(1) {
            Some(value) if is_far(value) => self.truncate_far(args),
            _ => self.inner.invoke_with_args(args),
        }
    }
}

impl DateTrunc {
    /// The year is moved into the cycle from 1970 on, and back after it was truncated.
    fn truncate_far(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[1].to_array(args.number_rows)?;
        let times = array.as_primitive::<TimestampMicrosecondType>();
        let data_type = times.data_type();
        let near = times.unary::<_, TimestampMicrosecondType>(|time| time.rem_euclid(CYCLE));
        args.args[1] = ColumnarValue::Array(Arc::new(near.with_data_type(data_type.clone())));
        let rows = args.number_rows;
        let truncated = self.inner.invoke_with_args(args)?.to_array(rows)?;
        let truncated = truncated.as_primitive::<TimestampMicrosecondType>();
        let far = binary::<_, _, _, TimestampMicrosecondType>(times, truncated, |time, near| {
            time.div_euclid(CYCLE) * CYCLE + near
        })?;
        Ok(ColumnarValue::Array(Arc::new(far.with_data_type(data_type.clone()))))
    }
}

/// Whether a time cannot be counted in nanoseconds, or only just.
fn is_far(times: &ArrayRef) -> bool {
    const LAST: i64 = i64::MAX / 1000 - CYCLE / 400;
    match times.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let mut times = times.as_primitive::<TimestampMicrosecondType>().iter().flatten();
            times.any(|time| time.abs() > LAST)
        }
        _ => false,
    }
}
