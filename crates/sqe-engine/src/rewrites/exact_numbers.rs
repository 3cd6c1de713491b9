//! Numbers with a point as they are written.
//!
//! A literal such as `9999999.99` is a double, and beside a decimal the planner would take the
//! decimal of fifteen places nearest to that double, which is another number. Here it becomes the
//! decimal that was written: where arithmetic brings it beside a decimal, where it is cast to one,
//! and where it is added to, subtracted from or multiplied with another constant.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, TryCast, lit};
use datafusion::scalar::ScalarValue;
use sqlparser::ast::BinaryOperator;

/// Plans arithmetic, whose type the decimal decides; rewrites casts, which have theirs anyway.
#[derive(Debug)]
pub(super) struct ExactNumbers;

impl ExprPlanner for ExactNumbers {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Minus, Modulo, Multiply, Plus};
        if !matches!(expr.op, Plus | Minus | Multiply | Modulo) {
            return Ok(PlannerResult::Original(expr));
        }
        if let Some(value) = constant(&expr) {
            return Ok(PlannerResult::Planned(lit(value)));
        }
        if is_decimal(&expr.left, schema) {
            expr.right = exact(expr.right);
        } else if is_decimal(&expr.right, schema) {
            expr.left = exact(expr.left);
        }
        Ok(PlannerResult::Original(expr))
    }
}

impl FunctionRewrite for ExactNumbers {
    fn name(&self) -> &str {
        "exact_numbers"
    }

    fn rewrite(&self, expr: Expr, _: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        Ok(match expr {
            Expr::Cast(Cast { expr, field }) if field.data_type().is_decimal() => {
                Transformed::yes(Expr::Cast(Cast { expr: Box::new(exact(*expr)), field }))
            }
            Expr::TryCast(TryCast { expr, field }) if field.data_type().is_decimal() => {
                Transformed::yes(Expr::TryCast(TryCast { expr: Box::new(exact(*expr)), field }))
            }
            other => Transformed::no(other),
        })
    }
}

fn is_decimal(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(expr.get_type(schema), Ok(DataType::Decimal128(..) | DataType::Decimal256(..)))
}

fn is_double(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::Float64(Some(_)), _))
}

/// The decimal that a double literal was written as; anything else as it is.
pub(super) fn exact(expr: Expr) -> Expr {
    match &expr {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) => match Decimal::of(*value) {
            Some(decimal) => Expr::Literal(decimal.into_scalar(), None),
            None => expr,
        },
        _ => expr,
    }
}

/// What two constants make of which at least one is a double: the double nearest to the result of
/// the numbers as they are written.
fn constant(expr: &RawBinaryExpr) -> Option<f64> {
    if !is_double(&expr.left) && !is_double(&expr.right) {
        return None;
    }
    let (left, right) = (Decimal::written(&expr.left)?, Decimal::written(&expr.right)?);
    let result = match expr.op {
        BinaryOperator::Plus => left.plus(right)?,
        BinaryOperator::Minus => left.plus(Decimal { unscaled: -right.unscaled, ..right })?,
        BinaryOperator::Multiply => Decimal {
            unscaled: left.unscaled.checked_mul(right.unscaled)?,
            scale: left.scale + right.scale,
        },
        _ => return None,
    };
    format!("{}e-{}", result.unscaled, result.scale).parse().ok()
}

/// `unscaled / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Decimal {
    unscaled: i128,
    scale: u32,
}

impl Decimal {
    /// The shortest digits that mean a double are those that were written, up to fifteen of them.
    fn of(value: f64) -> Option<Self> {
        let text = format!("{value}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let unscaled: i128 = format!("{whole}{fraction}").parse().ok()?;
        let decimal = Self { unscaled, scale: u32::try_from(fraction.len()).ok()? };
        (decimal.digits() <= 38).then_some(decimal)
    }

    fn written(literal: &Expr) -> Option<Self> {
        match literal {
            Expr::Literal(ScalarValue::Float64(Some(value)), _) => Self::of(*value),
            Expr::Literal(ScalarValue::Int64(Some(value)), _) => {
                Some(Self { unscaled: i128::from(*value), scale: 0 })
            }
            _ => None,
        }
    }

    fn digits(self) -> u32 {
        let digits = self.unscaled.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
        digits.max(self.scale)
    }

    fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let unscaled = |of: Self| of.unscaled.checked_mul(10_i128.checked_pow(scale - of.scale)?);
        Some(Self { unscaled: unscaled(self)?.checked_add(unscaled(other)?)?, scale })
    }

    fn into_scalar(self) -> ScalarValue {
        // Both are at most 38.
        let (precision, scale) = (self.digits() as u8, self.scale as i8);
        ScalarValue::Decimal128(Some(self.unscaled), precision, scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_becomes_the_decimal_that_was_written() {
        let check = |value, expected| {
            assert_eq!(Decimal::of(value).map(Decimal::into_scalar), expected);
        };
        check(-9999999.99, Some(ScalarValue::Decimal128(Some(-999_999_999), 9, 2)));
        check(0.05, Some(ScalarValue::Decimal128(Some(5), 2, 2)));
        check(3.0, Some(ScalarValue::Decimal128(Some(3), 1, 0)));
        check(f64::NAN, None);
        check(1e300, None);
    }

    #[test]
    fn constants_are_computed_as_they_are_written() {
        let check = |left: Expr, op, right: Expr, expected| {
            assert_eq!(constant(&RawBinaryExpr { op, left, right }), expected);
        };
        check(lit(0.1), BinaryOperator::Plus, lit(0.2), Some(0.3));
        check(lit(0.06), BinaryOperator::Minus, lit(0.01), Some(0.05));
        check(lit(1.1), BinaryOperator::Multiply, lit(3_i64), Some(3.3));
        check(lit(1_i64), BinaryOperator::Minus, lit(0.9), Some(0.1));
        check(lit(0.0), BinaryOperator::Multiply, lit(-2.5), Some(0.0));
        check(lit(1e300), BinaryOperator::Plus, lit(0.1), None);
        check(lit(1_i64), BinaryOperator::Plus, lit(2_i64), None);
    }
}
