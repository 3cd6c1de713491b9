//! `SELECT DISTINCT x + 1 .. ORDER BY x + 1`: what a result is ordered by is one of its columns. The
//! planner finds columns there by their names alone, so that an expression that is written again
//! becomes the position of its column.

use std::convert::Infallible;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Distinct, Expr, OrderByKind, Query, SelectItem, SetExpr, Value, VisitMut, VisitorMut,
};

struct DistinctOrder;

impl VisitorMut for DistinctOrder {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        let SetExpr::Select(select) = query.body.as_ref() else { return ControlFlow::Continue(()) };
        let order = query.order_by.as_mut().map(|order| &mut order.kind);
        if let (Some(Distinct::Distinct), Some(OrderByKind::Expressions(keys))) =
            (&select.distinct, order)
        {
            for key in keys {
                if let Some(position) = position(&select.projection, &key.expr) {
                    key.expr = Expr::value(Value::Number(position.to_string(), false));
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Where an expression stands among columns, from 1. Names and positions are found by the planner,
/// and a position behind a wildcard is known to it alone.
fn position(columns: &[SelectItem], key: &Expr) -> Option<usize> {
    let is_found_anyway =
        matches!(key, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_));
    if is_found_anyway {
        return None;
    }
    let mut found = None;
    for (index, column) in columns.iter().enumerate() {
        match column {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                if found.is_none() && expr == key {
                    found = Some(index + 1);
                }
            }
            _ => return None,
        }
    }
    found
}

/// Gives the expressions by which DISTINCT results are ordered the positions of their columns.
pub(super) fn by_position(statement: &mut impl VisitMut) {
    let _ = statement.visit(&mut DistinctOrder);
}
