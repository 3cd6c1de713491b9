//! A number that is cast to a timestamp counts seconds since 1970, whatever the precision of the
//! timestamp. The planner says so of nanoseconds only.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable};

#[derive(Debug)]
pub(super) struct EpochSeconds;

impl FunctionRewrite for EpochSeconds {
    fn name(&self) -> &str {
        "epoch_seconds"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let Expr::Cast(Cast { expr: number, field }) = expr else {
            return Ok(Transformed::no(expr));
        };
        let seconds = match field.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, zone)
                if number.get_type(schema).is_ok_and(|number| number.is_integer()) =>
            {
                DataType::Timestamp(TimeUnit::Second, zone.clone())
            }
            _ => return Ok(Transformed::no(Expr::Cast(Cast { expr: number, field }))),
        };
        let seconds = Box::new(Expr::Cast(Cast::new(number, seconds)));
        Ok(Transformed::yes(Expr::Cast(Cast { expr: seconds, field })))
    }
}
