//! Numbers with an exponent, as in `1e-3`: doubles, as the SQL standard has it. All other numbers
//! with a point are decimals, which is how the planner reads every number that is left.

use std::ops::ControlFlow;

use sqlparser::ast::{CastKind, DataType, ExactNumberInfo, Expr, Value, VisitMut, VisitorMut};

struct Exponents;

impl VisitorMut for Exponents {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let Expr::Value(value) = expr else { return ControlFlow::Continue(()) };
        if let Value::Number(digits, _) = &value.value
            && digits.contains(['e', 'E'])
        {
            let text = Value::SingleQuotedString(digits.clone()).with_span(value.span);
            *expr = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(Expr::Value(text)),
                data_type: DataType::Double(ExactNumberInfo::None),
                array: false,
                format: None,
            };
        }
        ControlFlow::Continue(())
    }
}

/// Makes numbers with an exponent doubles.
pub(super) fn exponents_are_doubles(statement: &mut impl VisitMut) {
    let _ = statement.visit(&mut Exponents);
}
