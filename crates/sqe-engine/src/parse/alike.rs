//! Columns of a SELECT that are written alike, as in `SELECT x, x`.
//!
//! DataFusion names a column by its expression and refuses the same name twice. Every one after
//! the first gets its position in the list behind its name.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Ident, Select, SelectItem, VisitMut, VisitorMut};

struct Alike;

impl VisitorMut for Alike {
    type Break = std::convert::Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        let mut seen = HashSet::new();
        for (position, item) in select.projection.iter_mut().enumerate() {
            let SelectItem::UnnamedExpr(expr) = item else { continue };
            let text = expr.to_string();
            // Subqueries have no name that tells them apart.
            let name = match expr {
                sqlparser::ast::Expr::Subquery(_) => "subquery".to_owned(),
                _ => text,
            };
            if seen.insert(name.clone()) {
                continue;
            }
            let alias = Ident::with_quote('"', format!("{name}:{}", position + 1));
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
        ControlFlow::Continue(())
    }
}

/// Gives columns that are written alike different names.
pub(super) fn tell_apart(statement: &mut impl VisitMut) {
    let _ = statement.visit(&mut Alike);
}
