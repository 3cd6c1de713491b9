//! The Parquet schema of a table's files.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use iceberg::spec::{PrimitiveType, Schema, Type as IcebergType};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::LogicalType;
use parquet::schema::types::{SchemaDescriptor, Type};

use crate::{Error, ErrorKind, Result};

/// The schema that Arrow's types give, with field ids; uuids, which Arrow does not tell from other
/// values of 16 bytes, are marked as such.
pub(super) fn parquet_schema(schema: &Schema, arrow: &SchemaRef) -> Result<SchemaDescriptor> {
    let descriptor = ArrowSchemaConverter::new().schema_root("table").convert(arrow);
    let descriptor = descriptor.map_err(parquet_error)?;
    let root = mark_uuids(schema, descriptor.root_schema())?;
    Ok(SchemaDescriptor::new(Arc::new(root)))
}

fn mark_uuids(schema: &Schema, parquet: &Type) -> Result<Type> {
    let info = parquet.get_basic_info();
    let id = info.has_id().then(|| info.id());
    if parquet.is_primitive() {
        let field = id.and_then(|id| schema.field_by_id(id));
        let uuid = field.is_some_and(|field| {
            matches!(*field.field_type, IcebergType::Primitive(PrimitiveType::Uuid))
        });
        if !uuid {
            return Ok(parquet.clone());
        }
        return Type::primitive_type_builder(info.name(), parquet.get_physical_type())
            .with_repetition(info.repetition())
            .with_logical_type(Some(LogicalType::Uuid))
            .with_length(16)
            .with_id(id)
            .build()
            .map_err(parquet_error);
    }
    let fields = parquet.get_fields().iter();
    let fields = fields.map(|field| Ok(Arc::new(mark_uuids(schema, field)?)));
    let mut group = Type::group_type_builder(info.name())
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_fields(fields.collect::<Result<_>>()?)
        .with_id(id);
    if info.has_repetition() {
        group = group.with_repetition(info.repetition());
    }
    group.build().map_err(parquet_error)
}

fn parquet_error(error: parquet::errors::ParquetError) -> Error {
    Error::new(ErrorKind::Internal, "schema of a data file").with_source(error)
}
