//! Bringing the rows of a query into the form of the table: columns by position, values cast.
//!
//! A cast that would lose a value is an error, never a null, and so is a null where the table
//! allows none.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, StructArray, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, FieldRef, SchemaRef, Time64MicrosecondType,
    TimeUnit, TimestampMicrosecondType,
};

use super::arrow_error;
use crate::{Error, ErrorKind, Result, uuid_text};

/// Casts batches of a query to the schema of a table.
#[derive(Debug, Clone)]
pub(super) struct Conform {
    target: SchemaRef,
}

impl Conform {
    /// Errors: `InvalidArgument` where the number of columns differs or a column of the query has
    /// a type that its column of the table cannot take.
    pub(super) fn try_new(target: SchemaRef, input: &SchemaRef) -> Result<Self> {
        let (expected, found) = (target.fields().len(), input.fields().len());
        if expected != found {
            return Err(Error::invalid(format!(
                "the table has {expected} columns, but {found} are written"
            )));
        }
        for (field, input) in target.fields().iter().zip(input.fields()) {
            if !castable(input.data_type(), field) {
                return Err(Error::invalid(format!(
                    "column {:?} of type {} cannot take values of type {}",
                    field.name(),
                    field.data_type(),
                    input.data_type()
                )));
            }
        }
        Ok(Self { target })
    }

    /// Errors: `InvalidArgument` that names the column, for a value that does not fit.
    pub(super) fn conform(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.target.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, column)| {
            let column = cast(column, field).map_err(|error| {
                let message = format!("column {:?}: {}", field.name(), error.message());
                Error::new(error.kind(), message)
            })?;
            check_nulls(field, &column, None).map_err(Error::invalid)?;
            Ok(column)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(Arc::clone(&self.target), columns).map_err(arrow_error)
    }
}

/// Uuids are the only values of 16 bytes that have a text form, and Arrow has no cast for it.
fn is_uuid_text(from: &DataType, to: &DataType) -> bool {
    use DataType::{LargeUtf8, Utf8, Utf8View};
    matches!(from, Utf8 | LargeUtf8 | Utf8View) && matches!(to, DataType::FixedSizeBinary(16))
}

fn castable(from: &DataType, to: &Field) -> bool {
    match (from, to.data_type()) {
        (DataType::Null, _) => true,
        (DataType::Struct(from), DataType::Struct(to)) => {
            let mut pairs = from.iter().zip(to);
            from.len() == to.len() && pairs.all(|(from, to)| castable(from.data_type(), to))
        }
        (
            DataType::List(from)
            | DataType::LargeList(from)
            | DataType::FixedSizeList(from, _)
            | DataType::ListView(from)
            | DataType::LargeListView(from),
            DataType::List(to),
        ) => castable(from.data_type(), to),
        (DataType::Map(from, _), DataType::Map(to, _)) => castable(from.data_type(), to),
        (from, to) if is_uuid_text(from, to) => true,
        (from, to) => from == to || !to.is_nested() && can_cast_types(from, to),
    }
}

fn cast(values: &ArrayRef, to: &Field) -> Result<ArrayRef> {
    let values = cast_type(values, to)?;
    match to.data_type() {
        DataType::Time64(TimeUnit::Microsecond) => check_times(&values).map(|()| values),
        DataType::Decimal128(digits, _) => check_digits(&values, *digits).map(|()| values),
        DataType::Date32 => {
            let days = values.as_primitive::<Date32Type>();
            let days = days.iter().flatten().map(i64::from);
            check_years(days, DAY_MICROSECONDS).map(|()| values)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = values.as_primitive::<TimestampMicrosecondType>();
            check_years(times.iter().flatten(), 1).map(|()| values)
        }
        _ => Ok(values),
    }
}

const DAY_MICROSECONDS: i64 = 86_400_000_000;

/// Other years have no common form, and most readers fail for them. `times` count steps of so many
/// microseconds since 1970.
fn check_years(mut times: impl Iterator<Item = i64>, step: i64) -> Result<()> {
    // From 0001-01-01 00:00:00 to before 10000-01-01 00:00:00.
    const YEARS: Range<i64> = -719_162 * DAY_MICROSECONDS..2_932_897 * DAY_MICROSECONDS;
    match times.all(|time| YEARS.contains(&time.saturating_mul(step))) {
        true => Ok(()),
        false => Err(Error::invalid("a point in time is not from the years 1 to 9999")),
    }
}

