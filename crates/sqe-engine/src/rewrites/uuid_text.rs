//! Uuids are sixteen bytes, which Arrow does not compare with text.

use std::sync::Arc;

use arrow::array::{AsArray, FixedSizeBinaryBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    BinaryExpr, Cast, ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use uuid::Uuid;

use crate::{Error, ErrorKind};

const UUID: DataType = DataType::FixedSizeBinary(16);

/// Text that is compared with a uuid or cast to one is read as one.
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
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if op.supports_propagation() && is_uuid(&left) && is_text(&right) =>
            {
                Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(left, op, parsed(right)?)))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if op.supports_propagation() && is_text(&left) && is_uuid(&right) =>
            {
                Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(parsed(left)?, op, right)))
            }
            Expr::InList(mut list) if is_uuid(&list.expr) && list.list.iter().any(is_text) => {
                for value in &mut list.list {
                    if is_text(value) {
                        *value = *parsed(Box::new(std::mem::take(value)))?;
                    }
                }
                Transformed::yes(Expr::InList(list))
            }
            Expr::Cast(Cast { expr, field }) if *field.data_type() == UUID && is_text(&expr) => {
                Transformed::yes(*parsed(expr)?)
            }
            other => Transformed::no(other),
        })
    }
}

fn parsed(text: Box<Expr>) -> Result<Box<Expr>> {
    if let Expr::Literal(value, _) = text.as_ref()
        && let Some(written) = value.try_as_str()
    {
        let uuid = written.map(parse).transpose()?.map(|uuid| uuid.as_bytes().to_vec());
        return Ok(Box::new(Expr::Literal(ScalarValue::FixedSizeBinary(16, uuid), None)));
    }
    let signature = Signature::any(1, Volatility::Immutable);
    Ok(Box::new(ScalarUDF::new_from_impl(ParseUuid { signature }).call(vec![*text])))
}

fn parse(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text)
        .map_err(|_| Error::new(ErrorKind::Execution, format!("{text:?} is not a uuid")).into())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseUuid {
    signature: Signature,
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

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = matches!(args.args.as_slice(), [ColumnarValue::Scalar(_)]);
        let rows = if scalar { 1 } else { args.number_rows };
        let text = ColumnarValue::values_to_arrays(&args.args)?;
        let text = cast(&text[0], &DataType::Utf8View)?;
        let mut uuids = FixedSizeBinaryBuilder::with_capacity(rows, 16);
        for text in text.as_string_view() {
            match text {
                Some(text) => uuids.append_value(parse(text)?.as_bytes())?,
                None => uuids.append_null(),
            }
        }
        let uuids = uuids.finish();
        Ok(match scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&uuids, 0)?),
            false => ColumnarValue::Array(Arc::new(uuids)),
        })
    }
}
