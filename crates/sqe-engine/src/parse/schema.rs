//! `CREATE SCHEMA [IF NOT EXISTS] name [WITH (key = value)] [COMMENT '..']`.

use sqlparser::ast::ObjectName;

use super::Cursor;
use crate::Result;

/// A schema to create.
#[derive(Debug, Clone)]
pub(crate) struct CreateSchema {
    pub(crate) name: ObjectName,
    pub(crate) if_not_exists: bool,
    pub(crate) properties: Vec<(String, String)>,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<CreateSchema> {
    let if_not_exists = cursor.words(&["IF", "NOT", "EXISTS"]);
    let name = cursor.object_name()?;
    let mut properties = Vec::new();
    loop {
        if cursor.words(&["WITH", "DBPROPERTIES"]) || cursor.words(&["WITH"]) {
            properties.extend(cursor.properties()?);
        } else if cursor.words(&["COMMENT"]) {
            properties.push(("comment".to_owned(), cursor.string()?));
        } else if cursor.words(&["LOCATION"]) {
            properties.push(("location".to_owned(), cursor.string()?));
        } else {
            return Ok(CreateSchema { name, if_not_exists, properties });
        }
    }
}
