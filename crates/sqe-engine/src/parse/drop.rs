//! `DROP TABLE|VIEW|SCHEMA [IF EXISTS] name [RESTRICT]`.

use sqlparser::ast::ObjectName;

use super::Cursor;
use crate::Result;

/// Something to drop.
#[derive(Debug, Clone)]
pub(crate) struct Drop {
    pub(crate) kind: DropKind,
    pub(crate) name: ObjectName,
    pub(crate) if_exists: bool,
}

/// What kind of thing to drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropKind {
    Table,
    View,
    Schema,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Drop> {
    let kind = if cursor.words(&["TABLE"]) {
        DropKind::Table
    } else if cursor.words(&["VIEW"]) {
        DropKind::View
    } else if cursor.words(&["SCHEMA"]) || cursor.words(&["NAMESPACE"]) {
        DropKind::Schema
    } else {
        return Err(cursor.unsupported_here("DROP"));
    };
    let if_exists = cursor.words(&["IF", "EXISTS"]);
    let name = cursor.object_name()?;
    if cursor.words(&["CASCADE"]) {
        return Err(cursor.unsupported("DROP .. CASCADE"));
    }
    let _ = cursor.words(&["RESTRICT"]);
    Ok(Drop { kind, name, if_exists })
}
