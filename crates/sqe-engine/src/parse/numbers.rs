//! Numbers with more digits than a double or an integer can hold are decimals, so that none of them
//! is lost.

use std::ops::ControlFlow;

use sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, UnaryOperator, Value, VisitMut, VisitorMut,
};

/// Every decimal number of so many digits comes back from a double as it was.
const DIGITS_OF_A_DOUBLE: usize = 15;
/// The digits of the widest decimal.
const DIGITS_OF_A_DECIMAL: usize = 76;

struct LongNumbers;

impl VisitorMut for LongNumbers {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let (value, limit) = match expr {
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_mut() {
                inner @ Expr::Value(_) => (inner, i64::MIN.unsigned_abs()),
                _ => return ControlFlow::Continue(()),
            },
            expr => (expr, u64::MAX),
        };
        keep_digits_of(value, limit);
        ControlFlow::Continue(())
    }
}

/// Makes a decimal of a number beyond `limit`, which is that of the integers of its sign.
fn keep_digits_of(expr: &mut Expr, limit: u64) {
    let Expr::Value(value) = expr else { return };
    let Value::Number(digits, _) = &value.value else { return };
    let Some((precision, scale)) = long_decimal(digits, limit) else { return };
    let text = Value::SingleQuotedString(digits.clone()).with_span(value.span);
    *expr = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(text)),
        data_type: DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale)),
        array: false,
        format: None,
    };
}

/// Precision and scale of a number that only a decimal can hold.
fn long_decimal(number: &str, limit: u64) -> Option<(u64, i64)> {
    let plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = whole.trim_start_matches('0').len().max(1) + fraction.len();
    let fits_elsewhere = match number.contains('.') {
        true => digits <= DIGITS_OF_A_DOUBLE,
        false => number.parse::<u64>().is_ok_and(|number| number <= limit),
    };
    let long = plain && !fits_elsewhere && digits <= DIGITS_OF_A_DECIMAL;
    long.then_some((digits as u64, fraction.len() as i64))
}

/// Makes numbers of many digits decimals.
pub(super) fn keep_digits(statement: &mut impl VisitMut) {
    let _ = statement.visit(&mut LongNumbers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nothing_else_holds_becomes_a_decimal() {
        let check =
            |number, expected| assert_eq!(long_decimal(number, u64::MAX), expected, "{number}");
        check("0.1", None);
        check("1234567890.12345", None);
        check("1234567890.123456", Some((16, 6)));
        check("18446744073709551615", None);
        check("18446744073709551616", Some((20, 0)));
        check("12345678901234567890123456789", Some((29, 0)));
        check("000000000000000000000000000001", None);
        check("1e300", None);
        let longest = "9".repeat(76);
        check(&longest, Some((76, 0)));
        let too_long = "9".repeat(77);
        check(&too_long, None);
    }
}
