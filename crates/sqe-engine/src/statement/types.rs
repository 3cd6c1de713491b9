//! SQL types as Iceberg types.

use std::sync::Arc;

use arrow::datatypes::Field;
use sqe_iceberg::spec::{
    ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, Schema, StructType, Type,
};
use sqlparser::ast::{BinaryLength, CharacterLength, DataType, ExactNumberInfo, TimezoneInfo};

use crate::parse::{ColumnDef, SqlType, StructField};
use crate::plan::ident_name;
use crate::{Error, ErrorKind, Result};

/// The schema of a table with these columns; ids are unique in it.
/// Errors: `Unsupported` for a type that Iceberg v2 has not, by its column.
pub(super) fn schema(columns: &[ColumnDef]) -> Result<Schema> {
    let mut ids = Ids(0);
    let mut fields: Vec<NestedFieldRef> = Vec::with_capacity(columns.len());
    for column in columns {
        let name = ident_name(&column.name);
        if fields.iter().any(|field| field.name == name) {
            let message = format!("column {name:?} is given twice");
            return Err(Error::new(ErrorKind::InvalidStatement, message));
        }
        let id = ids.next();
        let data_type = ids.data_type(&name, &column.data_type)?;
        let field = NestedField::new(id, name, data_type, column.not_null);
        fields.push(Arc::new(with_comment(field, column.comment.as_deref())));
    }
    let schema = Schema::builder().with_fields(fields).build();
    schema.map_err(|error| Error::new(ErrorKind::InvalidStatement, error.to_string()))
}

/// The last id that was given out.
struct Ids(i32);

impl Ids {
    fn next(&mut self) -> i32 {
        self.0 += 1;
        self.0
    }

    fn data_type(&mut self, column: &str, data_type: &SqlType) -> Result<Type> {
        Ok(match data_type {
            SqlType::Plain(plain) => Type::Primitive(primitive(column, plain)?),
            SqlType::List(element) => {
                let id = self.next();
                let element = self.data_type(column, element)?;
                Type::List(ListType::new(Arc::new(NestedField::list_element(id, element, false))))
            }
            SqlType::Map(key, value) => {
                let (key_id, value_id) = (self.next(), self.next());
                let key = NestedField::map_key_element(key_id, self.data_type(column, key)?);
                let value = self.data_type(column, value)?;
                let value = NestedField::map_value_element(value_id, value, false);
                Type::Map(MapType::new(Arc::new(key), Arc::new(value)))
            }
            SqlType::Struct(fields) => {
                let fields = fields.iter().map(|field| self.field(column, field));
                Type::Struct(StructType::new(fields.collect::<Result<_>>()?))
            }
        })
    }

    fn field(&mut self, column: &str, field: &StructField) -> Result<NestedFieldRef> {
        let id = self.next();
        let data_type = self.data_type(column, &field.data_type)?;
        let nested = NestedField::new(id, ident_name(&field.name), data_type, field.not_null);
        Ok(Arc::new(with_comment(nested, field.comment.as_deref())))
    }
}

fn with_comment(field: NestedField, comment: Option<&str>) -> NestedField {
    match comment {
        Some(comment) => field.with_doc(comment),
        None => field,
    }
}

fn primitive(column: &str, data_type: &DataType) -> Result<PrimitiveType> {
    use DataType as D;
    use PrimitiveType as P;
    Ok(match data_type {
        D::Boolean | D::Bool => P::Boolean,
        D::TinyInt(None) | D::SmallInt(None) | D::Int2(None) | D::Int16 => P::Int,
        D::Int(None) | D::Integer(None) | D::Int4(None) | D::Int32 => P::Int,
        D::BigInt(None) | D::Int8(None) | D::Int64 => P::Long,
        D::Float(ExactNumberInfo::None) | D::Real | D::Float4 | D::Float32 => P::Float,
        D::Double(ExactNumberInfo::None) | D::DoublePrecision | D::Float8 | D::Float64 => P::Double,
        D::Decimal(info) | D::Numeric(info) | D::Dec(info) => decimal(column, info)?,
        D::Date => P::Date,
        D::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            microseconds(column, data_type, *precision)?;
            P::Time
        }
        D::Timestamp(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
        | D::TimestampNtz(precision)
        | D::Datetime(precision) => {
            microseconds(column, data_type, *precision)?;
            P::Timestamp
        }
        D::Timestamp(precision, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => {
            microseconds(column, data_type, *precision)?;
            P::Timestamptz
        }
        D::Varchar(length) | D::CharVarying(length) | D::CharacterVarying(length) => {
            no_length(column, data_type, matches!(length, None | Some(CharacterLength::Max)))?;
            P::String
        }
        D::Text | D::String(None) | D::Char(None) => P::String,
        D::Uuid => P::Uuid,
        D::Binary(None) | D::Bytea | D::Blob(None) | D::Bytes(None) => P::Binary,
        D::Varbinary(None | Some(BinaryLength::Max)) => P::Binary,
        D::Binary(Some(length)) => P::Fixed(*length),
        D::Custom(name, arguments) => return custom(column, &name.to_string(), arguments),
        other => return Err(unknown(column, other)),
    })
}

/// Iceberg's own names where SQL has none.
fn custom(column: &str, name: &str, arguments: &[String]) -> Result<PrimitiveType> {
    match (name.to_ascii_lowercase().as_str(), arguments) {
        ("long", []) => Ok(PrimitiveType::Long),
        ("timestamptz" | "timestamp_ltz", []) => Ok(PrimitiveType::Timestamptz),
        ("fixed", [length]) => match length.parse() {
            Ok(length) if length > 0 => Ok(PrimitiveType::Fixed(length)),
            _ => Err(unknown(column, format!("fixed({length})"))),
        },
        _ => Err(unknown(column, name)),
    }
}

fn decimal(column: &str, info: &ExactNumberInfo) -> Result<PrimitiveType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (38, 10),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    match (u32::try_from(precision), u32::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
            Ok(PrimitiveType::Decimal { precision, scale })
        }
        _ => Err(Error::new(
            ErrorKind::InvalidStatement,
            format!(
                "column {column:?}: a decimal has a precision of 1 to 38 and a scale of at most \
                 that, not ({precision}, {scale})"
            ),
        )),
    }
}

