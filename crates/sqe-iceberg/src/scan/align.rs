//! Arrays as a file has them to arrays as the table has them, nested ones by field id.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, StructArray, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Schema, Time64MicrosecondType, Time64NanosecondType,
    TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

use crate::Error;
use crate::schema::{field_id, field_without_ids, type_without_ids};

/// How a type of a file becomes a type of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    /// They are the same.
    None,
    /// By a cast that keeps all values and their order, so filters see through it.
    Cast,
    /// By [`align`].
    Align,
    /// Not at all.
    Impossible,
}

/// Promotions of the specification, and the several Arrow types that one Parquet type may be read
/// as. Both types have the ids of their fields.
pub(super) fn conversion(file: &DataType, table: &DataType) -> Conversion {
    use DataType as T;
    if file == table && !table.is_nested() {
        return Conversion::None;
    }
    let possible = |possible| {
        if possible { Conversion::Cast } else { Conversion::Impossible }
    };
    match (file, table) {
        (T::Dictionary(_, values), _) => match conversion(values, table) {
            Conversion::None | Conversion::Cast => Conversion::Cast,
            other => other,
        },
        (T::Int8 | T::Int16 | T::UInt8 | T::UInt16, T::Int32 | T::Int64) => Conversion::Cast,
        (T::Int32 | T::UInt32, T::Int64) | (T::Float32, T::Float64) => Conversion::Cast,
        (
            T::Decimal32(narrow, s1)
            | T::Decimal64(narrow, s1)
            | T::Decimal128(narrow, s1)
            | T::Decimal256(narrow, s1),
            T::Decimal128(wide, s2),
        ) => possible(narrow <= wide && s1 == s2),
        (
            T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView,
            T::Utf8 | T::Utf8View | T::Binary | T::BinaryView,
        ) => Conversion::Cast,
        (T::Time32(_) | T::Time64(_), T::Time64(TimeUnit::Microsecond))
        | (T::Timestamp(..), T::Timestamp(TimeUnit::Microsecond, _)) => Conversion::Align,
        (T::Struct(file), T::Struct(table)) => of_structs(file, table),
        (T::List(file) | T::LargeList(file) | T::FixedSizeList(file, _), T::List(table)) => {
            nested(conversion(file.data_type(), table.data_type()))
        }
        (T::Map(file, _), T::Map(table, _)) => match (file.data_type(), table.data_type()) {
            (T::Struct(file), T::Struct(table)) if file.len() == 2 && table.len() == 2 => {
                let key = conversion(file[0].data_type(), table[0].data_type());
                match nested(key) {
                    Conversion::Impossible => Conversion::Impossible,
                    _ => nested(conversion(file[1].data_type(), table[1].data_type())),
                }
            }
            _ => Conversion::Impossible,
        },
        _ => Conversion::Impossible,
    }
}

fn nested(inner: Conversion) -> Conversion {
    match inner {
        Conversion::Impossible => Conversion::Impossible,
        _ => Conversion::Align,
    }
}

fn of_structs(file: &Fields, table: &Fields) -> Conversion {
    let possible = table.iter().all(|wanted| match find(file, wanted) {
        Some(index) => {
            conversion(file[index].data_type(), wanted.data_type()) != Conversion::Impossible
        }
        None => wanted.is_nullable(),
    });
    if possible { Conversion::Align } else { Conversion::Impossible }
}

/// The position of the field that has the id of `wanted`.
fn find(fields: &Fields, wanted: &Field) -> Option<usize> {
    let id = field_id(wanted)?;
    fields.iter().position(|field| field_id(field) == Some(id))
}

