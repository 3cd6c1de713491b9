//! `CREATE TABLE name (columns) [PARTITIONED BY (..)] [TBLPROPERTIES|WITH (..)] [LOCATION '..']
//! [COMMENT '..'] [AS query]`, the parts after the columns in any order.

use sqlparser::ast::{ObjectName, Query};
use sqlparser::tokenizer::Token;

use super::{Cursor, SqlType, data_type};
use crate::{Error, ErrorKind, Result};

/// A table to create, as it was written.
#[derive(Debug, Clone)]
pub(crate) struct CreateTable {
    pub(crate) name: ObjectName,
    pub(crate) if_not_exists: bool,
    /// Empty where the columns are those of the query.
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) partitioned_by: Vec<PartitionField>,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) location: Option<String>,
    pub(crate) query: Option<Box<Query>>,
}

/// A column with its type.
#[derive(Debug, Clone)]
pub(crate) struct ColumnDef {
    pub(crate) name: sqlparser::ast::Ident,
    pub(crate) data_type: SqlType,
    pub(crate) not_null: bool,
    pub(crate) comment: Option<String>,
}

/// One field of a partition spec: `column`, or `transform(column)` with an optional number.
#[derive(Debug, Clone)]
pub(crate) struct PartitionField {
    /// Lower case; `identity` for a bare column.
    pub(crate) transform: String,
    /// The column; nested ones have several parts.
    pub(crate) column: ObjectName,
    /// The number of buckets or the width.
    pub(crate) parameter: Option<u64>,
    pub(crate) place: crate::Location,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<CreateTable> {
    let if_not_exists = cursor.words(&["IF", "NOT", "EXISTS"]);
    let name = cursor.object_name()?;
    let mut table = CreateTable {
        name,
        if_not_exists,
        columns: Vec::new(),
        partitioned_by: Vec::new(),
        properties: Vec::new(),
        location: None,
        query: None,
    };
    let columns_next = cursor.token(&Token::LParen);
    if columns_next {
        table.columns = columns(cursor)?;
    }
    while clause(cursor, &mut table)? {}
    take_location(&mut table)?;
    if table.columns.is_empty() && table.query.is_none() {
        return Err(cursor.expected("columns or AS query"));
    }
    Ok(table)
}

/// Trino writes the location among the properties. It is none: whoever may choose one is decided
/// where the clause is.
fn take_location(table: &mut CreateTable) -> Result<()> {
    let (locations, properties): (Vec<_>, _) = std::mem::take(&mut table.properties)
        .into_iter()
        .partition(|(key, _)| key.eq_ignore_ascii_case("location"));
    table.properties = properties;
    for (_, location) in locations {
        if table.location.replace(location).is_some() {
            let message = "the location of the table is given twice";
            return Err(Error::new(ErrorKind::InvalidStatement, message));
        }
    }
    Ok(())
}

fn columns(cursor: &mut Cursor<'_>) -> Result<Vec<ColumnDef>> {
    let mut columns = vec![column(cursor)?];
    while cursor.token(&Token::Comma) {
        columns.push(column(cursor)?);
    }
    cursor.expect_token(&Token::RParen)?;
    Ok(columns)
}

fn column(cursor: &mut Cursor<'_>) -> Result<ColumnDef> {
    let name = cursor.identifier()?;
    let data_type = data_type::parse(cursor)?;
    let (not_null, comment) = data_type::column_options(cursor)?;
    Ok(ColumnDef { name, data_type, not_null, comment })
}

/// Reads one clause after the columns; false where there is none.
fn clause(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<bool> {
    if cursor.words(&["PARTITIONED", "BY"]) {
        table.partitioned_by = cursor.parenthesized(partition_field)?;
    } else if cursor.words(&["TBLPROPERTIES"]) || cursor.words(&["WITH"]) {
        table.properties.extend(cursor.properties()?);
    } else if cursor.words(&["LOCATION"]) {
        table.location = Some(cursor.string()?);
    } else if cursor.words(&["COMMENT"]) {
        table.properties.push(("comment".to_owned(), cursor.string()?));
    } else if cursor.words(&["USING"]) {
        cursor.expect_word("ICEBERG")?;
    } else if cursor.words(&["AS"]) {
        table.query = Some(Box::new(cursor.query()?));
        return Ok(false);
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn partition_field(cursor: &mut Cursor<'_>) -> Result<PartitionField> {
    let place = cursor.location();
    let first = cursor.object_name()?;
    if !cursor.token(&Token::LParen) {
        let transform = "identity".to_owned();
        return Ok(PartitionField { transform, column: first, parameter: None, place });
    }
    let transform = first.to_string().to_ascii_lowercase();
    // Spark writes bucket(16, column), Trino bucket(column, 16); both are read.
    let (parameter, column) = if matches!(cursor.peek(0), Token::Number(..)) {
        let parameter = cursor.unsigned()?;
        cursor.expect_token(&Token::Comma)?;
        (Some(parameter), cursor.object_name()?)
    } else {
        let column = cursor.object_name()?;
        let parameter = match cursor.token(&Token::Comma) {
            true => Some(cursor.unsigned()?),
            false => None,
        };
        (parameter, column)
    };
    cursor.expect_token(&Token::RParen)?;
    Ok(PartitionField { transform, column, parameter, place })
}
