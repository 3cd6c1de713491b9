//! Points in time are of microseconds, as they are in Iceberg. The planner would subtract dates
//! from them in nanoseconds, which end in the year 2262. The difference of two dates is a number of
//! days; a date and an interval with hours make a timestamp.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator};
use datafusion::scalar::ScalarValue;

/// What is added to times and dates, and subtracted from them.
#[derive(Debug)]
pub(super) struct Microseconds;

impl FunctionRewrite for Microseconds {
    fn name(&self) -> &str {
        "microseconds"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        use DataType::{Date32, Interval, Timestamp};
        use Operator::{Minus, Plus};
        let Expr::BinaryExpr(BinaryExpr { left, op: op @ (Plus | Minus), right }) = expr else {
            return Ok(Transformed::no(expr));
        };
        let types = [&left, &right].map(|side| side.get_type(schema).unwrap_or(DataType::Null));
        let (left, right) = match (types, op) {
            ([Date32, Date32], Minus) => (days(left), days(right)),
            ([to @ Timestamp(TimeUnit::Microsecond, _), Date32], Minus) => (left, cast(right, to)),
            ([Date32, to @ Timestamp(TimeUnit::Microsecond, _)], Minus) => (cast(left, to), right),
            ([Date32, Interval(_)], _) if !is_of_days(&right) => (cast(left, MICROSECONDS), right),
            ([Interval(_), Date32], Plus) if !is_of_days(&left) => {
                (left, cast(right, MICROSECONDS))
            }
            (_, op) => {
                return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
            }
        };
        Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })))
    }
}

const MICROSECONDS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// The days since 1970 of a date. The difference of two dates is one of these for the planner too,
/// but what it knows about the range of such a difference is of another type.
fn days(date: Box<Expr>) -> Box<Expr> {
    cast(cast(date, DataType::Int32), DataType::Int64)
}

fn cast(expr: Box<Expr>, to: DataType) -> Box<Expr> {
    Box::new(Expr::Cast(Cast::new(expr, to)))
}

/// Whether an interval is written and has no hours, minutes or seconds. What is computed may have
/// them, which only its values tell.
fn is_of_days(interval: &Expr) -> bool {
    match interval {
        Expr::Literal(ScalarValue::IntervalYearMonth(_), _) => true,
        Expr::Literal(ScalarValue::IntervalDayTime(Some(interval)), _) => {
            interval.milliseconds == 0
        }
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) => {
            interval.nanoseconds == 0
        }
        _ => false,
    }
}
