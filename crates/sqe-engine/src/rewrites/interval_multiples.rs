//! Intervals taken so many times.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::compute::kernels::arity::try_binary;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType};
use arrow::error::ArrowError;
use datafusion::common::{DFSchema, Result};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, ScalarUDF, Volatility, create_udf};
use sqlparser::ast::BinaryOperator;

use super::intervals::{INTERVAL, is_interval};

/// `INTERVAL '1 day' * 3`, which DataFusion does not have.
#[derive(Debug)]
pub(super) struct Multiples;

impl ExprPlanner for Multiples {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_integer = |expr: &Expr| expr.get_type(schema).is_ok_and(|found| found.is_integer());
        let RawBinaryExpr { op, left, right } = expr;
        let (interval, times) = if op != BinaryOperator::Multiply {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        } else if is_interval(&left, schema) && is_integer(&right) {
            (left, right)
        } else if is_integer(&left) && is_interval(&right, schema) {
            (right, left)
        } else {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        };
        let times = Expr::Cast(Cast::new(Box::new(times), DataType::Int64));
        let interval = Expr::Cast(Cast::new(Box::new(interval), INTERVAL));
        Ok(PlannerResult::Planned(MULTIPLE.call(vec![interval, times])))
    }
}

/// An interval so many times.
pub(super) static MULTIPLE: LazyLock<ScalarUDF> = LazyLock::new(|| {
    let multiples = make_scalar_function(|args: &[ArrayRef]| multiples(&args[0], &args[1]), vec![]);
    let input = vec![INTERVAL, DataType::Int64];
    create_udf("interval_multiple", input, INTERVAL, Volatility::Immutable, Arc::new(multiples))
});

fn multiples(intervals: &ArrayRef, times: &ArrayRef) -> Result<ArrayRef> {
    let multiples: IntervalMonthDayNanoArray = try_binary(
        intervals.as_primitive::<IntervalMonthDayNanoType>(),
        times.as_primitive::<Int64Type>(),
        |interval, times| {
            multiple(interval, times).ok_or_else(|| {
                ArrowError::ArithmeticOverflow(format!("an interval {times} times is too long"))
            })
        },
    )?;
    Ok(Arc::new(multiples))
}

fn multiple(interval: IntervalMonthDayNano, times: i64) -> Option<IntervalMonthDayNano> {
    let part = |part: i32| i32::try_from(i64::from(part).checked_mul(times)?).ok();
    let (months, days) = (part(interval.months)?, part(interval.days)?);
    let nanoseconds = interval.nanoseconds.checked_mul(times)?;
    Some(IntervalMonthDayNano::new(months, days, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multiple_that_does_not_fit_is_none() {
        let interval = IntervalMonthDayNano::new(1, 2, 3);
        assert_eq!(multiple(interval, -2), Some(IntervalMonthDayNano::new(-2, -4, -6)));
        assert_eq!(multiple(interval, i64::MAX), None);
    }
}
