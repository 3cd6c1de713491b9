//! The type that some expressions take together.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable};

use crate::rewrites::exact_numbers::exact;
use crate::rewrites::intervals::length;
use crate::rewrites::uuid_text::{UUID, formatted, parsed};

/// An expression, and the columns it may name.
pub(super) struct Operand<'a> {
    pub(super) expr: &'a mut Expr,
    pub(super) schema: &'a DFSchema,
}

/// What the operands are for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Use {
    /// Their order or equality is all that anyone sees.
    Comparison,
    /// One of them is seen.
    Value,
}

/// Gives the operands one type where DataFusion would take one that is wrong; true if any changed.
pub(super) fn unify(mut operands: Vec<Operand<'_>>, purpose: Use) -> Result<bool> {
    // Where an expression has no type the planner says why.
    let types = operands.iter().map(|of| of.expr.get_type(of.schema));
    let Ok(types) = types.collect::<Result<Vec<DataType>>>() else { return Ok(false) };
    let any = |is: fn(&DataType) -> bool| types.iter().any(is);
    let all = |is: fn(&DataType) -> bool| types.iter().all(is);
    let comparison = purpose == Use::Comparison;
    if any(is_decimal) && any(DataType::is_floating) {
        numbers(&mut operands, types);
    } else if any(is_uuid) && any(DataType::is_string) {
        return uuids(&mut operands, &types, purpose);
    } else if comparison && any(is_interval) && all(has_length) {
        for of in &mut operands {
            replace(of.expr, length);
        }
    } else if let Some(timestamp) = types.iter().find(|found| is_microseconds(found))
        && any(|found| is_date(found) || found.is_string())
    {
        for (of, found) in operands.iter_mut().zip(&types) {
            if is_date(found) || comparison && found.is_string() {
                cast(of.expr, timestamp);
            }
        }
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// A literal with a point is the decimal that was written. Other doubles have no decimal for all of
/// their values, so that decimals become doubles beside them.
fn numbers(operands: &mut [Operand<'_>], mut types: Vec<DataType>) {
    for (of, found) in operands.iter_mut().zip(&mut types) {
        if found.is_floating() {
            replace(of.expr, exact);
            // An expression that had a type has one still.
            *found = of.expr.get_type(of.schema).unwrap_or(DataType::Float64);
        }
    }
    if types.iter().any(DataType::is_floating) {
        for (of, _) in operands.iter_mut().zip(&types).filter(|(_, found)| is_decimal(found)) {
            cast(of.expr, &DataType::Float64);
        }
    }
}

/// Text that is compared with a uuid is one, and so is text of the statement that stands in its
/// place. Other text may be anything: beside it a uuid is text.
fn uuids(operands: &mut [Operand<'_>], types: &[DataType], purpose: Use) -> Result<bool> {
    let mut texts = operands.iter().zip(types).filter(|(_, found)| found.is_string());
    let read = purpose == Use::Comparison
        || texts.all(|(of, _)| matches!(unaliased(of.expr), Expr::Literal(..)));
    for (of, found) in operands.iter_mut().zip(types) {
        if read && found.is_string() {
            let text = std::mem::take(of.expr).unalias();
            *of.expr = parsed(text)?;
        } else if !read && is_uuid(found) {
            replace(of.expr, formatted);
        }
    }
    Ok(true)
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => &alias.expr,
        other => other,
    }
}

fn replace(expr: &mut Expr, by: impl FnOnce(Expr) -> Expr) {
    *expr = by(std::mem::take(expr).unalias());
}

fn cast(expr: &mut Expr, to: &DataType) {
    replace(expr, |expr| Expr::Cast(Cast::new(Box::new(expr), to.clone())));
}

fn is_decimal(found: &DataType) -> bool {
    matches!(found, DataType::Decimal128(..) | DataType::Decimal256(..))
}

fn is_uuid(found: &DataType) -> bool {
    *found == UUID
}

fn is_interval(found: &DataType) -> bool {
    matches!(found, DataType::Interval(_))
}

/// Whether it is an interval, or becomes one beside an interval.
fn has_length(found: &DataType) -> bool {
    matches!(found, DataType::Interval(_) | DataType::Duration(_) | DataType::Null)
        || found.is_string()
}

fn is_date(found: &DataType) -> bool {
    *found == DataType::Date32
}

fn is_microseconds(found: &DataType) -> bool {
    matches!(found, DataType::Timestamp(TimeUnit::Microsecond, _))
}
