//! What the planner's expressions become before types are coerced, and after.

mod checked_arithmetic;
mod epoch;
mod uuid_text;
mod zeros;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::registry::FunctionRegistry;

use crate::exact_comparison;

/// Adds the rewrites to a state.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    state.register_function_rewrite(exact_comparison::rule())?;
    state.register_function_rewrite(Arc::new(epoch::EpochSeconds))?;
    state.register_function_rewrite(Arc::new(uuid_text::UuidText))?;
    state.register_function_rewrite(Arc::new(zeros::OneZero))?;
    state.add_analyzer_rule(Arc::new(checked_arithmetic::CheckedArithmetic));
    Ok(())
}
