//! Uuids are sixteen bytes, which Arrow neither reads from text nor writes as text.

use std::sync::{Arc, LazyLock};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, create_udf,
};
use datafusion::scalar::ScalarValue;
use sqe_iceberg::schema::uuid_metadata;
use sqe_iceberg::uuid_text::{format_array, parse, parse_array};

use crate::{Error, ErrorKind};

pub(super) const UUID: DataType = DataType::FixedSizeBinary(16);

/// Text that is cast to a uuid is read as one; a uuid that is cast to text gets its dashes.
#[derive(Debug)]
pub(super) struct UuidText;

impl FunctionRewrite for UuidText {
    fn name(&self) -> &str {
        "uuid_text"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let is_uuid = |expr: &Expr| expr.get_type(schema).is_ok_and(|found| found == UUID);
        let is_text = |expr: &Expr| expr.get_type(schema).is_ok_and(|found| found.is_string());
        Ok(match expr {
            Expr::Cast(Cast { expr, field }) if *field.data_type() == UUID && is_text(&expr) => {
                Transformed::yes(parsed(*expr)?)
            }
            Expr::Cast(Cast { expr, field }) if field.data_type().is_string() && is_uuid(&expr) => {
                let text = Box::new(formatted(*expr));
                Transformed::yes(Expr::Cast(Cast { expr: text, field }))
            }
            other => Transformed::no(other),
        })
    }
}

/// A uuid as text.
pub(super) fn formatted(uuid: Expr) -> Expr {
    UUID_TO_TEXT.call(vec![uuid])
}

/// Text as a uuid. Errors: a literal that is none.
pub(super) fn parsed(text: Expr) -> Result<Expr> {
    if let Expr::Literal(value, _) = &text
        && let Some(written) = value.try_as_str()
    {
        let uuid = written.map(parse).transpose().map_err(execution_error)?;
        let uuid = uuid.map(|uuid| uuid.as_bytes().to_vec());
        let metadata = FieldMetadata::from(uuid_metadata());
        return Ok(Expr::Literal(ScalarValue::FixedSizeBinary(16, uuid), Some(metadata)));
    }
    Ok(ScalarUDF::new_from_impl(ParseUuid::new()).call(vec![text]))
}

/// The functions of this rule, which plans name where they are executed.
pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![ScalarUDF::new_from_impl(ParseUuid::new()), UUID_TO_TEXT.clone()]
}

/// A value of the statement is wrong, not its text.
fn execution_error(error: sqe_iceberg::Error) -> DataFusionError {
    Error::new(ErrorKind::Execution, error.message()).into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseUuid {
    signature: Signature,
}

impl ParseUuid {
    fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ParseUuid {
    fn name(&self) -> &str {
        "parse_uuid"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(UUID)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields[0].is_nullable();
        Ok(Arc::new(Field::new(self.name(), UUID, nullable).with_metadata(uuid_metadata())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let parse = |text: &[ArrayRef]| parse_array(&text[0]).map_err(execution_error);
        make_scalar_function(parse, vec![])(&args.args)
    }
}

/// A uuid with its dashes.
static UUID_TO_TEXT: LazyLock<ScalarUDF> = LazyLock::new(|| {
    let format = |uuids: &[ArrayRef]| format_array(&uuids[0]).map_err(execution_error);
    let format = Arc::new(make_scalar_function(format, vec![]));
    create_udf("uuid_to_text", vec![UUID], DataType::Utf8, Volatility::Immutable, format)
});
