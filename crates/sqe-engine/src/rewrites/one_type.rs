//! What is compared and what stands in one place has one type: the sides of a comparison, the
//! results of a CASE, the columns of a UNION. DataFusion looks for such a type too, but takes some
//! in which values become others or do not fit.

mod operands;

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, JoinConstraint, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, Join, LogicalPlan, Projection, Subquery, Union,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::is_comparison;
use crate::{Error, ErrorKind};
use operands::{Operand, Use, unify};

/// The functions whose arguments stand in one place.
const OF_ONE_TYPE: [&str; 7] =
    ["coalesce", "greatest", "ifnull", "least", "make_array", "nullif", "nvl"];

/// Runs before DataFusion coerces types.
#[derive(Debug)]
pub(super) struct OneType;

impl AnalyzerRule for OneType {
    fn name(&self) -> &str {
        "one_type"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_plan)?.data)
    }
}

fn of_plan(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    let plan = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = expr.transform_up(|expr| of_expr(expr, &schema))?;
        Ok(expr.update_data(|expr| name.restore(expr)))
    })?;
    plan.map_data(|plan| match plan {
        LogicalPlan::Join(join) => of_join(join)?.recompute_schema(),
        // Its types are still allowed to differ, which nothing but DataFusion's coercion mends.
        LogicalPlan::Union(union) => of_union(union),
        other => other.recompute_schema(),
    })
}

fn of_expr(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let operand = |expr| Operand { expr, schema };
    let changed = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            unify([left, right].map(|side| operand(side)).into(), Use::Comparison)?
        }
        Expr::Between(between) => {
            let parts = [&mut between.expr, &mut between.low, &mut between.high];
            unify(parts.map(|part| operand(part)).into(), Use::Comparison)?
        }
        Expr::InList(list) => {
            let values = list.list.iter_mut().map(operand);
            unify(values.chain([operand(&mut list.expr)]).collect(), Use::Comparison)?
        }
        Expr::InSubquery(list) => of_subquery(operand(&mut list.expr), &mut list.subquery)?,
        Expr::SetComparison(set) => of_subquery(operand(&mut set.expr), &mut set.subquery)?,
        Expr::Case(case) => of_case(case, schema)?,
        Expr::ScalarFunction(call) if OF_ONE_TYPE.contains(&call.func.name()) => {
            unify(call.args.iter_mut().map(operand).collect(), Use::Value)?
        }
        _ => false,
    };
    Ok(Transformed::new_transformed(expr, changed))
}

fn of_case(case: &mut Case, schema: &DFSchema) -> Result<bool> {
    let mut changed = false;
    if let Some(value) = &mut case.expr {
        let whens = case.when_then_expr.iter_mut().map(|(when, _)| when);
        let compared = whens.chain([value]).map(|expr| Operand { expr, schema });
        changed |= unify(compared.collect(), Use::Comparison)?;
    }
    let thens = case.when_then_expr.iter_mut().map(|(_, then)| then);
    let results = thens.chain(&mut case.else_expr).map(|expr| Operand { expr, schema });
    Ok(unify(results.collect(), Use::Value)? | changed)
}

fn of_subquery(value: Operand<'_>, subquery: &mut Subquery) -> Result<bool> {
    let mut columns = Columns::of(&subquery.subquery);
    let column = columns.exprs.iter_mut().take(1);
    let column = column.map(|expr| Operand { expr, schema: columns.input.schema() });
    let changed = unify(column.chain([value]).collect(), Use::Comparison)?;
    if changed {
        subquery.subquery = columns.into_plan()?;
    }
    Ok(changed)
}

fn of_join(mut join: Join) -> Result<LogicalPlan> {
    for (left, right) in &mut join.on {
        let sides = [
            Operand { expr: left, schema: join.left.schema() },
            Operand { expr: right, schema: join.right.schema() },
        ];
        unify(sides.into(), Use::Comparison)?;
        // The columns of USING are found again in the join, which looks for nothing but columns.
        let columns = [&*left, &*right].map(Expr::get_as_join_column);
        if join.join_constraint == JoinConstraint::Using && columns.contains(&None) {
            let message = format!("USING of {left} and {right}, whose types differ");
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("write the condition with ON")
                .into());
        }
    }
    Ok(LogicalPlan::Join(join))
}

fn of_union(union: Union) -> Result<LogicalPlan> {
    let mut inputs: Vec<Columns> = union.inputs.iter().map(Columns::of).collect();
    let mut changed = false;
    for column in 0..union.schema.fields().len() {
        let operands = inputs.iter_mut().filter_map(|input| {
            let expr = input.exprs.get_mut(column)?;
            Some(Operand { expr, schema: input.input.schema() })
        });
        changed |= unify(operands.collect(), Use::Value)?;
    }
    let inputs = match changed {
        true => inputs.into_iter().map(Columns::into_plan).collect::<Result<_>>()?,
        false => union.inputs,
    };
    Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?))
}

/// The columns of a plan as expressions that can be changed.
struct Columns {
    exprs: Vec<Expr>,
    input: Arc<LogicalPlan>,
    /// As it is before anything is changed.
    plan: Arc<LogicalPlan>,
}

impl Columns {
    fn of(plan: &Arc<LogicalPlan>) -> Self {
        let (exprs, input) = match plan.as_ref() {
            // So that literals can be seen.
            LogicalPlan::Projection(projection) => {
                (projection.expr.clone(), Arc::clone(&projection.input))
            }
            other => {
                let columns = other.schema().columns();
                (columns.into_iter().map(Expr::Column).collect(), Arc::clone(plan))
            }
        };
        Self { exprs, input, plan: Arc::clone(plan) }
    }

    /// The plan with the changed columns, which keep their names.
    fn into_plan(self) -> Result<Arc<LogicalPlan>> {
        let names = NamePreserver::new_for_projection();
        let before = Self::of(&self.plan).exprs;
        if before == self.exprs {
            return Ok(self.plan);
        }
        let exprs = before.iter().zip(self.exprs);
        let exprs = exprs.map(|(before, expr)| names.save(before).restore(expr)).collect();
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, self.input)?)))
    }
}
