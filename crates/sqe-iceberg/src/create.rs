//! What a new table shall be, and its first metadata.

use std::collections::HashMap;

use iceberg::TableIdent;
use iceberg::spec::{
    FormatVersion, PrimitiveType, Schema, SortOrder, TableMetadata, TableMetadataBuilder,
    Transform, Type, UnboundPartitionField, UnboundPartitionSpec,
};

use crate::catalog::Catalog;
use crate::{Error, Result, Table, schema};

/// A table that does not exist yet.
#[derive(Debug, Clone)]
pub struct NewTable {
    /// Namespace and name.
    pub ident: TableIdent,
    /// Columns; field ids are assigned anew.
    pub schema: Schema,
    /// Partition fields in their order.
    pub partitioning: Vec<PartitionBy>,
    /// Table properties; `format-version` may be `1` or `2`, by default `2`.
    pub properties: HashMap<String, String>,
    /// Where its files go; by default the catalog decides.
    pub location: Option<String>,
}

/// One partition field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionBy {
    /// The source column, nested ones with dots.
    pub column: String,
    /// What is done to its values.
    pub transform: Transform,
}

impl NewTable {
    /// Whether a table can be made like that.
    /// Errors: `InvalidArgument` for a partition field that does not fit its column, `Unsupported`.
    pub fn check(&self) -> Result<()> {
        self.metadata("/".to_owned()).map(|_| ())
    }

    /// Creates the table without rows. Errors: `AlreadyExists`, `NotFound` for the namespace,
    /// `InvalidArgument` for a partition field that does not fit its column.
    pub async fn create(&self, catalog: &dyn Catalog) -> Result<()> {
        let staged = self.stage(catalog).await?;
        catalog.create_table(&self.ident, TableMetadata::clone(&staged.metadata)).await
    }

    /// Prepares the table; nobody sees it before it is created. Errors: as [`NewTable::create`].
    pub async fn stage(&self, catalog: &dyn Catalog) -> Result<Table> {
        let location = self.location.clone().unwrap_or_default();
        catalog.stage_table(&self.ident, self.metadata(location)?).await
    }

    /// The metadata of the table before its first snapshot.
    fn metadata(&self, location: String) -> Result<TableMetadata> {
        schema::to_arrow(&self.schema)?;
        let mut properties = self.properties.clone();
        let version = match properties.remove("format-version").as_deref() {
            None | Some("2") => FormatVersion::V2,
            Some("1") => FormatVersion::V1,
            Some(other) => {
                return Err(Error::unsupported(format!(
                    "format-version {other:?}: tables are created as version 1 or 2"
                )));
            }
        };
        let spec = partition_spec(&self.schema, &self.partitioning)?;
        let order = SortOrder::unsorted_order();
        let schema = self.schema.clone();
        let builder =
            TableMetadataBuilder::new(schema, spec, order, location, version, properties)?;
        Ok(builder.build()?.metadata)
    }
}

fn partition_spec(schema: &Schema, partitioning: &[PartitionBy]) -> Result<UnboundPartitionSpec> {
    let mut fields = Vec::with_capacity(partitioning.len());
    for PartitionBy { column, transform } in partitioning {
        let source = schema
            .field_by_name(column)
            .ok_or_else(|| Error::invalid(format!("partition column {column:?} does not exist")))?;
        transform.result_type(&source.field_type).map_err(|_| {
            let field_type = &source.field_type;
            Error::invalid(format!("{transform} cannot partition {column:?} of type {field_type}"))
        })?;
        // The library writes such values as text into manifests, and then cannot.
        let uuid = matches!(*source.field_type, Type::Primitive(PrimitiveType::Uuid));
        if uuid && *transform == Transform::Identity {
            return Err(Error::unsupported(format!(
                "partition field {column:?} of type uuid is not supported"
            )));
        }
        fields.push(UnboundPartitionField {
            source_id: source.id,
            field_id: None,
            name: partition_name(schema, column, *transform),
            transform: *transform,
        });
    }
    for (index, field) in fields.iter().enumerate() {
        if fields[..index].iter().any(|earlier| earlier.name == field.name) {
            return Err(Error::invalid(format!("partition field {:?} is given twice", field.name)));
        }
    }
    let builder = UnboundPartitionSpec::builder().add_partition_fields(fields)?;
    Ok(builder.build())
}

/// The names that Spark gives, so that tables look the same whoever made them.
fn partition_name(schema: &Schema, column: &str, transform: Transform) -> String {
    let name = match transform {
        Transform::Identity => return column.to_owned(),
        Transform::Bucket(_) => format!("{column}_bucket"),
        Transform::Truncate(_) => format!("{column}_trunc"),
        Transform::Void => format!("{column}_null"),
        other => format!("{column}_{other}"),
    };
    match schema.field_by_name(&name) {
        Some(_) => format!("{name}_partition"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};
    use iceberg::spec::NestedField;

    use super::*;

    fn new_table(column: &str, transform: Transform) -> NewTable {
        let columns = vec![
            Field::new("id", DataType::Int64, false),
            Field::new("at", DataType::Date32, true),
            Field::new("at_month", DataType::Utf8, true),
        ];
        NewTable {
            ident: TableIdent::from_strs(["s", "t"]).unwrap(),
            schema: schema::from_arrow(&arrow::datatypes::Schema::new(columns)).unwrap(),
            partitioning: vec![PartitionBy { column: column.into(), transform }],
            properties: HashMap::new(),
            location: None,
        }
    }

    #[test]
    fn partition_fields_are_named_as_spark_names_them() {
        let check = |column, transform, expected: &str| {
            let metadata = new_table(column, transform).metadata("/w/t".into()).unwrap();
            assert_eq!(metadata.default_partition_spec().fields()[0].name, expected);
        };
        check("id", Transform::Identity, "id");
        check("id", Transform::Bucket(16), "id_bucket");
        check("at", Transform::Year, "at_year");
        check("at", Transform::Month, "at_month_partition");
    }

    #[test]
    fn a_transform_must_fit_its_column() {
        let check = |column, transform, expected: &str| {
            let error = new_table(column, transform).metadata("/w/t".into()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check("id", Transform::Year, r#"year cannot partition "id" of type long"#);
        check("nope", Transform::Year, r#"partition column "nope" does not exist"#);
    }

    #[test]
    fn a_uuid_is_no_partition_but_may_be_hashed_into_one() {
        let check = |transform| {
            let uuid = NestedField::optional(1, "u", Type::Primitive(PrimitiveType::Uuid)).into();
            let schema = Schema::builder().with_fields([uuid]).build().unwrap();
            NewTable { schema, ..new_table("u", transform) }.check()
        };
        let error = check(Transform::Identity).unwrap_err();
        assert_eq!(error.to_string(), r#"partition field "u" of type uuid is not supported"#);
        check(Transform::Bucket(4)).unwrap();
    }
}
