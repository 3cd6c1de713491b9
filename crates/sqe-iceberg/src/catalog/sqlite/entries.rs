//! The rows of `iceberg_tables`: one for each table and view.

use iceberg::TableIdent;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::{Error, ErrorKind, Result};

/// What a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// `TABLE`, or nothing in a row from a time that knew no views.
    Table,
    /// `VIEW`.
    View,
    /// A type that another program gave: its name is taken, and that is all.
    Other,
}

impl EntryKind {
    fn from_text(text: Option<&str>) -> Self {
        match text {
            None | Some("TABLE") => Self::Table,
            Some("VIEW") => Self::View,
            Some(_) => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Other => "object of another type",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Table => "TABLE",
            Self::View => "VIEW",
            Self::Other => "OTHER",
        }
    }
}

/// The primary key of a row.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) catalog: String,
    /// The levels joined by dots.
    pub(super) namespace: String,
    pub(super) ident: TableIdent,
}

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    pub(super) metadata_location: String,
}

pub(super) fn not_found(kind: EntryKind, ident: &TableIdent) -> Error {
    Error::not_found(format!("{} {ident} does not exist", kind.name()))
}

pub(super) fn already_exists(kind: EntryKind, ident: &TableIdent) -> Error {
    let message = format!("{} {ident} exists already", kind.name());
    Error::new(ErrorKind::AlreadyExists, message)
}

/// The row of a name, whatever it stands for.
pub(super) fn find(connection: &Connection, key: &Key) -> Result<Option<Entry>> {
    let mut statement = connection.prepare_cached(
        "SELECT metadata_location, iceberg_type FROM iceberg_tables
         WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3",
    )?;
    let row = statement
        .query_row(params![key.catalog, key.namespace, key.ident.name], |row| {
            Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?))
        })
        .optional()?;
    let Some((location, kind)) = row else {
        return Ok(None);
    };
    let kind = EntryKind::from_text(kind.as_deref());
    let metadata_location = location.ok_or_else(|| {
        Error::corrupt(format!("{} {} has no metadata location", kind.name(), key.ident))
    })?;
    Ok(Some(Entry { kind, metadata_location }))
}

/// The row of a table or of a view. Errors: `NotFound`, also where the name is of another kind.
pub(super) fn find_kind(connection: &Connection, key: &Key, kind: EntryKind) -> Result<Entry> {
    match find(connection, key)? {
        Some(entry) if entry.kind == kind => Ok(entry),
        Some(entry) => Err(Error::not_found(format!(
            "{} {} does not exist, there is a {} of that name",
            kind.name(),
            key.ident,
            entry.kind.name()
        ))),
        None => Err(not_found(kind, &key.ident)),
    }
}

/// The names of one kind in a namespace, sorted.
pub(super) fn list(
    connection: &Connection,
    catalog: &str,
    namespace: &str,
    kind: EntryKind,
) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT table_name, iceberg_type FROM iceberg_tables
         WHERE catalog_name = ?1 AND table_namespace = ?2 ORDER BY table_name",
    )?;
    let mut rows = statement.query(params![catalog, namespace])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        let text: Option<String> = row.get(1)?;
        if EntryKind::from_text(text.as_deref()) == kind {
            names.push(row.get(0)?);
        }
    }
    Ok(names)
}

/// The table or view, of any catalog in this file, whose metadata is below a location.
pub(super) fn location_owner(connection: &Connection, location: &str) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached(
        // All that begins with `LOCATION/`: the character after the slash is `0`.
        "SELECT table_namespace || '.' || table_name FROM iceberg_tables
         WHERE metadata_location >= ?1 || '/' AND metadata_location < ?1 || '0' LIMIT 1",
    )?;
    Ok(statement.query_row([location], |row| row.get(0)).optional()?)
}

pub(super) fn insert(transaction: &Transaction<'_>, key: &Key, entry: &Entry) -> Result<()> {
    transaction.execute(
        "INSERT INTO iceberg_tables
             (catalog_name, table_namespace, table_name, metadata_location, iceberg_type)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            key.catalog,
            key.namespace,
            key.ident.name,
            entry.metadata_location,
            entry.kind.text()
        ],
    )?;
    Ok(())
}

/// Moves a row from one metadata file to the next. Errors: `Conflict` where it was moved or
/// dropped since `old` was read.
pub(super) fn swap(transaction: &Transaction<'_>, key: &Key, old: &str, new: &str) -> Result<()> {
    let moved = transaction.execute(
        "UPDATE iceberg_tables SET metadata_location = ?5, previous_metadata_location = ?4
         WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3
           AND metadata_location = ?4",
        params![key.catalog, key.namespace, key.ident.name, old, new],
    )?;
    match moved {
        1 => Ok(()),
        _ => Err(moved_by_another(key)),
    }
}

/// Errors: `Conflict` where a row was moved or dropped since `location` was read.
pub(super) fn require_at(connection: &Connection, key: &Key, location: &str) -> Result<()> {
    match find(connection, key)? {
        Some(entry) if entry.metadata_location == location => Ok(()),
        _ => Err(moved_by_another(key)),
    }
}

fn moved_by_another(key: &Key) -> Error {
    let message = format!("{} was changed by somebody else at the same time", key.ident);
    Error::new(ErrorKind::Conflict, message)
}

pub(super) fn delete(transaction: &Transaction<'_>, key: &Key) -> Result<()> {
    transaction.execute(
        "DELETE FROM iceberg_tables
         WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3",
        params![key.catalog, key.namespace, key.ident.name],
    )?;
    Ok(())
}
