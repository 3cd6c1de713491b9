//! `b <> 0 AND 100 / b > 1`: a condition that can fail is tried only for the rows that the
//! conditions beside it leave. DataFusion evaluates both sides of an AND for whole batches, and
//! moves each where it is cheapest.
//!
//! A condition is guarded by those beside it that name no other tables: the others may have to be
//! evaluated somewhere else. These stay beside it, so that they still choose files and rows.

use std::collections::HashSet;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, TableReference};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::utils::{conjunction, disjunction, merge_schema};
use datafusion::logical_expr::{
    BinaryExpr, Cast, Expr, ExprSchemable, Filter, LogicalPlan, Operator, lit,
};
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use super::checked_arithmetic;

/// Evaluation recurses into so many conditions that can fail; more make several chains.
const MAX_CHAIN: usize = 16;

/// Runs after arithmetic is checked.
#[derive(Debug)]
pub(super) struct GuardedConditions;

impl AnalyzerRule for GuardedConditions {
    fn name(&self) -> &str {
        "guarded_conditions"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let guarded = plan.transform_up_with_subqueries(|plan| {
            let schema = merge_schema(&plan.inputs());
            match plan {
                LogicalPlan::Filter(filter) if can_fail(&filter.predicate, &schema) => {
                    let predicate = guarded(filter.predicate, &schema)?;
                    Ok(Transformed::yes(Filter::try_new(predicate, filter.input)?))
                        .map(|filter| filter.update_data(LogicalPlan::Filter))
                }
                LogicalPlan::Join(mut join) => {
                    let condition = join.filter.take();
                    join.filter = condition.map(|c| guarded(c, &schema)).transpose()?;
                    Ok(Transformed::yes(LogicalPlan::Join(join)))
                }
                other => Ok(Transformed::no(other)),
            }
        });
        Ok(guarded?.data)
    }
}

/// The same condition for the rows for which it is true. It is below nothing but AND and OR, where
/// false and null are one.
fn guarded(condition: Expr, schema: &DFSchema) -> Result<Expr> {
    let op = match &condition {
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => *op,
        _ => return Ok(condition),
    };
    let mut parts = Vec::new();
    flatten(condition, op, &mut parts);
    let parts: Vec<Expr> =
        parts.into_iter().map(|part| guarded(part, schema)).collect::<Result<_>>()?;
    let (unsafe_parts, mut result): (Vec<Expr>, Vec<Expr>) =
        parts.into_iter().partition(|part| can_fail(part, schema) && !joins_two_tables(part));
    let safe: Vec<Expr> = result.iter().filter(|part| !can_fail(part, schema)).cloned().collect();
    for group in by_tables(unsafe_parts) {
        let guards = safe.iter().filter(|guard| is_beside(guard, &group.tables));
        let mut chain: Vec<Expr> = whole(guards.cloned().collect(), op).into_iter().collect();
        chain.extend(group.conditions);
        result.extend(chained(chain, op));
    }
    Ok(whole(result, op).unwrap_or_else(|| lit(true)))
}

fn whole(parts: Vec<Expr>, op: Operator) -> Option<Expr> {
    if op == Operator::And { conjunction(parts) } else { disjunction(parts) }
}

/// Conditions over the same tables, in the order in which they are written.
struct Group {
    tables: Tables,
    conditions: Vec<Expr>,
}

type Tables = HashSet<Option<TableReference>>;

fn tables(expr: &Expr) -> Tables {
    expr.column_refs().into_iter().map(|column| column.relation.clone()).collect()
}

fn by_tables(conditions: Vec<Expr>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for condition in conditions {
        let tables = tables(&condition);
        let same =
            |group: &&mut Group| group.tables == tables && group.conditions.len() < MAX_CHAIN;
        match groups.iter_mut().find(same) {
            Some(group) => group.conditions.push(condition),
            None => groups.push(Group { tables, conditions: vec![condition] }),
        }
    }
    groups
}

fn flatten(condition: Expr, of: Operator, parts: &mut Vec<Expr>) {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op == of => {
            flatten(*left, of, parts);
            flatten(*right, of, parts);
        }
        other => parts.push(other),
    }
}

fn is_beside(guard: &Expr, beside: &Tables) -> bool {
    let own = tables(guard);
    let plain = !guard.is_volatile() && !names_outer_query(guard);
    plain && !own.is_empty() && own.is_subset(beside)
}

/// Conditions of which each is tried where all before it are true, or for an OR where none is. A
/// number stands for their truth, because the optimizer turns a CASE of truths back into AND and
/// OR.
fn chained(mut chain: Vec<Expr>, op: Operator) -> Option<Expr> {
    let last = chain.pop()?;
    if chain.is_empty() {
        return Some(last);
    }
    let number = |condition| Expr::Cast(Cast::new(Box::new(condition), DataType::Int8));
    let nested = chain.into_iter().rev().fold(number(last), |inner, condition| {
        let (then, otherwise) = match op {
            Operator::And => (inner, None),
            _ => (lit(1_i8), Some(Box::new(inner))),
        };
        let branch = (Box::new(condition), Box::new(then));
        Expr::Case(Case::new(None, vec![branch], otherwise))
    });
    Some(nested.eq(lit(1_i8)))
}

/// `a.x + 1 = b.y` may become the key of a join, which is worth more than its guard.
fn joins_two_tables(condition: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else {
        return false;
    };
    let (left, right) = (tables(left), tables(right));
    !left.is_empty() && !right.is_empty() && left.is_disjoint(&right)
}

/// Whether a value of a row can make `expr` an error. Conditions that name an outer query are left
/// alone, because the optimizer makes joins of them as they are written.
fn can_fail(expr: &Expr, schema: &DFSchema) -> bool {
    let is_text = |expr: &Expr| expr.get_type(schema).is_ok_and(|found| found.is_string());
    let is_exact = |expr: &Expr| {
        expr.get_type(schema).is_ok_and(|found| found.is_integer() || found.is_decimal())
    };
    let has_columns = |expr: &Expr| !expr.column_refs().is_empty();
    let mut found = false;
    // The closure never fails.
    let _ = expr.apply(|expr| {
        found |= match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                matches!(op, Operator::Divide | Operator::Modulo)
                    && is_exact(left)
                    && has_columns(right)
            }
            Expr::Cast(Cast { expr: from, field }) => {
                is_text(from) && !field.data_type().is_string() && has_columns(from)
            }
            Expr::ScalarFunction(call) => {
                checked_arithmetic::is_checked_function(call.name()) && has_columns(expr)
            }
            _ => false,
        };
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false if is_chain(expr) => TreeNodeRecursion::Jump,
            false => TreeNodeRecursion::Continue,
        })
    });
    found && !names_outer_query(expr)
}

/// What [`chained`] makes, which no second pass changes.
fn is_chain(expr: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return false };
    matches!(**left, Expr::Case(_))
        && matches!(**right, Expr::Literal(ScalarValue::Int8(Some(1)), _))
}

fn names_outer_query(expr: &Expr) -> bool {
    let outer = expr.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::OuterReferenceColumn(..)
                | Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::SetComparison(_)
        ))
    });
    outer.unwrap_or(true)
}
