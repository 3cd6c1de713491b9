//! `+`, `-` (of two numbers and of one) and `*` of integers fail where the result does not fit, and
//! so do those and `/` of decimals. DataFusion's integers wrap around to another number, and its
//! decimals get more digits than their type has.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::kernels::numeric::{add, div, mul, neg, sub};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;

use crate::{Error, ErrorKind};

const ADD: &str = "checked_add";
const SUBTRACT: &str = "checked_subtract";
const MULTIPLY: &str = "checked_multiply";
const DIVIDE: &str = "checked_divide";
const NEGATIVE: &str = "checked_negative";
const NAMES: [&str; 5] = [ADD, SUBTRACT, MULTIPLY, DIVIDE, NEGATIVE];

/// Runs after types are coerced, so that both sides are integers of one type or decimals.
#[derive(Debug)]
pub(super) struct CheckedArithmetic;

impl AnalyzerRule for CheckedArithmetic {
    fn name(&self) -> &str {
        "checked_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let checked = plan.transform_up_with_subqueries(|plan| {
            let schema = merge_schema(&plan.inputs());
            // The names of the columns stay, and with them what refers to them: those of windows
            // and aggregates show their ORDER BY as it is, which only an alias keeps.
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let checked = expr.transform_up(|expr| Ok(checked(expr, &schema)))?;
                Ok(checked.update_data(|expr| name.restore(expr)))
            })
        });
        Ok(checked?.data)
    }
}

fn checked(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if operand_types(&left, &right, schema)
                .is_some_and(|(left, right)| may_not_fit(&left, op, &right)) =>
        {
            let function = ScalarUDF::new_from_impl(Checked::new(op));
            Transformed::yes(function.call(vec![*left, *right]))
        }
        Expr::Negative(number)
            if number.get_type(schema).is_ok_and(|found| found.is_signed_integer()) =>
        {
            let function = ScalarUDF::new_from_impl(Negated::new());
            Transformed::yes(function.call(vec![*number]))
        }
        other => Transformed::no(other),
    }
}

fn operand_types(left: &Expr, right: &Expr, schema: &DFSchema) -> Option<(DataType, DataType)> {
    left.get_type(schema).ok().zip(right.get_type(schema).ok())
}

fn may_not_fit(left: &DataType, op: Operator, right: &DataType) -> bool {
    use Operator::{Divide, Minus, Multiply, Plus};
    match (left, op, right) {
        (left, Plus | Minus | Multiply, right) if left.is_integer() => left == right,
        (DataType::Decimal128(..), Plus | Minus | Multiply | Divide, DataType::Decimal128(..)) => {
            // A result of fewer digits has as many as it may need.
            let result = BinaryTypeCoercer::new(left, &op, right).get_result_type();
            matches!(result, Ok(DataType::Decimal128(DECIMAL128_MAX_PRECISION, _)))
        }
        _ => false,
    }
}

/// The functions of this rule. Nothing but its name tells one from another, so that plans can name
/// them where they are executed.
pub(super) fn functions() -> Vec<ScalarUDF> {
    use Operator::{Divide, Minus, Multiply, Plus};
    let checked = [Plus, Minus, Multiply, Divide].map(Checked::new);
    let checked = checked.map(ScalarUDF::new_from_impl).into_iter();
    checked.chain([ScalarUDF::new_from_impl(Negated::new())]).collect()
}

/// Whether a function is one of those that this rule brings.
pub(super) fn is_checked_function(name: &str) -> bool {
    NAMES.contains(&name)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    signature: Signature,
}

impl Checked {
    fn new(op: Operator) -> Self {
        Self { op, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => ADD,
            Operator::Minus => SUBTRACT,
            Operator::Divide => DIVIDE,
            _ => MULTIPLY,
        }
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [left, right] = args else { return internal_err!("{} takes two", self.name()) };
        let (left, right) = (Box::new(left.clone()), Box::new(right.clone()));
        let written = Expr::BinaryExpr(BinaryExpr::new(left, self.op, right));
        Ok(written.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        BinaryTypeCoercer::new(&types[0], &self.op, &types[1]).get_result_type()
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let types = [&args.arg_fields[0], &args.arg_fields[1]].map(|arg| arg.data_type().clone());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return internal_err!("{} takes two", self.name());
        };
        let result = match self.op {
            Operator::Plus => apply(left, right, add),
            Operator::Minus => apply(left, right, sub),
            Operator::Divide => apply(left, right, div),
            _ => apply(left, right, mul),
        }?;
        check_digits(&result)?;
        Ok(result)
    }
}

/// Errors: a decimal of more digits than its type has.
fn check_digits(result: &ColumnarValue) -> Result<()> {
    let fits = |decimals: &dyn Array, digits| {
        decimals.as_primitive::<Decimal128Type>().validate_decimal_precision(digits).is_ok()
    };
    let (fits, digits) = match (result, result.data_type()) {
        (ColumnarValue::Array(decimals), DataType::Decimal128(digits, _)) => {
            (fits(decimals, digits), digits)
        }
        (ColumnarValue::Scalar(decimal), DataType::Decimal128(digits, _)) => {
            (fits(&decimal.to_array()?, digits), digits)
        }
        _ => return Ok(()),
    };
    match fits {
        true => Ok(()),
        false => {
            let message = format!("a number has more than {digits} digits");
            Err(Error::new(ErrorKind::Execution, message)
                .with_hint("cast to decimals of fewer places, or to DOUBLE")
                .into())
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Negated {
    signature: Signature,
}

impl Negated {
    fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Negated {
    fn name(&self) -> &str {
        NEGATIVE
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [number] = args else { return internal_err!("{} takes one", self.name()) };
        Ok(Expr::Negative(Box::new(number.clone())).schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let number = &args.arg_fields[0];
        Ok(Arc::new(Field::new(self.name(), number.data_type().clone(), number.is_nullable())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(|args: &[ArrayRef]| Ok(neg(&args[0])?), vec![])(&args.args)
    }
}
