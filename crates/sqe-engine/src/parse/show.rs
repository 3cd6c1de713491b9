//! The SHOW family and DESCRIBE.

use datafusion::sql::parser::Statement as DfStatement;
use sqlparser::ast::{ObjectName, Statement as SqlStatement};

use super::Cursor;
use crate::suggest::nearest;
use crate::{Error, ErrorKind, Result};

/// What to show. `like` is a pattern with `%` and `_` over the names.
#[derive(Debug, Clone)]
pub(crate) enum Show {
    Catalogs {
        like: Option<String>,
    },
    Schemas {
        catalog: Option<ObjectName>,
        like: Option<String>,
    },
    Tables {
        schema: Option<ObjectName>,
        like: Option<String>,
    },
    Views {
        schema: Option<ObjectName>,
        like: Option<String>,
    },
    Columns {
        table: ObjectName,
        like: Option<String>,
    },
    CreateTable {
        table: ObjectName,
    },
    CreateView {
        view: ObjectName,
    },
    Functions {
        like: Option<String>,
    },
    /// The session settings, all or those of one name.
    Settings {
        name: Option<String>,
    },
}

/// What to describe.
#[derive(Debug, Clone)]
pub(crate) enum Describe {
    Table(ObjectName),
    Query(DfStatement),
}

/// What can be shown besides settings.
pub(crate) const LISTS: [&str; 6] =
    ["CATALOGS", "SCHEMAS", "TABLES", "VIEWS", "COLUMNS", "FUNCTIONS"];

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Show> {
    let _ = cursor.words(&["FULL"]);
    if cursor.words(&["CATALOGS"]) {
        return Ok(Show::Catalogs { like: like(cursor)? });
    }
    if ["SCHEMAS", "NAMESPACES", "DATABASES"].iter().any(|word| cursor.words(&[word])) {
        return Ok(Show::Schemas { catalog: parent(cursor)?, like: like(cursor)? });
    }
    if cursor.words(&["TABLES"]) {
        return Ok(Show::Tables { schema: parent(cursor)?, like: like(cursor)? });
    }
    if cursor.words(&["VIEWS"]) {
        return Ok(Show::Views { schema: parent(cursor)?, like: like(cursor)? });
    }
    if cursor.words(&["COLUMNS"]) {
        let table = parent(cursor)?.ok_or_else(|| cursor.expected("FROM table"))?;
        return Ok(Show::Columns { table, like: like(cursor)? });
    }
    if cursor.words(&["FUNCTIONS"]) {
        return Ok(Show::Functions { like: like(cursor)? });
    }
    if cursor.words(&["CREATE", "TABLE"]) {
        return Ok(Show::CreateTable { table: cursor.object_name()? });
    }
    if cursor.words(&["CREATE", "VIEW"]) {
        return Ok(Show::CreateView { view: cursor.object_name()? });
    }
    if cursor.words(&["ALL"]) {
        return Ok(Show::Settings { name: None });
    }
    if cursor.words(&["TIME", "ZONE"]) {
        return Ok(Show::Settings { name: Some("time_zone".to_owned()) });
    }
    let place = cursor.location();
    let name = cursor.object_name()?.to_string().to_ascii_lowercase();
    if let (Err(_), Some(near)) = (cursor.end(), nearest(&name, LISTS)) {
        let message = format!("SHOW {} is not known", name.to_ascii_uppercase());
        return Err(Error::new(ErrorKind::InvalidStatement, message)
            .at(place)
            .with_hint(format!("did you mean SHOW {near}?")));
    }
    Ok(Show::Settings { name: Some(name) })
}

pub(super) fn describe(cursor: &mut Cursor<'_>) -> Result<Describe> {
    let _ = cursor.words(&["TABLE"]);
    let starts_query = ["SELECT", "WITH", "VALUES"].iter().any(|word| cursor.next_is(word));
    if starts_query {
        let query = SqlStatement::Query(Box::new(cursor.query()?));
        return Ok(Describe::Query(DfStatement::Statement(Box::new(query))));
    }
    Ok(Describe::Table(cursor.object_name()?))
}

/// `FROM name` or `IN name`.
fn parent(cursor: &mut Cursor<'_>) -> Result<Option<ObjectName>> {
    match cursor.words(&["FROM"]) || cursor.words(&["IN"]) {
        true => cursor.object_name().map(Some),
        false => Ok(None),
    }
}

fn like(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    match cursor.words(&["LIKE"]) {
        true => cursor.string().map(Some),
        false => Ok(None),
    }
}
