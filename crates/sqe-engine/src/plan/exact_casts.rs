//! Casts of the numbers that are written into a table: one to a type of whole numbers fails for a
//! fraction, one to REAL for a number that is too large for it.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::kernels::boolean::and_not;
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::array_value_to_string;
use datafusion::common::{Result, internal_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use datafusion::scalar::ScalarValue;

use crate::{Error, ErrorKind};

/// `value`, a float or a decimal, as `to`, which is what `column` has.
pub(super) fn checked(value: Expr, column: &str, to: &DataType) -> Result<Expr> {
    let to = Expr::Literal(ScalarValue::try_new_null(to)?, None);
    Ok(function().call(vec![value, lit(column), to]))
}

/// `exact_cast(value, column, null of the type)`. It holds nothing itself, so that plans can name
/// it where they are executed.
pub(crate) fn function() -> ScalarUDF {
    let signature = Signature::any(3, Volatility::Immutable);
    ScalarUDF::new_from_impl(ExactCastFunction { signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExactCastFunction {
    signature: Signature,
}

impl ScalarUDFImpl for ExactCastFunction {
    fn name(&self) -> &str {
        "exact_cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[2].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, ColumnarValue::Scalar(column), to] = args.args.as_slice() else {
            return internal_err!("{} takes a value, a column and a type", self.name());
        };
        let column = column.try_as_str().flatten().unwrap_or_default();
        let cast = ExactCast { column, to: to.data_type() };
        let value = std::slice::from_ref(value);
        make_scalar_function(|values: &[ArrayRef]| cast.cast(&values[0]), vec![])(value)
    }
}

struct ExactCast<'a> {
    column: &'a str,
    to: DataType,
}

impl ExactCast<'_> {
    fn cast_to_real(&self, values: &ArrayRef) -> Result<ArrayRef> {
        let reals = cast(values, &DataType::Float32)?;
        let lost = and_not(&is_finite(values)?, &is_finite(&reals)?)?;
        if let Some(row) = (0..lost.len()).find(|row| lost.is_valid(*row) && lost.value(*row)) {
            let value = array_value_to_string(values, row)?;
            let message = format!("column {:?}: {value} is too large for a REAL", self.column);
            return Err(Error::new(ErrorKind::Execution, message).into());
        }
        Ok(reals)
    }

    fn cast(&self, values: &ArrayRef) -> Result<ArrayRef> {
        if self.to == DataType::Float32 {
            return self.cast_to_real(values);
        }
        if let Some(row) = first_fraction(values)? {
            let value = array_value_to_string(values, row)?;
            let message = format!("column {:?}: {value} is not a whole number", self.column);
            return Err(Error::new(ErrorKind::Execution, message)
                .with_hint("round(..) rounds it, a CAST to an integer type cuts it off")
                .into());
        }
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(values, &self.to, &strict).map_err(|error| {
            let message = format!("column {:?}: {error}", self.column);
            Error::new(ErrorKind::Execution, message).into()
        })
    }
}

fn is_finite(values: &ArrayRef) -> Result<BooleanArray> {
    let doubles = cast(values, &DataType::Float64)?;
    Ok(BooleanArray::from_unary(doubles.as_primitive::<Float64Type>(), f64::is_finite))
}

/// The first row whose value has a fraction. What is no number, or too large, has none.
fn first_fraction(values: &ArrayRef) -> Result<Option<usize>> {
    if values.data_type().is_floating() {
        let doubles = cast(values, &DataType::Float64)?;
        let doubles = doubles.as_primitive::<Float64Type>();
        let fraction = |value: f64| value.is_finite() && value.fract() != 0.0;
        return Ok(
            (0..doubles.len()).find(|row| doubles.is_valid(*row) && fraction(doubles.value(*row)))
        );
    }
    let precision = match values.data_type() {
        DataType::Decimal256(..) => DataType::Decimal256(76, 0),
        _ => DataType::Decimal128(38, 0),
    };
    let whole = cast(&cast(values, &precision)?, values.data_type())?;
    let fractions = distinct(values, &whole)?;
    Ok((0..fractions.len()).find(|row| fractions.value(*row)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float32Array, Float64Array};

    use super::*;

    #[test]
    fn only_fractions_are_refused() {
        let check = |values: ArrayRef, expected: Option<usize>| {
            assert_eq!(first_fraction(&values).unwrap(), expected, "{values:?}");
        };
        let decimals = |values: Vec<Option<i128>>| {
            let values = Decimal128Array::from(values).with_precision_and_scale(38, 2).unwrap();
            Arc::new(values) as ArrayRef
        };
        check(Arc::new(Float64Array::from(vec![Some(2.0), None, Some(-0.0), Some(1e300)])), None);
        check(Arc::new(Float32Array::from(vec![1.0, 2.5, 3.5])), Some(1));
        check(decimals(vec![Some(200), None, Some(i128::from(i64::MAX) * 100)]), None);
        check(decimals(vec![None, Some(-250)]), Some(1));
        check(decimals(vec![Some(10_i128.pow(38) - 1)]), Some(0));
    }
}
