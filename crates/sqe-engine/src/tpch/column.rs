//! A column of a generated table: its name, its type, and how rows become an array.
//!
//! The three are said in one place per column, so that a schema cannot drift from its data.

use std::{fmt::Write, sync::Arc};

use arrow::{
    array::{
        ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, StringViewArray,
        StringViewBuilder,
    },
    datatypes::{DataType, Field},
};
use tpchgen::{dates::TPCHDate, decimal::TPCHDecimal};

/// Precision and scale of every decimal of TPC-H.
const DECIMAL: DataType = DataType::Decimal128(15, 2);

/// Rows to an array, in the same order.
type Build<R> = Box<dyn Fn(&[R]) -> ArrayRef + Send>;

/// A column of rows of type `R`. No column of TPC-H is ever NULL.
pub(super) struct Column<R> {
    pub(super) field: Field,
    build: Build<R>,
}

impl<R> Column<R> {
    /// The values of `rows`.
    pub(super) fn build(&self, rows: &[R]) -> ArrayRef {
        (self.build)(rows)
    }
}

/// The columns of a table, added in their order.
pub(super) struct Columns<R>(pub(super) Vec<Column<R>>);

impl<R> Columns<R> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    fn add(
        mut self,
        name: &str,
        data_type: DataType,
        build: impl Fn(&[R]) -> ArrayRef + Send + 'static,
    ) -> Self {
        let field = Field::new(name, data_type, false);
        self.0.push(Column { field, build: Box::new(build) });
        self
    }

    pub(super) fn int64(self, name: &str, value: impl Fn(&R) -> i64 + Send + 'static) -> Self {
        self.add(name, DataType::Int64, move |rows| {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(&value)))
        })
    }

    pub(super) fn int32(self, name: &str, value: impl Fn(&R) -> i32 + Send + 'static) -> Self {
        self.add(name, DataType::Int32, move |rows| {
            Arc::new(Int32Array::from_iter_values(rows.iter().map(&value)))
        })
    }

    /// A decimal with two digits after the point.
    pub(super) fn decimal(
        self,
        name: &str,
        value: impl Fn(&R) -> TPCHDecimal + Send + 'static,
    ) -> Self {
        self.add(name, DECIMAL, move |rows| {
            let hundredths = rows.iter().map(|row| i128::from(value(row).into_inner()));
            Arc::new(Decimal128Array::from_iter_values(hundredths).with_data_type(DECIMAL))
        })
    }

    pub(super) fn date(self, name: &str, value: impl Fn(&R) -> TPCHDate + Send + 'static) -> Self {
        self.add(name, DataType::Date32, move |rows| {
            let days = rows.iter().map(|row| value(row).to_unix_epoch());
            Arc::new(Date32Array::from_iter_values(days))
        })
    }

    pub(super) fn text(self, name: &str, value: impl Fn(&R) -> &str + Send + 'static) -> Self {
        self.add(name, DataType::Utf8View, move |rows| {
            Arc::new(StringViewArray::from_iter_values(rows.iter().map(&value)))
        })
    }

    /// A text that the generator keeps in parts and only spells out when it is shown.
    pub(super) fn shown<D: std::fmt::Display>(
        self,
        name: &str,
        value: impl Fn(&R) -> &D + Send + 'static,
    ) -> Self {
        self.add(name, DataType::Utf8View, move |rows| {
            let mut builder = StringViewBuilder::with_capacity(rows.len());
            let mut text = String::new();
            for row in rows {
                text.clear();
                write!(text, "{}", value(row)).expect("writing to a string does not fail");
                builder.append_value(&text);
            }
            Arc::new(builder.finish())
        })
    }
}
