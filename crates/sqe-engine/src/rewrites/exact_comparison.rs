//! Comparisons of decimals with numbers as they are written.
//!
//! A literal such as `9999999.99` is a double, and the planner would compare it as the decimal of
//! fifteen places nearest to that double, which is another number. Here it becomes the decimal that
//! was written.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable};
use datafusion::scalar::ScalarValue;

/// Runs before types are coerced.
#[derive(Debug)]
pub(super) struct ExactComparison;

impl FunctionRewrite for ExactComparison {
    fn name(&self) -> &str {
        "exact_comparison"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let is_decimal = |expr: &Expr| {
            matches!(expr.get_type(schema), Ok(DataType::Decimal128(..) | DataType::Decimal256(..)))
        };
        Ok(match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if op.supports_propagation() && is_decimal(&left) && is_double(&right) =>
            {
                Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(
                    left,
                    op,
                    Box::new(exact(*right)),
                )))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if op.supports_propagation() && is_decimal(&right) && is_double(&left) =>
            {
                Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(
                    Box::new(exact(*left)),
                    op,
                    right,
                )))
            }
            Expr::Between(between) if is_decimal(&between.expr) => {
                let Between { expr, negated, low, high } = between;
                let (low, high) = (Box::new(exact(*low)), Box::new(exact(*high)));
                Transformed::yes(Expr::Between(Between::new(expr, negated, low, high)))
            }
            Expr::InList(list) if is_decimal(&list.expr) => {
                let values = list.list.into_iter().map(exact).collect();
                Transformed::yes(Expr::InList(InList::new(list.expr, values, list.negated)))
            }
            other => Transformed::no(other),
        })
    }
}

fn is_double(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::Float64(Some(_)), _))
}

/// The decimal that a double literal was written as; anything else as it is.
fn exact(expr: Expr) -> Expr {
    match &expr {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) => match decimal(*value) {
            Some(decimal) => Expr::Literal(decimal, None),
            None => expr,
        },
        _ => expr,
    }
}

/// The shortest digits that mean a double are those that were written, up to fifteen of them.
fn decimal(value: f64) -> Option<ScalarValue> {
    let text = format!("{value}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let unscaled: i128 = format!("{whole}{fraction}").parse().ok()?;
    let digits = unscaled.unsigned_abs().to_string().len().max(fraction.len());
    let (precision, scale) = (u8::try_from(digits).ok()?, i8::try_from(fraction.len()).ok()?);
    (digits <= 38).then_some(ScalarValue::Decimal128(Some(unscaled), precision, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_becomes_the_decimal_that_was_written() {
        let check = |value, expected| assert_eq!(decimal(value), expected);
        check(-9999999.99, Some(ScalarValue::Decimal128(Some(-999_999_999), 9, 2)));
        check(0.05, Some(ScalarValue::Decimal128(Some(5), 2, 2)));
        check(3.0, Some(ScalarValue::Decimal128(Some(3), 1, 0)));
        check(f64::NAN, None);
        check(1e300, None);
    }
}
