//! Finding nested columns in record batches, and counting their NaN values.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use iceberg::spec::{NestedFieldRef, Schema, Type};

use super::metrics::{Leaf, MetricsMode};
use crate::Result;

/// Where a column is: its index in the schema, then the indices in the structs below.
pub(super) type ColumnPath = Vec<usize>;

/// The way to the column with this id. `None` for one inside a list or a map.
pub(super) fn path_to(schema: &Schema, id: i32) -> Option<ColumnPath> {
    find(schema.as_struct().fields(), id)
}

fn find(fields: &[NestedFieldRef], id: i32) -> Option<ColumnPath> {
    fields.iter().enumerate().find_map(|(index, field)| {
        if field.id == id {
            return Some(vec![index]);
        }
        let Type::Struct(children) = field.field_type.as_ref() else {
            return None;
        };
        let mut path = find(children.fields(), id)?;
        path.insert(0, index);
        Some(path)
    })
}

/// The column at `path`; a value in a struct that is null is null.
pub(super) fn column(batch: &RecordBatch, path: &[usize]) -> Result<ArrayRef> {
    let mut column = std::sync::Arc::clone(batch.column(path[0]));
    for index in &path[1..] {
        let parent = column.as_struct();
        let child = parent.column(*index);
        let nulls = NullBuffer::union(parent.nulls(), child.nulls());
        let child = child.to_data().into_builder().nulls(nulls).build();
        column = make_array(child.map_err(super::arrow_error)?);
    }
    Ok(column)
}

/// Counts the NaN values of all columns of floats outside of lists and maps.
#[derive(Debug, Clone)]
pub(super) struct NanCounter {
    columns: Vec<(i32, ColumnPath, u64)>,
}

impl NanCounter {
    pub(super) fn new(schema: &Schema, leaves: &[Leaf]) -> Self {
        use iceberg::spec::PrimitiveType::{Double, Float};
        let floats = leaves.iter().filter(|leaf| {
            matches!(leaf.data_type, Float | Double) && leaf.mode != MetricsMode::None
        });
        let columns = floats.filter_map(|leaf| Some((leaf.id, path_to(schema, leaf.id)?, 0)));
        Self { columns: columns.collect() }
    }

    pub(super) fn count(&mut self, batch: &RecordBatch) -> Result<()> {
        for (_, path, count) in &mut self.columns {
            *count += nans(&column(batch, path)?);
        }
        Ok(())
    }

    pub(super) fn counts(&self) -> HashMap<i32, u64> {
        self.columns.iter().map(|(id, _, count)| (*id, *count)).collect()
    }
}

fn nans(values: &ArrayRef) -> u64 {
    let count = match values.data_type() {
        DataType::Float32 => {
            values.as_primitive::<Float32Type>().iter().flatten().filter(|v| v.is_nan()).count()
        }
        DataType::Float64 => {
            values.as_primitive::<Float64Type>().iter().flatten().filter(|v| v.is_nan()).count()
        }
        _ => 0,
    };
    count as u64
}
