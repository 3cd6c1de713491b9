//! What the planner's expressions become before types are coerced, and after.

mod checked_arithmetic;
mod checked_sum;
mod epoch;
mod exact_numbers;
mod guarded_conditions;
mod interval_multiples;
mod intervals;
mod times;
mod uuid_text;
mod zeros;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::registry::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, Operator};

/// Adds the rewrites to a state.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    state.register_expr_planner(Arc::new(exact_numbers::ExactNumbers))?;
    state.register_expr_planner(Arc::new(interval_multiples::Multiples))?;
    state
        .register_udaf(Arc::new(AggregateUDF::new_from_impl(checked_sum::CheckedSum::default())))?;
    state.register_function_rewrite(Arc::new(exact_numbers::ExactNumbers))?;
    state.register_function_rewrite(Arc::new(intervals::ByLength))?;
    state.register_function_rewrite(Arc::new(times::Microseconds))?;
    state.register_function_rewrite(Arc::new(epoch::EpochSeconds))?;
    state.register_function_rewrite(Arc::new(uuid_text::UuidText))?;
    state.register_function_rewrite(Arc::new(zeros::OneZero))?;
    state.add_analyzer_rule(Arc::new(intervals::OrderByLength));
    state.add_analyzer_rule(Arc::new(checked_arithmetic::CheckedArithmetic));
    state.add_analyzer_rule(Arc::new(guarded_conditions::GuardedConditions));
    Ok(())
}

/// `=`, `<` and their like, with those for which null is a value.
fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}
