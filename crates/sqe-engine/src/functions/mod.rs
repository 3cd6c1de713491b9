//! Functions that DataFusion has not, or has for other ranges of values.
//!
//! Those that tell about the session, `current_user`, `current_catalog`, `current_schema` and
//! `version`, become constants while a statement is planned.

mod date_parts;
mod date_trunc;
mod now;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::execution::SessionState;
use datafusion::execution::registry::FunctionRegistry;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};

/// Adds the functions that are the same for all sessions.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    let now = now::Now::new(state.config_options());
    state.register_udf(Arc::new(now.into()))?;
    state.register_udf(Arc::new(date_trunc::DateTrunc::default().into()))?;
    for part in date_parts::all() {
        state.register_udf(Arc::new(part.into()))?;
    }
    Ok(())
}

/// A function without arguments whose value is known when the statement is planned.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SessionConstant {
    name: &'static str,
    value: String,
    signature: Signature,
}

/// The functions of a session.
pub(crate) fn session_functions(user: &str, catalog: &str, schema: &str) -> [Arc<ScalarUDF>; 5] {
    let version = concat!("SQE ", env!("CARGO_PKG_VERSION"));
    [
        ("current_user", user),
        ("session_user", user),
        ("current_catalog", catalog),
        ("current_schema", schema),
        ("version", version),
    ]
    .map(|(name, value)| {
        let signature = Signature::nullary(Volatility::Stable);
        let constant = SessionConstant { name, value: value.to_owned(), signature };
        Arc::new(ScalarUDF::new_from_impl(constant))
    })
}

impl ScalarUDFImpl for SessionConstant {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn simplify(&self, _: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(ExprSimplifyResult::Simplified(lit(self.value.clone())))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} was not replaced by its value", self.name)
    }
}
