//! Splitting record batches by the values of partition fields.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::scalar::ScalarValue;
use iceberg::spec::{
    Literal, PartitionSpec, PrimitiveLiteral, PrimitiveType, Schema, Struct, Transform,
};

use super::arrow_error;
use super::columns::{ColumnPath, column, path_to};
use crate::transform::apply;
use crate::value::to_literal;
use crate::{Error, ErrorKind, Result};

/// Rows of one partition.
#[derive(Debug)]
pub(super) struct Group {
    /// Equal for equal partition values, in every batch of the same splitter.
    pub(super) key: Box<[u8]>,
    /// The partition values as manifests hold them.
    pub(super) partition: Struct,
    pub(super) rows: RecordBatch,
}

/// Splits batches of one schema.
#[derive(Debug)]
pub(super) struct Splitter {
    fields: Vec<PartitionColumn>,
    converter: RowConverter,
}

#[derive(Debug)]
struct PartitionColumn {
    path: ColumnPath,
    transform: Transform,
    result: PrimitiveType,
}

impl Splitter {
    /// `arrow`: the schema of the batches, which is that of `schema`. Errors: `Unsupported` for a
    /// source column that is gone or inside a list or a map.
    pub(super) fn try_new(
        spec: &PartitionSpec,
        schema: &Schema,
        arrow: &SchemaRef,
    ) -> Result<Self> {
        let partition_type = spec.partition_type(schema)?;
        let mut fields = Vec::new();
        let mut sort_fields = Vec::new();
        let empty = RecordBatch::new_empty(Arc::clone(arrow));
        for (field, result) in spec.fields().iter().zip(partition_type.fields()) {
            let path = path_to(schema, field.source_id);
            let result = result.field_type.as_primitive_type();
            let (Some(path), Some(result)) = (path, result) else {
                let name = &field.name;
                return Err(Error::unsupported(format!("partition field {name:?} has no column")));
            };
            let values = apply(field.transform, &column(&empty, &path)?)?;
            sort_fields.push(SortField::new(values.data_type().clone()));
            fields.push(PartitionColumn {
                path,
                transform: field.transform,
                result: result.clone(),
            });
        }
        Ok(Self { fields, converter: RowConverter::new(sort_fields).map_err(arrow_error)? })
    }

    /// The groups of `batch` whose key `admit` takes, in the order of their first rows, and the
    /// other rows as one batch with their keys as an additional last column; see [`with_key`].
    /// The rows of a group keep their order. `admit` is asked once for each key.
    pub(super) fn split(
        &self,
        batch: RecordBatch,
        mut admit: impl FnMut(&[u8]) -> bool,
    ) -> Result<(Vec<Group>, Option<RecordBatch>)> {
        if self.fields.is_empty() {
            let group = Group { key: Box::default(), partition: Struct::empty(), rows: batch };
            return Ok((vec![group], None));
        }
        let values = self.fields.iter().map(|f| apply(f.transform, &column(&batch, &f.path)?));
        let values = values.collect::<Result<Vec<ArrayRef>>>()?;
        let keys = self.converter.convert_columns(&values).map_err(arrow_error)?;
        let (mut groups, mut others) = (Vec::new(), Vec::new());
        for indices in group(&keys) {
            let first = indices[0] as usize;
            let key = keys.row(first).data();
            if !admit(key) {
                others.extend(indices);
                continue;
            }
            let partition = self.partition(&values, first)?;
            groups.push(Group { key: key.into(), partition, rows: take(&batch, indices)? });
        }
        if others.is_empty() {
            return Ok((groups, None));
        }
        let keys = BinaryArray::from_iter_values(keys.iter().map(|key| key.data()));
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(keys));
        let batch = RecordBatch::try_new(with_key(&batch.schema()), columns);
        Ok((groups, Some(take(&batch.map_err(arrow_error)?, others)?)))
    }

    fn partition(&self, values: &[ArrayRef], row: usize) -> Result<Struct> {
        let literals = self.fields.iter().zip(values).map(|(field, values)| {
            let value = ScalarValue::try_from_array(values, row).map_err(|error| {
                Error::new(ErrorKind::Internal, "partition value").with_source(error)
            })?;
            Ok(to_literal(&value).map(|literal| Literal::Primitive(field.restore(literal))))
        });
        literals.collect()
    }
}

impl PartitionColumn {
    /// Arrow has the same type for uuids and for other values of 16 bytes.
    fn restore(&self, literal: PrimitiveLiteral) -> PrimitiveLiteral {
        match (&self.result, literal) {
            (PrimitiveType::Uuid, PrimitiveLiteral::Binary(bytes)) => {
                match <[u8; 16]>::try_from(bytes) {
                    Ok(bytes) => PrimitiveLiteral::UInt128(u128::from_be_bytes(bytes)),
                    Err(bytes) => PrimitiveLiteral::Binary(bytes),
                }
            }
            (_, literal) => literal,
        }
    }
}

/// `schema` with a column of partition keys behind its own.
pub(super) fn with_key(schema: &SchemaRef) -> SchemaRef {
    let mut fields = schema.fields().to_vec();
    fields.push(Arc::new(Field::new("partition key", DataType::Binary, false)));
    Arc::new(arrow::datatypes::Schema::new(fields))
}

fn take(batch: &RecordBatch, indices: Vec<u32>) -> Result<RecordBatch> {
    if indices.len() == batch.num_rows() && indices.is_sorted() {
        return Ok(batch.clone());
    }
    take_record_batch(batch, &UInt32Array::from(indices)).map_err(arrow_error)
}

/// The indices of the rows of each distinct key.
fn group(keys: &Rows) -> Vec<Vec<u32>> {
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let mut by_key: HashMap<&[u8], usize> = HashMap::new();
    let mut last: Option<(&[u8], usize)> = None;
    for (index, key) in keys.iter().enumerate() {
        let key = key.data();
        let group = match last {
            // Rows of a partition often come together, which saves the hashing.
            Some((last, group)) if last == key => group,
            _ => *by_key.entry(key).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            }),
        };
        groups[group].push(index as u32);
        last = Some((key, group));
    }
    groups
}
