//! Statistics of files for the optimizer.
//!
//! Rows and nulls are exact. Smallest and largest values never are: Iceberg's are bounds, and the
//! reader takes a column whose exact bounds are equal for a constant.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use iceberg::spec::{TableMetadata, Type};

use super::bounds::{Bounds, ColumnType};
use super::data_file::DataFile;
use crate::schema::field_id;

/// Sums over files.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) records: u64,
    pub(crate) size_bytes: u64,
}

impl Totals {
    pub(crate) fn of<'a>(files: impl IntoIterator<Item = &'a DataFile>) -> Self {
        files.into_iter().fold(Self::default(), |totals, file| Self {
            records: totals.records + file.records,
            size_bytes: totals.size_bytes + file.size_bytes,
        })
    }
}

/// The statistics of one file, see [`column_types`].
pub(crate) fn file_statistics(file: &DataFile, columns: &[Option<ColumnType>]) -> Statistics {
    Statistics {
        num_rows: exact(file.records),
        total_byte_size: inexact(file.size_bytes),
        column_statistics: columns.iter().map(|column| of_column(file, column.as_ref())).collect(),
    }
}

/// The statistics of several files together.
pub(crate) fn table_statistics(
    files: &[Arc<DataFile>],
    columns: &[Option<ColumnType>],
) -> Statistics {
    let totals = Totals::of(files.iter().map(|file| &**file));
    let of_all = columns.iter().map(|column| {
        let mut files = files.iter().map(|file| of_column(file, column.as_ref()));
        let first = files.next().unwrap_or_default();
        files.fold(first, merge)
    });
    Statistics {
        num_rows: exact(totals.records),
        total_byte_size: inexact(totals.size_bytes),
        column_statistics: of_all.collect(),
    }
}

/// The columns of `schema` that can have statistics, by position.
pub(crate) fn column_types(
    schema: &SchemaRef,
    metadata: &TableMetadata,
) -> Vec<Option<ColumnType>> {
    let columns = schema.fields().iter().map(|field| {
        let field_id = field_id(field)?;
        let of_table = metadata.current_schema().field_by_id(field_id)?;
        let Type::Primitive(iceberg) = of_table.field_type.as_ref() else {
            return None;
        };
        let arrow = field.data_type().clone();
        Some(ColumnType { field_id, iceberg: iceberg.clone(), arrow })
    });
    columns.collect()
}

fn of_column(file: &DataFile, column: Option<&ColumnType>) -> ColumnStatistics {
    let Some(column) = column else {
        return ColumnStatistics::new_unknown();
    };
    let bounds = Bounds::of_metrics(file, column);
    // In memory, where every value has the same width; else what is known of the file.
    let size = match column.arrow.primitive_width() {
        Some(width) => Some(file.records.saturating_mul(width as u64)),
        None => file.column(column.field_id).and_then(|metrics| metrics.size_bytes),
    };
    ColumnStatistics {
        null_count: bounds.nulls.map_or(Precision::Absent, exact),
        min_value: bounds.lower.map_or(Precision::Absent, Precision::Inexact),
        max_value: bounds.upper.map_or(Precision::Absent, Precision::Inexact),
        byte_size: size.map_or(Precision::Absent, inexact),
        ..ColumnStatistics::new_unknown()
    }
}

fn merge(a: ColumnStatistics, b: ColumnStatistics) -> ColumnStatistics {
    ColumnStatistics {
        null_count: a.null_count.add(&b.null_count),
        min_value: a.min_value.min(&b.min_value),
        max_value: a.max_value.max(&b.max_value),
        byte_size: a.byte_size.add(&b.byte_size),
        ..ColumnStatistics::new_unknown()
    }
}

fn exact(value: u64) -> Precision<usize> {
    usize::try_from(value).map_or(Precision::Absent, Precision::Exact)
}

fn inexact(value: u64) -> Precision<usize> {
    usize::try_from(value).map_or(Precision::Absent, Precision::Inexact)
}
