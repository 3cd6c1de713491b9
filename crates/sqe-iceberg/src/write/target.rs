//! What all writers of one statement share: the schema, the partitioning, the place.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use iceberg::spec::{
    FormatVersion, PartitionSpec, PartitionSpecRef, PrimitiveType, Schema, StructType,
    TableMetadata, Transform, Type, UnboundPartitionField, UnboundPartitionSpec,
};
use parquet::schema::types::SchemaDescriptor;

use super::cleanup::Files;
use super::columns::NanCounter;
use super::options::WriteOptions;
use super::parquet_schema::parquet_schema;
use crate::{Error, Result, schema};

/// The table as a statement writes it, however it may change meanwhile.
pub(super) struct Target {
    pub(super) schema: iceberg::spec::SchemaRef,
    pub(super) arrow: SchemaRef,
    pub(super) parquet: SchemaDescriptor,
    pub(super) spec: PartitionSpecRef,
    /// The same with names that Avro takes, for manifests. Readers know the fields by id.
    pub(super) manifest_spec: PartitionSpec,
    pub(super) partition_type: StructType,
    pub(super) options: WriteOptions,
    pub(super) nans: NanCounter,
    pub(super) files: Files,
}

impl Target {
    /// Errors: `Unsupported` for a table of a version or with columns that are not built,
    /// `InvalidArgument` for a table property that cannot be understood.
    pub(super) fn new(metadata: &TableMetadata, files: Files) -> Result<Self> {
        if metadata.format_version() == FormatVersion::V3 {
            return Err(Error::unsupported("writing into a table of format version 3"));
        }
        let schema = metadata.current_schema();
        let spec = Arc::clone(metadata.default_partition_spec());
        let partition_type = metadata.default_partition_type().clone();
        for (field, result) in spec.fields().iter().zip(partition_type.fields()) {
            // The library writes them as text into manifests, and then cannot.
            let uuid = matches!(*result.field_type, Type::Primitive(PrimitiveType::Uuid));
            if uuid && field.transform != Transform::Void {
                let name = &field.name;
                return Err(Error::unsupported(format!("partition field {name:?} of type uuid")));
            }
        }
        let arrow = schema::to_arrow(schema)?;
        let options = WriteOptions::of(metadata)?;
        Ok(Self {
            parquet: parquet_schema(schema, &arrow)?,
            arrow,
            manifest_spec: avro_spec(&spec, schema)?,
            spec,
            partition_type,
            nans: NanCounter::new(schema, &options.leaves),
            schema: Arc::clone(schema),
            options,
            files,
        })
    }
}

fn avro_spec(spec: &PartitionSpec, schema: &Arc<Schema>) -> Result<PartitionSpec> {
    if spec.fields().iter().all(|field| field.name == avro_name(&field.name)) {
        return Ok(spec.clone());
    }
    let fields = spec.fields().iter().map(|field| UnboundPartitionField {
        source_id: field.source_id,
        field_id: Some(field.field_id),
        name: avro_name(&field.name),
        transform: field.transform,
    });
    let renamed = UnboundPartitionSpec::builder()
        .with_spec_id(spec.spec_id())
        .add_partition_fields(fields)?
        .build();
    Ok(renamed.bind(Arc::clone(schema))?)
}

/// A name that Avro takes: letters, digits and underscores of ASCII, no digit first. Other
/// characters are escaped as other implementations do it.
fn avro_name(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for unit in name.encode_utf16() {
        match u8::try_from(unit).map(char::from) {
            Ok(letter) if letter.is_ascii_alphabetic() || letter == '_' => safe.push(letter),
            Ok(digit) if digit.is_ascii_digit() => {
                if safe.is_empty() {
                    safe.push('_');
                }
                safe.push(digit);
            }
            _ => safe.push_str(&format!("_x{unit:X}")),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_for_avro() {
        let check = |name, expected| assert_eq!(avro_name(name), expected);
        check("a_1", "a_1");
        check("1a", "_1a");
        check("a b", "a_x20b");
        check("ä", "_xE4");
    }
}
