//! What the planner's expressions become before types are coerced, and after.

mod checked_arithmetic;
mod checked_sum;
mod epoch;
mod exact_numbers;
mod guarded_conditions;
mod interval_multiples;
mod intervals;
mod one_type;
mod times;
mod uuid_text;
mod zeros;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::registry::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, Operator, ScalarUDF};
use datafusion::optimizer::Analyzer;
use datafusion::optimizer::analyzer::AnalyzerRule;

use crate::plan::exact_casts;

/// The rules of DataFusion's analyzer, and before them what must see types as they are written.
pub(crate) fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> =
        vec![Arc::new(one_type::OneType), Arc::new(intervals::OrderByLength)];
    rules.extend(Analyzer::new().rules);
    rules
}

/// Adds the other rewrites to a state.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    state.register_expr_planner(Arc::new(exact_numbers::ExactNumbers))?;
    state.register_expr_planner(Arc::new(interval_multiples::Multiples))?;
    register_functions(state)?;
    state.register_function_rewrite(Arc::new(exact_numbers::ExactNumbers))?;
    state.register_function_rewrite(Arc::new(times::Microseconds))?;
    state.register_function_rewrite(Arc::new(epoch::EpochSeconds))?;
    state.register_function_rewrite(Arc::new(uuid_text::UuidText))?;
    state.register_function_rewrite(Arc::new(zeros::OneZero))?;
    state.add_analyzer_rule(Arc::new(checked_arithmetic::CheckedArithmetic));
    state.add_analyzer_rule(Arc::new(guarded_conditions::GuardedConditions));
    Ok(())
}

/// Adds the functions that rewritten expressions call, which a node needs that executes plans of
/// others.
pub(crate) fn register_functions(state: &mut SessionState) -> Result<()> {
    let sum = AggregateUDF::new_from_impl(checked_sum::CheckedSum::default());
    state.register_udaf(Arc::new(sum))?;
    for function in functions() {
        state.register_udf(Arc::new(function))?;
    }
    Ok(())
}

/// The scalar functions that rewritten expressions call, and nobody else.
pub(crate) fn functions() -> impl Iterator<Item = ScalarUDF> {
    let intervals = [intervals::LENGTH.clone(), interval_multiples::MULTIPLE.clone()];
    let functions = checked_arithmetic::functions().into_iter();
    functions.chain(uuid_text::functions()).chain(intervals).chain([exact_casts::function()])
}

/// `=`, `<` and their like, with those for which null is a value.
fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}
