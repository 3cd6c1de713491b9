//! `a IS DISTINCT FROM b AND c`: `sqlparser` takes `b AND c` for the right side. By its
//! precedence the comparison ends before the AND.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, Value, VisitMut, VisitorMut};

struct DistinctFrom;

impl VisitorMut for DistinctFrom {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let (Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right)) = expr else {
            return ControlFlow::Continue(());
        };
        if is_logical(right) {
            let mut chain = std::mem::replace(&mut **right, nothing());
            // The operand that stands first in the text is the true right side.
            let first = first_operand(&mut chain);
            **right = std::mem::replace(first, nothing());
            *first = std::mem::replace(expr, nothing());
            *expr = chain;
        }
        ControlFlow::Continue(())
    }
}

fn is_logical(expr: &Expr) -> bool {
    use BinaryOperator::{And, Or, Xor};
    matches!(expr, Expr::BinaryOp { op: And | Or | Xor, .. })
}

fn first_operand(expr: &mut Expr) -> &mut Expr {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Xor,
            ..
        } => first_operand(left),
        other => other,
    }
}

/// Stands where an expression was taken out for a moment.
fn nothing() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}

/// Ends each such comparison where its precedence ends it.
pub(super) fn ends_before_and(statement: &mut impl VisitMut) {
    let _ = statement.visit(&mut DistinctFrom);
}
