//! `EXCEPT ALL` and `INTERSECT ALL`: three of a row except all one of it are two.
//!
//! The rows of each side that are alike are numbered, and then both sides are joined by their
//! columns and numbers.

use datafusion::common::{Column, JoinType, NullEquality, TableReference, plan_err};
use datafusion::error::Result;
use datafusion::functions_window::row_number::row_number;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::{Expr as SqlExpr, FunctionArg, FunctionArgExpr, TableFactor};

use crate::parse::{EXCEPT_ALL, INTERSECT_ALL};

/// The column with the number of a row among those that are alike.
const NUMBER: &str = "number";

/// Plans the calls that stand for these operations.
#[derive(Debug)]
pub(super) struct RepeatedRows;

impl RelationPlanner for RepeatedRows {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let (join_type, left, right) = match relation {
            TableFactor::Function { ref name, ref args, .. } => {
                let name = name.0.first().and_then(|part| part.as_ident());
                let join_type = match name.map(|name| name.value.as_str()) {
                    Some(EXCEPT_ALL) => JoinType::LeftAnti,
                    Some(INTERSECT_ALL) => JoinType::LeftSemi,
                    _ => return Ok(RelationPlanning::Original(Box::new(relation))),
                };
                match args.as_slice() {
                    [left, right] => (join_type, left.clone(), right.clone()),
                    _ => return Ok(RelationPlanning::Original(Box::new(relation))),
                }
            }
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        let (left, right) = (side(left, context)?, side(right, context)?);
        let plan = joined(left, right, join_type)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}

fn side(arg: FunctionArg, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Subquery(subquery))) = arg else {
        return plan_err!("EXCEPT ALL and INTERSECT ALL are between queries");
    };
    context.plan(TableFactor::Derived { lateral: false, subquery, alias: None, sample: None })
}

fn joined(left: LogicalPlan, right: LogicalPlan, join_type: JoinType) -> Result<LogicalPlan> {
    let names: Vec<String> =
        left.schema().fields().iter().map(|field| field.name().clone()).collect();
    let (left_count, right_count) = (names.len(), right.schema().fields().len());
    if left_count != right_count {
        let name = if join_type == JoinType::LeftAnti { "EXCEPT" } else { "INTERSECT" };
        return plan_err!("{name} ALL: left has {left_count} columns, right has {right_count}");
    }
    let (left, right) = (numbered(left, "left")?, numbered(right, "right")?);
    let keys = |side: &str| -> Vec<Column> {
        let position = (0..left_count).map(|position| position.to_string());
        position.chain([NUMBER.to_owned()]).map(|name| column(side, &name)).collect()
    };
    let keys = (keys("left"), keys("right"));
    let columns = names
        .iter()
        .enumerate()
        .map(|(position, name)| Expr::Column(column("left", &position.to_string())).alias(name));
    let equal_nulls = NullEquality::NullEqualsNull;
    LogicalPlanBuilder::from(left)
        .join_detailed(right, join_type, keys, None, equal_nulls)?
        .project(columns)?
        .build()
}

/// `plan` under the name `side`, its columns named by their positions, with the number of each row
/// among those that are alike.
fn numbered(plan: LogicalPlan, side: &str) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let number = row_number().partition_by(columns.clone()).build()?.alias(NUMBER);
    let renamed = columns.into_iter().enumerate();
    let renamed = renamed.map(|(position, column)| column.alias(position.to_string()));
    let renamed: Vec<Expr> = renamed.chain([Expr::Column(Column::from_name(NUMBER))]).collect();
    LogicalPlanBuilder::from(plan).window([number])?.project(renamed)?.alias(side)?.build()
}

fn column(side: &str, name: &str) -> Column {
    Column::new(Some(TableReference::bare(side)), name)
}
