//! Iceberg schemas to Arrow schemas and back.
//!
//! Strings and binaries of the top level are view types, which is what the Parquet reader fills
//! fastest; nested ones are plain, which is what it gives without being asked.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef, TimeUnit};
use iceberg::spec::{
    ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, Schema, StructType, Type,
};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use crate::{Error, Result};

/// The time zone of Arrow types that stand for `timestamptz`.
const UTC: &str = "UTC";
const EXTENSION_NAME: &str = "ARROW:extension:name";
const UUID_EXTENSION: &str = "arrow.uuid";

/// The Arrow schema of an Iceberg schema; each field carries its id as `PARQUET:field_id`.
/// Errors: `Unsupported` for a type of a newer version of the format.
pub fn to_arrow(schema: &Schema) -> Result<SchemaRef> {
    let fields = schema.as_struct().fields().iter();
    let fields = fields.map(|field| arrow_field(field, true)).collect::<Result<Fields>>()?;
    Ok(Arc::new(arrow::datatypes::Schema::new(fields)))
}

/// The same schema with ids of the columns only, not of what is nested in them. There they would be
/// part of the type, and expressions that compare types would find no two alike.
pub fn without_nested_ids(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = type_without_ids(field.data_type());
        Arc::new(Field::clone(field).with_data_type(data_type))
    });
    Arc::new(arrow::datatypes::Schema::new(fields.collect::<Fields>()))
}

/// The same type without ids.
pub(crate) fn type_without_ids(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(field_without_ids).collect())
        }
        DataType::List(element) => DataType::List(field_without_ids(element)),
        DataType::Map(entries, sorted) => DataType::Map(field_without_ids(entries), *sorted),
        other => other.clone(),
    }
}

/// The same field without ids.
pub(crate) fn field_without_ids(field: &FieldRef) -> FieldRef {
    let data_type = type_without_ids(field.data_type());
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

/// The id of an Arrow field, where it has one.
pub fn field_id(field: &Field) -> Option<i32> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

/// What tells a uuid from other sixteen bytes: Arrow's canonical extension type `arrow.uuid`.
pub fn uuid_metadata() -> HashMap<String, String> {
    HashMap::from([(EXTENSION_NAME.to_owned(), UUID_EXTENSION.to_owned())])
}

fn is_uuid(field: &Field) -> bool {
    *field.data_type() == DataType::FixedSizeBinary(16)
        && field.metadata().get(EXTENSION_NAME).is_some_and(|name| name == UUID_EXTENSION)
}

fn arrow_field(field: &NestedFieldRef, top: bool) -> Result<FieldRef> {
    named_arrow_field(field, &field.name, top)
}

fn named_arrow_field(field: &NestedFieldRef, name: &str, top: bool) -> Result<FieldRef> {
    let data_type = arrow_type(field, top)?;
    let mut metadata =
        HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), field.id.to_string())]);
    if matches!(*field.field_type, Type::Primitive(PrimitiveType::Uuid)) {
        metadata.extend(uuid_metadata());
    }
    Ok(Arc::new(Field::new(name, data_type, !field.required).with_metadata(metadata)))
}

fn arrow_type(field: &NestedFieldRef, top: bool) -> Result<DataType> {
    Ok(match field.field_type.as_ref() {
        Type::Primitive(primitive) => primitive_to_arrow(primitive, top)
            .ok_or_else(|| unsupported_type(&field.name, primitive))?,
        Type::Struct(fields) => {
            let fields = fields.fields().iter().map(|field| arrow_field(field, false));
            DataType::Struct(fields.collect::<Result<_>>()?)
        }
        Type::List(list) => {
            DataType::List(named_arrow_field(&list.element_field, "element", false)?)
        }
        Type::Map(map) => {
            let entry = Fields::from(vec![
                named_arrow_field(&map.key_field, "key", false)?,
                named_arrow_field(&map.value_field, "value", false)?,
            ]);
            let entries = Field::new("key_value", DataType::Struct(entry), false);
            DataType::Map(Arc::new(entries), false)
        }
    })
}

