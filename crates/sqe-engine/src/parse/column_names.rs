//! The names of columns that are given none.
//!
//! The planner names a column by its own reading of the expression, `Int64(1) + Int64(1)`, leaves out
//! casts, and refuses the same name twice. Here the columns of a result are named by their text.
//! Subqueries keep the planner's names, which others may refer to, but a cast beside its operand
//! and a constant are named by their text, and every column after the first that is written alike
//! gets its position in the list behind its name.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, SetExpr, VisitMut, VisitorMut};

#[derive(Default)]
struct ColumnNames {
    /// The statement's own query was seen; those that follow are inside it.
    inside: bool,
}

impl VisitorMut for ColumnNames {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        if !std::mem::replace(&mut self.inside, true) {
            name_result(query);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        let mut operands: HashMap<String, usize> = HashMap::new();
        for item in &select.projection {
            if let SelectItem::UnnamedExpr(expr) = item {
                *operands.entry(operand(expr)).or_default() += 1;
            }
        }
        let mut seen = HashSet::new();
        for (position, item) in select.projection.iter_mut().enumerate() {
            let SelectItem::UnnamedExpr(expr) = item else { continue };
            let (name, by_text) = match expr {
                // Subqueries have no name that tells them apart.
                Expr::Subquery(_) => ("subquery".to_owned(), false),
                Expr::Value(_) => (expr.to_string(), true),
                Expr::Cast { .. } => (expr.to_string(), operands[&operand(expr)] > 1),
                _ => (expr.to_string(), false),
            };
            if by_text || seen.contains(&name) {
                *item = named(expr, name, position, &mut seen);
            } else {
                seen.insert(name);
            }
        }
        ControlFlow::Continue(())
    }
}

/// The name without its table, or the text, of what is below the casts of an expression.
fn operand(expr: &Expr) -> String {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => operand(expr),
        Expr::CompoundIdentifier(parts) => parts.last().map(Ident::to_string).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// Names the columns of a result by their text.
fn name_result(query: &mut Query) {
    let mut body = query.body.as_mut();
    let select = loop {
        match body {
            SetExpr::SetOperation { left, .. } => body = left.as_mut(),
            SetExpr::Query(inner) => body = inner.body.as_mut(),
            SetExpr::Select(select) => break select,
            _ => return,
        }
    };
    let mut seen = HashSet::new();
    for (position, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_)) {
            continue;
        }
        let text = expr.to_string();
        *item = named(expr, text, position, &mut seen);
    }
}

/// The column under `name`, with its position behind it where another column has the name.
fn named(expr: &Expr, name: String, position: usize, seen: &mut HashSet<String>) -> SelectItem {
    let alias = match seen.insert(name.clone()) {
        true => name,
        false => format!("{name}:{}", position + 1),
    };
    SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', alias) }
}

/// Gives the columns of a statement names that differ.
pub(super) fn settle(statement: &mut impl VisitMut) {
    let _ = statement.visit(&mut ColumnNames::default());
}
