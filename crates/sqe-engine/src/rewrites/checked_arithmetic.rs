//! `+`, `-` (of two numbers and of one) and `*` of integers fail where the result does not fit.
//! DataFusion's wrap around to another number.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::kernels::numeric::{add, mul, neg, sub};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;

const ADD: &str = "checked_add";
const SUBTRACT: &str = "checked_subtract";
const MULTIPLY: &str = "checked_multiply";
const NEGATIVE: &str = "checked_negative";
const NAMES: [&str; 4] = [ADD, SUBTRACT, MULTIPLY, NEGATIVE];

/// Runs after types are coerced, so that both sides have one type.
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
            if is_checked(op) && is_integer(&left, &right, schema) =>
        {
            let signature = Signature::any(2, Volatility::Immutable);
            let function = ScalarUDF::new_from_impl(Checked { op, signature });
            Transformed::yes(function.call(vec![*left, *right]))
        }
        Expr::Negative(number)
            if number.get_type(schema).is_ok_and(|found| found.is_signed_integer()) =>
        {
            let signature = Signature::any(1, Volatility::Immutable);
            Transformed::yes(ScalarUDF::new_from_impl(Negated { signature }).call(vec![*number]))
        }
        other => Transformed::no(other),
    }
}

fn is_checked(op: Operator) -> bool {
    matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply)
}

/// Whether a function is one of those that this rule brings.
pub(super) fn is_checked_function(name: &str) -> bool {
    NAMES.contains(&name)
}

fn is_integer(left: &Expr, right: &Expr, schema: &DFSchema) -> bool {
    left.get_type(schema).is_ok_and(|left| {
        left.is_integer() && right.get_type(schema).is_ok_and(|right| left == right)
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => ADD,
            Operator::Minus => SUBTRACT,
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
        Ok(types[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let data_type = args.arg_fields[0].data_type().clone();
        Ok(Arc::new(Field::new(self.name(), data_type, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return internal_err!("{} takes two", self.name());
        };
        match self.op {
            Operator::Plus => apply(left, right, add),
            Operator::Minus => apply(left, right, sub),
            _ => apply(left, right, mul),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Negated {
    signature: Signature,
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
