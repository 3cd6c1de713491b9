//! What the planner's expressions become before types are coerced, and after.

mod checked_arithmetic;
mod epoch;
mod exact_comparison;
mod uuid_text;
mod zeros;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::registry::FunctionRegistry;

/// Adds the rewrites to a state.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    state.register_function_rewrite(Arc::new(exact_comparison::ExactComparison))?;
    state.register_function_rewrite(Arc::new(epoch::EpochSeconds))?;
    state.register_function_rewrite(Arc::new(uuid_text::UuidText))?;
    state.register_function_rewrite(Arc::new(zeros::OneZero))?;
    state.add_analyzer_rule(Arc::new(checked_arithmetic::CheckedArithmetic));
    Ok(())
}
