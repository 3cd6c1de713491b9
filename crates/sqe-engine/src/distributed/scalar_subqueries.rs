//! Subqueries that stand for one value and refer to nothing outside. They are run first, so that the
//! query has their values as constants: a plan that holds them otherwise cannot be cut into tasks,
//! and as constants they choose files too.

use std::sync::Arc;

use datafusion::common::Result as DfResult;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};
use datafusion::scalar::ScalarValue;
use futures::future::BoxFuture;

use crate::{Error, ErrorKind, Result};

/// Runs a subquery, whose rows it collects up to two.
pub(super) type Run<'a> =
    &'a (dyn Fn(Arc<LogicalPlan>) -> BoxFuture<'a, Result<Vec<ScalarValue>>> + Send + Sync);

/// `plan` with the values of its subqueries; `None` where it has none.
///
/// Errors: those of the subqueries; `Execution` for one of more than one row.
pub(super) async fn replaced(plan: &LogicalPlan, run: Run<'_>) -> Result<Option<LogicalPlan>> {
    let subqueries = uncorrelated(plan)?;
    if subqueries.is_empty() {
        return Ok(None);
    }
    let mut values = Vec::with_capacity(subqueries.len());
    for subquery in &subqueries {
        let mut rows = run(Arc::clone(&subquery.subquery)).await?.into_iter();
        let value = match (rows.next(), rows.next()) {
            (Some(value), None) => value,
            (None, _) => {
                let field = subquery.subquery.schema().field(0);
                ScalarValue::try_new_null(field.data_type())?
            }
            (Some(_), Some(_)) => {
                let message = "a subquery that stands for one value has more than one row";
                return Err(Error::new(ErrorKind::Execution, message));
            }
        };
        values.push(value);
    }
    let replaced = plan.clone().transform_down_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_down(|expr| {
                Ok(match &expr {
                    Expr::ScalarSubquery(subquery) => {
                        match subqueries.iter().position(|known| known == subquery) {
                            Some(index) => {
                                Transformed::yes(Expr::Literal(values[index].clone(), None))
                            }
                            None => Transformed::no(expr),
                        }
                    }
                    _ => Transformed::no(expr),
                })
            })?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })
    });
    Ok(Some(replaced?.data))
}

fn uncorrelated(plan: &LogicalPlan) -> DfResult<Vec<Subquery>> {
    let mut found: Vec<Subquery> = Vec::new();
    plan.apply_with_subqueries(|plan| {
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarSubquery(subquery) = expr
                    && subquery.outer_ref_columns.is_empty()
                    && !found.contains(subquery)
                {
                    found.push(subquery.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}