/// `array` of a file as an array of the type of `table`, but without ids. Costs nothing per row
/// where no value changes. Errors: values that do not fit, nulls in required fields.
pub(super) fn align(array: &ArrayRef, table: &Field) -> Result<ArrayRef> {
    use DataType as T;
    let wanted = table.data_type();
    if array.data_type() == wanted && !wanted.is_nested() {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), wanted) {
        (T::Struct(fields), T::Struct(wanted)) => {
            let array = array.as_struct();
            let children = wanted.iter().map(|wanted| match find(fields, wanted) {
                Some(index) => align(array.column(index), wanted),
                None if wanted.is_nullable() => {
                    Ok(new_null_array(&type_without_ids(wanted.data_type()), array.len()))
                }
                None => {
                    let message = format!("required field {:?} is not in the file", wanted.name());
                    Err(Error::corrupt(message).into())
                }
            });
            let children = children.collect::<Result<Vec<_>>>()?;
            let (nulls, length) = (array.nulls().cloned(), array.len());
            let fields = wanted.iter().map(field_without_ids).collect();
            Ok(Arc::new(StructArray::try_new_with_length(fields, children, nulls, length)?))
        }
        (T::List(_), T::List(element)) => {
            let array = array.as_list::<i32>();
            let values = align(array.values(), element)?;
            let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
            let element = field_without_ids(element);
            Ok(Arc::new(ListArray::try_new(element, offsets, values, nulls)?))
        }
        (T::LargeList(element) | T::FixedSizeList(element, _), T::List(_)) => {
            align(&cast(array, &T::List(Arc::clone(element)))?, table)
        }
        (T::Map(..), T::Map(entries, sorted)) => {
            let T::Struct(fields) = entries.data_type() else {
                return cast(array, wanted);
            };
            let array = array.as_map();
            let columns =
                vec![align(array.keys(), &fields[0])?, align(array.values(), &fields[1])?];
            let fields = fields.iter().map(field_without_ids).collect();
            let pairs = StructArray::try_new(fields, columns, None)?;
            let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
            let entries = field_without_ids(entries);
            Ok(Arc::new(MapArray::try_new(entries, offsets, pairs, nulls, *sorted)?))
        }
        (T::Timestamp(unit, zone), T::Timestamp(TimeUnit::Microsecond, wanted)) => {
            // A file that does not say so has its moments in UTC all the same.
            let micros = match unit {
                TimeUnit::Nanosecond => {
                    let nanos = array.as_primitive::<TimestampNanosecondType>();
                    nanos.unary::<_, TimestampMicrosecondType>(|nanos| nanos.div_euclid(1000))
                }
                _ => {
                    let micros = T::Timestamp(TimeUnit::Microsecond, zone.clone());
                    cast(array, &micros)?.as_primitive::<TimestampMicrosecondType>().clone()
                }
            };
            Ok(Arc::new(micros.with_timezone_opt(wanted.clone())))
        }
        (T::Time64(TimeUnit::Nanosecond), T::Time64(TimeUnit::Microsecond)) => {
            let nanos = array.as_primitive::<Time64NanosecondType>();
            Ok(Arc::new(nanos.unary::<_, Time64MicrosecondType>(|nanos| nanos.div_euclid(1000))))
        }
        _ => cast(array, wanted),
    }
}

/// An error where a value does not fit, never a null.
fn cast(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    Ok(cast_with_options(array, wanted, &options)?)
}

/// [`align`] as an expression. Filters do not see through it, so nothing is pruned by what the
/// file says of the values before.
#[derive(Debug, Clone, Eq)]
pub(super) struct AlignExpr {
    expr: Arc<dyn PhysicalExpr>,
    table: FieldRef,
}

impl AlignExpr {
    pub(super) fn new(expr: Arc<dyn PhysicalExpr>, table: FieldRef) -> Self {
        Self { expr, table }
    }
}

impl PartialEq for AlignExpr {
    fn eq(&self, other: &Self) -> bool {
        self.expr.eq(&other.expr) && self.table == other.table
    }
}

impl Hash for AlignExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expr.hash(state);
        self.table.hash(state);
    }
}

impl fmt::Display for AlignExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "align({})", self.expr)
    }
}

impl PhysicalExpr for AlignExpr {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(type_without_ids(self.table.data_type()))
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.expr.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = self.expr.evaluate(batch)?.into_array(batch.num_rows())?;
        align(&array, &self.table).map(ColumnarValue::Array)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.expr]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(expr) = children.into_iter().next() else {
            return datafusion::common::internal_err!("align has one child");
        };
        Ok(Arc::new(Self { expr, table: Arc::clone(&self.table) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt_sql(f)
    }
}
