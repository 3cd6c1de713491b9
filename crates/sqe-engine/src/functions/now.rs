//! `now()`, also written `current_timestamp`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, lit,
};
use datafusion::scalar::ScalarValue;

/// When the statement began, in microseconds, as points in time are in Iceberg. DataFusion's own
/// has nanoseconds, and takes what it is compared with out of their range, which ends in 2262.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Now {
    time_zone: Option<Arc<str>>,
    signature: Signature,
    aliases: [String; 1],
}

impl Now {
    pub(super) fn new(config: &ConfigOptions) -> Self {
        Self {
            time_zone: config.execution.time_zone.as_deref().map(Arc::from),
            signature: Signature::nullary(Volatility::Stable),
            aliases: ["current_timestamp".to_owned()],
        }
    }
}

impl ScalarUDFImpl for Now {
    fn name(&self) -> &str {
        "now"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        Some(Self::new(config).into())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Microsecond, self.time_zone.clone()))
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), self.return_type(&[])?, false)))
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(start) = context.query_execution_start_time() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let now = Some(start.timestamp_micros());
        let now = ScalarValue::TimestampMicrosecond(now, self.time_zone.clone());
        Ok(ExprSimplifyResult::Simplified(lit(now)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} was not replaced by its value", self.name())
    }
}
