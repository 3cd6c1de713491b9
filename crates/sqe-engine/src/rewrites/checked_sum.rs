//! Sums of whole numbers and decimals fail where the result does not fit. DataFusion's wrap around
//! to another number.
//!
//! The sum is made in a wider type, so that no order of the rows fails where another does not; only
//! the result must fit.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, UInt64Type};
use arrow::util::display::array_value_to_string;
use datafusion::common::Result;
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature,
};
use datafusion::scalar::ScalarValue;

use crate::{Error, ErrorKind};

/// So many digits are left for sums of this width that no number of rows fills them.
const DIGITS_THAT_SUFFICE: u8 = 28;

/// DataFusion's `sum`, over wider numbers where it could wrap around.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct CheckedSum {
    sum: Sum,
}

/// The type in which numbers are added whose sum has the type `sum`; `None` where that cannot wrap.
fn wide(input: &DataType, sum: &DataType) -> Option<DataType> {
    match (input, sum) {
        (_, DataType::Int64 | DataType::UInt64) => Some(DataType::Decimal128(38, 0)),
        (DataType::Decimal128(digits, _), DataType::Decimal128(_, scale))
            if *digits > DIGITS_THAT_SUFFICE =>
        {
            Some(DataType::Decimal256(76, *scale))
        }
        _ => None,
    }
}

fn retyped(field: &FieldRef, data_type: &DataType) -> FieldRef {
    Arc::new(Field::new(field.name(), data_type.clone(), field.is_nullable()))
}

/// Calls `make` with the arguments of the wider sum, or as they are where none is needed.
fn widened<T: ?Sized>(
    args: AccumulatorArgs<'_>,
    make: impl FnOnce(AccumulatorArgs<'_>) -> Result<Box<T>>,
    wrap: impl FnOnce(Widths, Box<T>) -> Box<T>,
) -> Result<Box<T>> {
    let Some(wide) = wide(args.expr_fields[0].data_type(), args.return_type()) else {
        return make(args);
    };
    let narrow = args.return_type().clone();
    let return_field = retyped(&args.return_field, &wide);
    let inputs: Vec<FieldRef> =
        args.expr_fields.iter().map(|field| retyped(field, &wide)).collect();
    let inner = make(AccumulatorArgs { return_field, expr_fields: &inputs, ..args })?;
    Ok(wrap(Widths { wide, narrow }, inner))
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.sum.name()
    }

    fn signature(&self) -> &Signature {
        self.sum.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.sum.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let make = |args: AccumulatorArgs<'_>| self.sum.accumulator(args);
        widened(args, make, |widths, inner| Box::new(Wide { widths, inner }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let Some(wide) = wide(args.input_fields[0].data_type(), args.return_type()) else {
            return self.sum.state_fields(args);
        };
        let return_field = retyped(&args.return_field, &wide);
        self.sum.state_fields(StateFieldsArgs { return_field, ..args })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.sum.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let make = |args: AccumulatorArgs<'_>| self.sum.create_groups_accumulator(args);
        widened(args, make, |widths, inner| Box::new(WideGroups { widths, inner }))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            // Exists for BIGINT alone.
            return self.sum.create_sliding_accumulator(args);
        }
        let make = |args: AccumulatorArgs<'_>| self.sum.create_sliding_accumulator(args);
        widened(args, make, |widths, inner| Box::new(Wide { widths, inner }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.sum.reverse_expr()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.sum.order_sensitivity()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.sum.set_monotonicity(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.sum.documentation()
    }
}

/// The types of a sum that is made in a wider one.
#[derive(Debug)]
struct Widths {
    wide: DataType,
    narrow: DataType,
}

const STRICT: CastOptions<'_> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

impl Widths {
    fn widen(&self, values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let widen = |values: &ArrayRef| -> Result<ArrayRef> {
            let whole = |numbers: Decimal128Array| -> Result<ArrayRef> {
                Ok(Arc::new(numbers.with_precision_and_scale(38, 0)?))
            };
            match values.data_type() {
                DataType::Int64 => whole(values.as_primitive::<Int64Type>().unary(i128::from)),
                DataType::UInt64 => whole(values.as_primitive::<UInt64Type>().unary(i128::from)),
                _ => Ok(cast_with_options(values, &self.wide, &STRICT)?),
            }
        };
        values.iter().map(widen).collect()
    }

    /// Errors: `Execution` where a sum does not fit.
    fn narrow(&self, sums: &ArrayRef) -> Result<ArrayRef> {
        cast_with_options(sums, &self.narrow, &STRICT).map_err(|_| self.does_not_fit(sums))
    }

    fn does_not_fit(&self, sums: &ArrayRef) -> datafusion::error::DataFusionError {
        let fits =
            |row: usize| cast_with_options(&sums.slice(row, 1), &self.narrow, &STRICT).is_ok();
        let sum = (0..sums.len())
            .find(|row| !fits(*row))
            .and_then(|row| array_value_to_string(sums, row).ok())
            .unwrap_or_else(|| "the sum".to_owned());
        let (data_type, hint) = match &self.narrow {
            DataType::Int64 | DataType::UInt64 => {
                ("BIGINT".to_owned(), "sum(CAST(.. AS DECIMAL(38, 0))) holds more digits")
            }
            DataType::Decimal128(digits, scale) => {
                (format!("DECIMAL({digits}, {scale})"), "sum(CAST(.. AS DOUBLE)) is less exact")
            }
            other => (other.to_string(), "sum a smaller type"),
        };
        let message = format!("sum(): {sum} does not fit into {data_type}");
        Error::new(ErrorKind::Execution, message).with_hint(hint).into()
    }
}

#[derive(Debug)]
struct Wide {
    widths: Widths,
    inner: Box<dyn Accumulator>,
}

impl Accumulator for Wide {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&self.widths.widen(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&self.widths.narrow(&sum)?, 0)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(&self.widths.widen(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

struct WideGroups {
    widths: Widths,
    inner: Box<dyn GroupsAccumulator>,
}

impl GroupsAccumulator for WideGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.inner.update_batch(&self.widths.widen(values)?, groups, filter, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.widths.narrow(&self.inner.evaluate(emit)?)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.inner.merge_batch(states, groups, total)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&self.widths.widen(values)?, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}