fn primitive_to_arrow(primitive: &PrimitiveType, top: bool) -> Option<DataType> {
    Some(match primitive {
        PrimitiveType::Boolean => DataType::Boolean,
        PrimitiveType::Int => DataType::Int32,
        PrimitiveType::Long => DataType::Int64,
        PrimitiveType::Float => DataType::Float32,
        PrimitiveType::Double => DataType::Float64,
        PrimitiveType::Decimal { precision, scale } => {
            DataType::Decimal128(u8::try_from(*precision).ok()?, i8::try_from(*scale).ok()?)
        }
        PrimitiveType::Date => DataType::Date32,
        PrimitiveType::Time => DataType::Time64(TimeUnit::Microsecond),
        PrimitiveType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        PrimitiveType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        PrimitiveType::String if top => DataType::Utf8View,
        PrimitiveType::String => DataType::Utf8,
        PrimitiveType::Uuid => DataType::FixedSizeBinary(16),
        PrimitiveType::Fixed(length) => DataType::FixedSizeBinary(i32::try_from(*length).ok()?),
        PrimitiveType::Binary if top => DataType::BinaryView,
        PrimitiveType::Binary => DataType::Binary,
        PrimitiveType::TimestampNs | PrimitiveType::TimestamptzNs => return None,
    })
}

fn unsupported_type(column: &str, primitive: &PrimitiveType) -> Error {
    Error::unsupported(format!("column {column:?} has the type {primitive}, which is not built"))
}

/// The Iceberg schema that can hold rows of an Arrow schema, with fresh field ids from 1.
///
/// Fractions of seconds are kept to the microsecond, which is what Iceberg v2 can hold.
/// Errors: `Unsupported` for a type that Iceberg v2 cannot hold, by column name.
pub fn from_arrow(schema: &arrow::datatypes::Schema) -> Result<Schema> {
    let mut ids = Ids(schema.fields().len() as i32);
    let fields = schema.fields().iter().zip(1..);
    let fields = fields.map(|(field, id)| ids.field(field, id)).collect::<Result<Vec<_>>>()?;
    Ok(Schema::builder().with_fields(fields).build()?)
}

/// The last id that was given out.
struct Ids(i32);

impl Ids {
    fn field(&mut self, field: &Field, id: i32) -> Result<NestedFieldRef> {
        let field_type = self.field_type(field)?;
        Ok(Arc::new(NestedField::new(id, field.name(), field_type, !field.is_nullable())))
    }

    fn next(&mut self) -> i32 {
        self.0 += 1;
        self.0
    }

    fn field_type(&mut self, field: &Field) -> Result<Type> {
        Ok(match field.data_type() {
            DataType::Struct(fields) => {
                let fields = fields.iter().map(|field| (self.next(), field)).collect::<Vec<_>>();
                let fields = fields.into_iter().map(|(id, field)| self.field(field, id));
                Type::Struct(StructType::new(fields.collect::<Result<_>>()?))
            }
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::ListView(element)
            | DataType::LargeListView(element)
            | DataType::FixedSizeList(element, _) => {
                let id = self.next();
                let element_type = self.field_type(element)?;
                let element = NestedField::list_element(id, element_type, !element.is_nullable());
                Type::List(ListType::new(Arc::new(element)))
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(entry) = entries.data_type() else {
                    return Err(self.refuse(field));
                };
                let (key_id, value_id) = (self.next(), self.next());
                let key = NestedField::map_key_element(key_id, self.field_type(&entry[0])?);
                let value_type = self.field_type(&entry[1])?;
                let value =
                    NestedField::map_value_element(value_id, value_type, !entry[1].is_nullable());
                Type::Map(MapType::new(Arc::new(key), Arc::new(value)))
            }
            DataType::Dictionary(_, values) => {
                let plain = Field::new(field.name(), values.as_ref().clone(), field.is_nullable());
                self.field_type(&plain)?
            }
            _ if is_uuid(field) => Type::Primitive(PrimitiveType::Uuid),
            other => match primitive_from_arrow(other) {
                Some(primitive) => Type::Primitive(primitive),
                None => return Err(self.refuse(field)),
            },
        })
    }

