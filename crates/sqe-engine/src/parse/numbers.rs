//! Numbers with more digits than a double can hold are decimals, so that none of them is lost.

use std::ops::ControlFlow;

use sqlparser::ast::{CastKind, DataType, ExactNumberInfo, Expr, Value, VisitMut, VisitorMut};

/// Every decimal number of so many digits comes back from a double as it was.
const DIGITS_OF_A_DOUBLE: usize = 15;
/// The digits of the widest decimal.
const DIGITS_OF_A_DECIMAL: usize = 38;

struct LongNumbers;

impl VisitorMut for LongNumbers {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let Expr::Value(value) = expr else { return ControlFlow::Continue(()) };
        if let Value::Number(digits, _) = &value.value
            && let Some((precision, scale)) = long_decimal(digits)
        {
            let text = Value::SingleQuotedString(digits.clone()).with_span(value.span);
            *expr = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(Expr::Value(text)),
                data_type: DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale)),
                array: false,
                format: None,
            };
        }
        ControlFlow::Continue(())
    }
}

/// Precision and scale of a number with a point that only a decimal can hold.
fn long_decimal(number: &str) -> Option<(u64, i64)> {
    let (whole, fraction) = number.split_once('.')?;
    let digits = whole.len() + fraction.len();
    let plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let long = digits > DIGITS_OF_A_DOUBLE && digits <= DIGITS_OF_A_DECIMAL;
    (plain && long).then_some((digits as u64, fraction.len() as i64))
}

/// Makes numbers of many digits decimals.
pub(super) fn keep_digits(statement: &mut impl VisitMut) {
    let _ = statement.visit(&mut LongNumbers);
}
