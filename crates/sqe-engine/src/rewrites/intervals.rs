//! Intervals have months, days and nanoseconds, which Arrow compares one after the other: for it 24
//! hours are less than one day. Here they are compared by their length, with 24 hours to the day
//! and 30 days to the month, as in PostgreSQL.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, LogicalPlan, ScalarUDF, Volatility, create_udf,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

use crate::{Error, ErrorKind};

pub(super) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const NANOSECONDS_OF_A_DAY: i128 = 86_400_000_000_000;
const DAYS_OF_A_MONTH: i128 = 30;

pub(super) fn is_interval(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(expr.get_type(schema), Ok(DataType::Interval(_)))
}

/// Sorts by the lengths of intervals, and refuses what compares them where nothing can replace them
/// by their lengths.
#[derive(Debug)]
pub(super) struct OrderByLength;

impl AnalyzerRule for OrderByLength {
    fn name(&self) -> &str {
        "order_intervals_by_length"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let ordered = plan.transform_up_with_subqueries(|plan| {
            let schema = merge_schema(&plan.inputs());
            plan.apply_expressions(|expr| expr.apply(|expr| refuse(expr, &schema)))?;
            let LogicalPlan::Sort(mut sort) = plan else { return Ok(Transformed::no(plan)) };
            for key in &mut sort.expr {
                if is_interval(&key.expr, &schema) {
                    key.expr = length(std::mem::take(&mut key.expr));
                }
            }
            Ok(Transformed::yes(LogicalPlan::Sort(sort)))
        });
        Ok(ordered?.data)
    }
}

fn refuse(expr: &Expr, schema: &DFSchema) -> Result<TreeNodeRecursion> {
    let (name, args, order): (_, &[Expr], &[Sort]) = match expr {
        Expr::AggregateFunction(call) => {
            (call.func.name(), &call.params.args, &call.params.order_by)
        }
        Expr::WindowFunction(call) => (call.fun.name(), &call.params.args, &call.params.order_by),
        Expr::ScalarFunction(call) => (call.name(), &call.args, &[]),
        _ => return Ok(TreeNodeRecursion::Continue),
    };
    let compares = matches!(name, "min" | "max" | "greatest" | "least" | "nullif");
    let what = if compares && args.iter().any(|arg| is_interval(arg, schema)) {
        format!("{name}() of intervals")
    } else if order.iter().any(|key| is_interval(&key.expr, schema)) {
        format!("{name}() in the order of intervals")
    } else {
        return Ok(TreeNodeRecursion::Continue);
    };
    Err(Error::new(ErrorKind::Unsupported, format!("{what} is not supported"))
        .with_hint("take extract(epoch FROM ..), which is a number of seconds")
        .into())
}

/// The length of an interval, or of what can be cast to one.
pub(super) fn length(interval: Expr) -> Expr {
    LENGTH.call(vec![Expr::Cast(Cast::new(Box::new(interval), INTERVAL))])
}

/// The nanoseconds of an interval.
pub(super) static LENGTH: LazyLock<ScalarUDF> = LazyLock::new(|| {
    let lengths = make_scalar_function(|args: &[ArrayRef]| lengths(&args[0]), vec![]);
    let (input, output) = (vec![INTERVAL], DataType::Decimal128(38, 0));
    create_udf("interval_length", input, output, Volatility::Immutable, Arc::new(lengths))
});

fn lengths(intervals: &ArrayRef) -> Result<ArrayRef> {
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let lengths: Decimal128Array = intervals.unary::<_, Decimal128Type>(|interval| {
        let days = i128::from(interval.months) * DAYS_OF_A_MONTH + i128::from(interval.days);
        days * NANOSECONDS_OF_A_DAY + i128::from(interval.nanoseconds)
    });
    Ok(Arc::new(lengths.with_precision_and_scale(38, 0)?))
}

#[cfg(test)]
mod tests {
    use arrow::array::IntervalMonthDayNanoArray;
    use arrow::datatypes::IntervalMonthDayNano;

    use super::*;

    #[test]
    fn lengths_are_those_of_days_and_months_of_one_length() {
        let check = |months, days, nanoseconds, expected| {
            let interval = IntervalMonthDayNano::new(months, days, nanoseconds);
            let array: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![interval]));
            let found = lengths(&array).unwrap();
            assert_eq!(found.as_primitive::<Decimal128Type>().value(0), expected);
        };
        check(0, 1, 0, NANOSECONDS_OF_A_DAY);
        check(0, 0, 86_400_000_000_000, NANOSECONDS_OF_A_DAY);
        check(1, -30, 0, 0);
        let longest = 31 * i128::from(i32::MAX) * NANOSECONDS_OF_A_DAY + i128::from(i64::MAX);
        check(i32::MAX, i32::MAX, i64::MAX, longest);
    }
}