/// Arithmetic may leave numbers in a decimal that have more digits than its type.
fn check_digits(decimals: &ArrayRef, digits: u8) -> Result<()> {
    let checked = decimals.as_primitive::<Decimal128Type>().validate_decimal_precision(digits);
    checked.map_err(|_| Error::invalid(format!("a number has more than {digits} digits")))
}

/// Iceberg's day has no leap second, which Arrow reads from text.
fn check_times(times: &ArrayRef) -> Result<()> {
    let times = times.as_primitive::<Time64MicrosecondType>();
    match times.iter().flatten().find(|time| !(0..DAY_MICROSECONDS).contains(time)) {
        Some(_) => Err(Error::invalid("a time is from 00:00:00 to 23:59:59.999999")),
        None => Ok(()),
    }
}

fn cast_type(values: &ArrayRef, to: &Field) -> Result<ArrayRef> {
    if values.data_type() == to.data_type() {
        return Ok(Arc::clone(values));
    }
    match (values.data_type(), to.data_type()) {
        (DataType::Null, to) => Ok(new_null_array(to, values.len())),
        (DataType::Struct(_), DataType::Struct(_)) => Ok(Arc::new(cast_struct(values, to)?)),
        (DataType::Map(..), DataType::Map(entry, sorted)) => {
            let map = values.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let entries = cast_struct(&entries, entry)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            let map = MapArray::try_new(Arc::clone(entry), offsets, entries, nulls, *sorted);
            Ok(Arc::new(map.map_err(arrow_error)?))
        }
        (from, DataType::List(element)) if from.is_nested() => cast_list(values, element),
        (from, to) if is_uuid_text(from, to) => uuid_text::parse_array(values),
        (_, to) => strict_cast(values, to),
    }
}

fn strict_cast(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(values, to, &strict).map_err(arrow_error)
}

fn cast_struct(values: &ArrayRef, to: &Field) -> Result<StructArray> {
    let DataType::Struct(fields) = to.data_type() else {
        return Err(Error::new(ErrorKind::Internal, "a struct is cast to something else"));
    };
    let values = values.as_struct();
    let children = fields.iter().zip(values.columns()).map(|(field, child)| {
        let child = cast(child, field)?;
        check_nulls(field, &child, values.nulls()).map_err(Error::invalid)?;
        Ok(child)
    });
    let children = children.collect::<Result<Vec<_>>>()?;
    StructArray::try_new_with_length(
        fields.clone(),
        children,
        values.nulls().cloned(),
        values.len(),
    )
    .map_err(arrow_error)
}

fn cast_list(values: &ArrayRef, element: &FieldRef) -> Result<ArrayRef> {
    let (DataType::List(from)
    | DataType::LargeList(from)
    | DataType::FixedSizeList(from, _)
    | DataType::ListView(from)
    | DataType::LargeListView(from)) = values.data_type()
    else {
        return Err(Error::new(ErrorKind::Internal, "a list is cast from something else"));
    };
    let list = strict_cast(values, &DataType::List(Arc::clone(from)))?;
    let list = list.as_list::<i32>();
    let elements = cast(list.values(), element)?;
    if !element.is_nullable() {
        let null = |index| {
            let (start, end) = (list.value_offsets()[index], list.value_offsets()[index + 1]);
            elements.slice(start as usize, (end - start) as usize).logical_null_count() > 0
        };
        if elements.logical_null_count() > 0 && (0..list.len()).any(|i| list.is_valid(i) && null(i))
        {
            return Err(Error::invalid("an element of a list must not be null"));
        }
    }
    let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
    let list = ListArray::try_new(Arc::clone(element), offsets, elements, nulls);
    Ok(Arc::new(list.map_err(arrow_error)?))
}

/// A null of a required field counts only where its parent is not null itself.
fn check_nulls(
    field: &Field,
    values: &ArrayRef,
    parent: Option<&NullBuffer>,
) -> std::result::Result<(), String> {
    if field.is_nullable() {
        return Ok(());
    }
    let Some(nulls) = values.logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(());
    };
    match parent {
        Some(parent) if parent.contains(&nulls) => Ok(()),
        _ => Err(format!("column {:?} must not be null", field.name())),
    }
}