fn microseconds(column: &str, data_type: &DataType, precision: Option<u64>) -> Result<()> {
    match precision {
        None | Some(6) => Ok(()),
        Some(_) => Err(unknown(column, data_type)
            .with_hint("Iceberg v2 keeps times to the microsecond: leave the precision out")),
    }
}

fn no_length(column: &str, data_type: &DataType, without: bool) -> Result<()> {
    match without {
        true => Ok(()),
        false => Err(unknown(column, data_type)
            .with_hint("Iceberg strings have no maximum length: use VARCHAR")),
    }
}

fn unknown(column: &str, data_type: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("column {column:?}: Iceberg v2 has no type for {data_type}"),
    )
}

/// The type of a column as `CREATE TABLE` reads it; one that no table can have as Arrow names it.
pub(super) fn column_type(column: &Field) -> String {
    let alone = arrow::datatypes::Schema::new(vec![column.clone()]);
    match sqe_iceberg::schema::from_arrow(&alone) {
        Ok(schema) => schema
            .as_struct()
            .fields()
            .first()
            .map_or(String::new(), |field| to_sql(&field.field_type)),
        Err(_) => column.data_type().to_string(),
    }
}

/// An Iceberg type as `CREATE TABLE` reads it.
pub(super) fn to_sql(data_type: &Type) -> String {
    match data_type {
        Type::Primitive(primitive) => primitive_to_sql(primitive),
        Type::List(list) => format!("ARRAY<{}>", to_sql(&list.element_field.field_type)),
        Type::Map(map) => {
            let (key, value) = (&map.key_field.field_type, &map.value_field.field_type);
            format!("MAP<{}, {}>", to_sql(key), to_sql(value))
        }
        Type::Struct(fields) => {
            let fields = fields.fields().iter().map(|field| {
                let required = if field.required { " NOT NULL" } else { "" };
                format!("{} {}{required}", quote_ident(&field.name), to_sql(&field.field_type))
            });
            format!("STRUCT<{}>", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

fn primitive_to_sql(primitive: &PrimitiveType) -> String {
    let name = match primitive {
        PrimitiveType::Boolean => "BOOLEAN",
        PrimitiveType::Int => "INTEGER",
        PrimitiveType::Long => "BIGINT",
        PrimitiveType::Float => "REAL",
        PrimitiveType::Double => "DOUBLE",
        PrimitiveType::Decimal { precision, scale } => {
            return format!("DECIMAL({precision}, {scale})");
        }
        PrimitiveType::Date => "DATE",
        PrimitiveType::Time => "TIME",
        PrimitiveType::Timestamp => "TIMESTAMP",
        PrimitiveType::Timestamptz => "TIMESTAMP WITH TIME ZONE",
        PrimitiveType::TimestampNs => "TIMESTAMP(9)",
        PrimitiveType::TimestamptzNs => "TIMESTAMP(9) WITH TIME ZONE",
        PrimitiveType::String => "VARCHAR",
        PrimitiveType::Uuid => "UUID",
        PrimitiveType::Fixed(length) => return format!("FIXED({length})"),
        PrimitiveType::Binary => "VARBINARY",
    };
    name.to_owned()
}

/// A name as it must be written to mean itself.
pub(super) fn quote_ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    match plain && !is_reserved(name) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Whether a word means something else than a name in some place of a statement.
fn is_reserved(name: &str) -> bool {
    use sqlparser::keywords as k;
    let Ok(index) = k::ALL_KEYWORDS.binary_search(&name.to_ascii_uppercase().as_str()) else {
        return false;
    };
    let word = k::ALL_KEYWORDS_INDEX[index];
    [k::RESERVED_FOR_IDENTIFIER, k::RESERVED_FOR_COLUMN_ALIAS, k::RESERVED_FOR_TABLE_ALIAS]
        .iter()
        .any(|reserved| reserved.contains(&word))
}
