//! Points in time are of microseconds, as they are in Iceberg. The planner would compare them with
//! text and with dates in nanoseconds, which end in the year 2262. The difference of two dates is a
//! number of days.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator};

use super::is_comparison;

/// Text and dates beside a timestamp become timestamps of its type.
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
        let timestamp = |expr: &Expr| match expr.get_type(schema) {
            Ok(found @ DataType::Timestamp(TimeUnit::Microsecond, _)) => Some(found),
            _ => None,
        };
        let is_date =
            |expr: &Expr| expr.get_type(schema).is_ok_and(|found| found == DataType::Date32);
        Ok(match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right })
                if is_date(&left) && is_date(&right) =>
            {
                Transformed::yes(Expr::BinaryExpr(BinaryExpr {
                    left: Box::new(days(*left)),
                    op: Operator::Minus,
                    right: Box::new(days(*right)),
                }))
            }
            Expr::BinaryExpr(BinaryExpr { mut left, op, mut right })
                if is_comparison(op) || op == Operator::Minus =>
            {
                let date_only = op == Operator::Minus;
                if let Some(to) = timestamp(&left) {
                    right = Box::new(cast(*right, &to, date_only, schema));
                } else if let Some(to) = timestamp(&right) {
                    left = Box::new(cast(*left, &to, date_only, schema));
                }
                Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
            }
            Expr::Between(mut between) => {
                if let Some(to) = timestamp(&between.expr) {
                    for bound in [&mut between.low, &mut between.high] {
                        **bound = cast(std::mem::take(bound), &to, false, schema);
                    }
                }
                Transformed::yes(Expr::Between(between))
            }
            Expr::InList(mut list) => {
                if let Some(to) = timestamp(&list.expr) {
                    for value in &mut list.list {
                        *value = cast(std::mem::take(value), &to, false, schema);
                    }
                }
                Transformed::yes(Expr::InList(list))
            }
            other => Transformed::no(other),
        })
    }
}

/// The days since 1970 of a date. The difference of two dates is one of these for the planner too,
/// but what it knows about the range of such a difference is of another type.
fn days(date: Expr) -> Expr {
    let days = Expr::Cast(Cast::new(Box::new(date), DataType::Int32));
    Expr::Cast(Cast::new(Box::new(days), DataType::Int64))
}

/// `expr` as a timestamp, if it is a date or, unless `date_only`, text.
fn cast(expr: Expr, to: &DataType, date_only: bool, schema: &DFSchema) -> Expr {
    let castable = match expr.get_type(schema) {
        Ok(DataType::Date32) => true,
        Ok(found) => !date_only && found.is_string(),
        Err(_) => false,
    };
    match castable {
        true => Expr::Cast(Cast::new(Box::new(expr), to.clone())),
        false => expr,
    }
}