    fn refuse(&self, field: &Field) -> Error {
        let (name, data_type) = (field.name(), field.data_type());
        if data_type.is_null() {
            return Error::invalid(format!("column {name:?} has no type; cast its NULL to one"));
        }
        Error::unsupported(format!("column {name:?}: Iceberg v2 has no type for {data_type}"))
    }
}

fn primitive_from_arrow(data_type: &DataType) -> Option<PrimitiveType> {
    Some(match data_type {
        DataType::Boolean => PrimitiveType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            PrimitiveType::Int
        }
        DataType::Int64 | DataType::UInt32 => PrimitiveType::Long,
        DataType::UInt64 => PrimitiveType::Decimal { precision: 20, scale: 0 },
        DataType::Float16 | DataType::Float32 => PrimitiveType::Float,
        DataType::Float64 => PrimitiveType::Double,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale)
            if *precision <= 38 =>
        {
            let scale = u32::try_from(*scale).ok()?;
            PrimitiveType::Decimal { precision: u32::from(*precision), scale }
        }
        DataType::Date32 | DataType::Date64 => PrimitiveType::Date,
        DataType::Time32(_) | DataType::Time64(_) => PrimitiveType::Time,
        DataType::Timestamp(_, None) => PrimitiveType::Timestamp,
        DataType::Timestamp(_, Some(_)) => PrimitiveType::Timestamptz,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => PrimitiveType::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => PrimitiveType::Binary,
        DataType::FixedSizeBinary(length) => PrimitiveType::Fixed(u64::try_from(*length).ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(data_type: DataType) -> DataType {
        let schema = arrow::datatypes::Schema::new(vec![Field::new("c", data_type, true)]);
        let iceberg = from_arrow(&schema).unwrap();
        to_arrow(&iceberg).unwrap().field(0).data_type().clone()
    }

    #[test]
    fn primitives_widen_to_what_iceberg_has() {
        let check = |from, to| assert_eq!(round_trip(from), to);
        check(DataType::Int8, DataType::Int32);
        check(DataType::UInt32, DataType::Int64);
        check(DataType::UInt64, DataType::Decimal128(20, 0));
        check(DataType::Utf8, DataType::Utf8View);
        check(
            DataType::Timestamp(TimeUnit::Nanosecond, Some("+01:00".into())),
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        );
    }

    #[test]
    fn nested_fields_carry_ids_of_their_own() {
        let inner = Field::new("x", DataType::Int32, true);
        let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
        let schema = arrow::datatypes::Schema::new(vec![
            Field::new("s", DataType::Struct(vec![inner].into()), true),
            Field::new("l", list, false),
        ]);
        let arrow = to_arrow(&from_arrow(&schema).unwrap()).unwrap();
        let DataType::Struct(fields) = arrow.field(0).data_type() else { panic!("a struct") };
        let DataType::List(element) = arrow.field(1).data_type() else { panic!("a list") };
        let ids = [arrow.field(0), arrow.field(1), &fields[0], element].map(field_id);
        assert_eq!(ids, [Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!(element.name(), "element");
    }

    #[test]
    fn what_iceberg_cannot_hold_is_refused_by_column() {
        let check = |data_type, expected: &str| {
            let schema = arrow::datatypes::Schema::new(vec![Field::new("c", data_type, true)]);
            assert_eq!(from_arrow(&schema).unwrap_err().to_string(), expected);
        };
        check(DataType::Null, r#"column "c" has no type; cast its NULL to one"#);
        check(
            DataType::Duration(TimeUnit::Second),
            r#"column "c": Iceberg v2 has no type for Duration(s)"#,
        );
    }
}
