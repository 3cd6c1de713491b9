//! `year(x)` and its like, which are short for `date_part('year', x)`.

use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::functions::datetime::date_part;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility, lit,
};

const PARTS: [&str; 8] = ["year", "quarter", "month", "week", "day", "hour", "minute", "second"];

/// One of them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DatePart {
    part: &'static str,
    signature: Signature,
}

/// All of them.
pub(super) fn all() -> [DatePart; PARTS.len()] {
    PARTS.map(|part| DatePart { part, signature: Signature::any(1, Volatility::Immutable) })
}

impl ScalarUDFImpl for DatePart {
    fn name(&self) -> &str {
        self.part
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn simplify(&self, mut args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        args.insert(0, lit(self.part));
        Ok(ExprSimplifyResult::Simplified(date_part().call(args)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} was not replaced by date_part", self.part)
    }
}
