//! The two zeros of floating-point numbers are one value, but Arrow's hashes tell them apart.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Expr, ExprSchemable, lit};
use datafusion::scalar::ScalarValue;

/// A zero in an IN list over floats brings the other one; `count(DISTINCT x)` counts `x + 0`, which
/// has one zero.
#[derive(Debug)]
pub(super) struct OneZero;

impl FunctionRewrite for OneZero {
    fn name(&self) -> &str {
        "one_zero"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let float = |expr: &Expr| expr.get_type(schema).is_ok_and(|found| found.is_floating());
        Ok(match expr {
            Expr::InList(mut list)
                if list.list.iter().any(is_zero)
                    && (float(&list.expr) || list.list.iter().any(float)) =>
            {
                // A plan that is analyzed twice does not grow.
                list.list.retain(|value| !is_zero(value));
                list.list.extend([lit(0.0_f64), lit(-0.0_f64)]);
                Transformed::yes(Expr::InList(list))
            }
            Expr::AggregateFunction(mut aggregate)
                if aggregate.params.distinct
                    && aggregate.func.name() == "count"
                    && aggregate.params.args.iter().any(float) =>
            {
                for arg in &mut aggregate.params.args {
                    // The sum has the type of its column, so that a plan that is analyzed twice
                    // does not change again.
                    let zero = match arg.get_type(schema)? {
                        DataType::Float32 => lit(0.0_f32),
                        DataType::Float64 => lit(0.0_f64),
                        _ => continue,
                    };
                    *arg = std::mem::take(arg) + zero;
                }
                Transformed::yes(Expr::AggregateFunction(aggregate))
            }
            other => Transformed::no(other),
        })
    }
}

fn is_zero(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => {
            value.data_type().is_numeric()
                && value.cast_to(&DataType::Float64).is_ok_and(
                    |value| matches!(value, ScalarValue::Float64(Some(zero)) if zero == 0.0),
                )
        }
        Expr::Negative(inner) => is_zero(inner),
        _ => false,
    }
}
