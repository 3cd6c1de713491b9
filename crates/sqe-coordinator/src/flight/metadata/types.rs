//! SQL types: their names, what tools ask about them, and the description of columns.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_flight::sql::metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{CommandGetXdbcTypeInfo, Nullable, Searchable, XdbcDataType};
use sqe_engine::Result;

use super::defect;

/// `schema` with what drivers show about each column.
pub(super) fn with_column_metadata(
    schema: &Schema,
    catalog: &str,
    db_schema: &str,
    table: &str,
) -> Schema {
    let describe = |field: &Field| {
        let (precision, scale) = precision_and_scale(field.data_type());
        let known = [
            ("CATALOG_NAME", Some(catalog.to_owned())),
            ("DB_SCHEMA_NAME", Some(db_schema.to_owned())),
            ("TABLE_NAME", Some(table.to_owned())),
            ("TYPE_NAME", Some(type_name(field.data_type()))),
            ("PRECISION", precision.map(|n| n.to_string())),
            ("SCALE", scale.map(|n| n.to_string())),
            ("IS_AUTO_INCREMENT", Some("0".to_owned())),
            ("IS_SEARCHABLE", Some("1".to_owned())),
        ];
        let known = known
            .into_iter()
            .filter_map(|(key, value)| Some((format!("ARROW:FLIGHT:SQL:{key}"), value?)));
        let mut metadata: HashMap<String, String> = field.metadata().clone();
        metadata.extend(known);
        field.clone().with_metadata(metadata)
    };
    let fields: Vec<Field> = schema.fields().iter().map(|field| describe(field)).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

/// The name of a type in SQL.
fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INT",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "TINYINT UNSIGNED",
        DataType::UInt16 => "SMALLINT UNSIGNED",
        DataType::UInt32 => "INT UNSIGNED",
        DataType::UInt64 => "BIGINT UNSIGNED",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "VARBINARY",
        DataType::FixedSizeBinary(length) => return format!("BINARY({length})"),
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(_) | DataType::Time64(_) => "TIME",
        DataType::Timestamp(_, None) => "TIMESTAMP",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            return format!("DECIMAL({precision}, {scale})");
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            return format!("ARRAY<{}>", type_name(item.data_type()));
        }
        DataType::Struct(_) => "STRUCT",
        DataType::Map(_, _) => "MAP",
        DataType::Interval(_) => "INTERVAL",
        other => return other.to_string(),
    };
    name.to_owned()
}

/// Decimal digits in total and after the point; for times, of fractions of a second.
fn precision_and_scale(data_type: &DataType) -> (Option<i32>, Option<i32>) {
    match data_type {
        DataType::Int8 => (Some(3), Some(0)),
        DataType::Int16 => (Some(5), Some(0)),
        DataType::Int32 => (Some(10), Some(0)),
        DataType::Int64 => (Some(19), Some(0)),
        DataType::Float32 => (Some(7), None),
        DataType::Float64 => (Some(15), None),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            (Some(i32::from(*precision)), Some(i32::from(*scale)))
        }
        DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) => {
            (None, Some(fraction_digits(unit)))
        }
        _ => (None, None),
    }
}

fn fraction_digits(unit: &TimeUnit) -> i32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// The answer to `GetXdbcTypeInfo`.
pub(super) fn xdbc(command: CommandGetXdbcTypeInfo) -> Result<RecordBatch> {
    let types = xdbc_types().map_err(defect)?;
    command.into_builder(&types).build().map_err(defect)
}

/// The schema of `GetXdbcTypeInfo`.
pub(super) fn xdbc_schema() -> SchemaRef {
    XdbcTypeInfoDataBuilder::new().schema()
}

fn xdbc_types() -> Result<XdbcTypeInfoData, arrow_flight::error::FlightError> {
    use XdbcDataType as T;
    let quoted = Some("'");
    let binary = Some(2);
    let decimal = Some(10);
    // name, type, size, literal prefix, digits in base
    let types = [
        ("BOOLEAN", T::XdbcBit, 1, None, None),
        ("TINYINT", T::XdbcTinyint, 3, None, decimal),
        ("SMALLINT", T::XdbcSmallint, 5, None, decimal),
        ("INT", T::XdbcInteger, 10, None, decimal),
        ("BIGINT", T::XdbcBigint, 19, None, decimal),
        ("FLOAT", T::XdbcReal, 24, None, binary),
        ("DOUBLE", T::XdbcDouble, 53, None, binary),
        ("DECIMAL", T::XdbcDecimal, 38, None, decimal),
        ("VARCHAR", T::XdbcVarchar, i32::MAX, quoted, None),
        ("VARBINARY", T::XdbcVarbinary, i32::MAX, Some("X'"), None),
        ("DATE", T::XdbcDate, 10, Some("DATE '"), None),
        ("TIME", T::XdbcTime, 15, Some("TIME '"), None),
        ("TIMESTAMP", T::XdbcTimestamp, 29, Some("TIMESTAMP '"), None),
    ];
    let mut builder = XdbcTypeInfoDataBuilder::new();
    for (name, data_type, size, prefix, radix) in types {
        let numeric = radix.is_some();
        let scales = matches!(data_type, T::XdbcDecimal).then_some(38);
        builder.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type,
            column_size: Some(size),
            literal_prefix: prefix.map(str::to_owned),
            literal_suffix: prefix.and(quoted).map(str::to_owned),
            create_params: scales.map(|_| vec!["precision".to_owned(), "scale".to_owned()]),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: data_type == T::XdbcVarchar,
            searchable: Searchable::Full,
            unsigned_attribute: numeric.then_some(false),
            fixed_prec_scale: false,
            auto_increment: numeric.then_some(false),
            local_type_name: Some(name.to_owned()),
            minimum_scale: scales.map(|_| 0),
            maximum_scale: scales,
            sql_data_type: data_type,
            datetime_subcode: None,
            num_prec_radix: radix,
            interval_precision: None,
        });
    }
    builder.build()
}
