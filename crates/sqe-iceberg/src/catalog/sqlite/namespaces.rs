//! Namespaces: rows of `iceberg_namespace_properties`, and what the rows of tables imply.
//!
//! The levels of a name are joined by dots, as every program that uses this schema does. A
//! namespace exists where it has a property, a table or view, or another namespace below it.

use std::collections::{BTreeSet, HashMap};

use iceberg::NamespaceIdent;
use rusqlite::{Connection, Transaction, params};

use crate::{Error, ErrorKind, Result};

/// The property that other programs give a namespace without any, so that there is a row.
const EXISTS: &str = "exists";

/// The name as it is stored. Errors: `InvalidArgument` for a name that would be read back as
/// another one.
pub(super) fn to_text(namespace: &NamespaceIdent) -> Result<String> {
    if let Some(level) = namespace.iter().find(|level| level.is_empty() || level.contains('.')) {
        return Err(Error::invalid(format!(
            "namespace level {level:?} is empty or contains a dot, which this catalog cannot store"
        )));
    }
    Ok(namespace.join("."))
}

pub(super) fn exists(connection: &Connection, catalog: &str, text: &str) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        // All that begins with `NAME.`: the character after the dot is `/`.
        "SELECT EXISTS (SELECT 1 FROM iceberg_namespace_properties
                        WHERE catalog_name = ?1 AND namespace = ?2)
             OR EXISTS (SELECT 1 FROM iceberg_tables
                        WHERE catalog_name = ?1 AND table_namespace = ?2)
             OR EXISTS (SELECT 1 FROM iceberg_namespace_properties
                        WHERE catalog_name = ?1 AND namespace > ?2 || '.' AND namespace < ?2 || '/')
             OR EXISTS (SELECT 1 FROM iceberg_tables
                        WHERE catalog_name = ?1
                          AND table_namespace > ?2 || '.' AND table_namespace < ?2 || '/')",
    )?;
    Ok(statement.query_row(params![catalog, text], |row| row.get(0))?)
}

/// The name as it is stored. Errors: `NotFound`.
pub(super) fn require(
    connection: &Connection,
    catalog: &str,
    namespace: &NamespaceIdent,
) -> Result<String> {
    match to_text(namespace) {
        Ok(text) if exists(connection, catalog, &text)? => Ok(text),
        _ => Err(Error::not_found(format!("namespace {namespace} does not exist"))),
    }
}

/// All namespaces with their parents, sorted.
pub(super) fn list(connection: &Connection, catalog: &str) -> Result<Vec<NamespaceIdent>> {
    let mut statement = connection.prepare_cached(
        "SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = ?1
         UNION SELECT table_namespace FROM iceberg_tables WHERE catalog_name = ?1",
    )?;
    let mut rows = statement.query([catalog])?;
    let mut namespaces = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        let mut next = NamespaceIdent::from_strs(text.split('.')).ok();
        // A name with an empty level was not written by a catalog and cannot be asked for.
        while let Some(namespace) = next.filter(|namespace| to_text(namespace).is_ok()) {
            next = namespace.parent();
            namespaces.insert(namespace);
        }
    }
    Ok(namespaces.into_iter().collect())
}

pub(super) fn properties(
    connection: &Connection,
    catalog: &str,
    text: &str,
) -> Result<HashMap<String, String>> {
    let mut statement = connection.prepare_cached(
        "SELECT property_key, coalesce(property_value, '') FROM iceberg_namespace_properties
         WHERE catalog_name = ?1 AND namespace = ?2 AND NOT (property_key = ?3 AND property_value = 'true')",
    )?;
    let rows = statement
        .query_map(params![catalog, text, EXISTS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Errors: `AlreadyExists`.
pub(super) fn create(
    transaction: &Transaction<'_>,
    catalog: &str,
    text: &str,
    properties: &HashMap<String, String>,
) -> Result<()> {
    if exists(transaction, catalog, text)? {
        let message = format!("namespace {text} exists already");
        return Err(Error::new(ErrorKind::AlreadyExists, message));
    }
    let mut insert = transaction.prepare_cached(
        "INSERT INTO iceberg_namespace_properties
             (catalog_name, namespace, property_key, property_value) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (property, value) in properties {
        insert.execute(params![catalog, text, property, value])?;
    }
    // As Java does: with a row of its own the namespace outlives the removal of its properties.
    if !properties.contains_key(EXISTS) {
        insert.execute(params![catalog, text, EXISTS, "true"])?;
    }
    Ok(())
}

/// Errors: `InvalidArgument` where anything is in the namespace.
pub(super) fn delete_empty(transaction: &Transaction<'_>, catalog: &str, text: &str) -> Result<()> {
    transaction.execute(
        "DELETE FROM iceberg_namespace_properties WHERE catalog_name = ?1 AND namespace = ?2",
        params![catalog, text],
    )?;
    // Without its own rows it exists by what is in it, and the failure brings the rows back.
    match exists(transaction, catalog, text)? {
        true => Err(Error::invalid(format!("namespace {text} is not empty"))),
        false => Ok(()),
    }
}
