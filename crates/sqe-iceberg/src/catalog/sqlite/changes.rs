//! Changes of tables and views: a new metadata file and the row that points to it.
//!
//! These run where blocking is allowed, each from its beginning to its end.

use std::sync::Arc;

use iceberg::spec::{TableMetadata, TableMetadataRef, ViewMetadata};
use iceberg::{TableRequirement, TableUpdate};
use rusqlite::{Connection, Transaction};

use super::database::{Database, Failure};
use super::entries::{self, Entry, EntryKind, Key};
use super::file::NewFile;
use super::namespaces;
use crate::catalog::metadata_file;
use crate::{Error, ErrorKind, Result, Table};

/// Creates a table. Returns the location of its metadata file.
pub(super) fn create_table(
    database: &Database,
    connection: &mut Connection,
    key: &Key,
    metadata: TableMetadata,
) -> Result<(String, TableMetadata)> {
    let location = metadata_file::table_location(None, &metadata)?;
    let bytes = metadata_file::encode_table(&metadata)?;
    let entry = Entry { kind: EntryKind::Table, metadata_location: location.clone() };
    let root = metadata.location().to_owned();
    check_free(connection, key, &root)?;
    publish(database, connection, key, &entry, &bytes, |transaction| {
        check_free(transaction, key, &root)?;
        entries::insert(transaction, key, &entry)
    })?;
    Ok((location, metadata))
}

/// Applies `updates` to `base` and moves the table from it to the result. Returns the location of
/// the metadata file and the metadata, those of `base` where the updates change nothing.
pub(super) fn commit(
    database: &Database,
    connection: &mut Connection,
    key: &Key,
    base: Table,
    requirements: Vec<TableRequirement>,
    updates: Vec<TableUpdate>,
) -> Result<(String, TableMetadataRef)> {
    for requirement in requirements {
        requirement.check(Some(&base.metadata)).map_err(|error| {
            let message = format!("table {}: {}", key.ident, error.message());
            Error::new(ErrorKind::Conflict, message)
        })?;
    }
    let Some(metadata) = apply(&base, updates)? else {
        return Ok((base.metadata_location, base.metadata));
    };
    let old = base.metadata_location;
    let location = metadata_file::table_location(Some(&old), &metadata)?;
    let bytes = metadata_file::encode_table(&metadata)?;
    let entry = Entry { kind: EntryKind::Table, metadata_location: location.clone() };
    publish(database, connection, key, &entry, &bytes, |transaction| {
        entries::swap(transaction, key, &old, &location)
    })?;
    Ok((location, Arc::new(metadata)))
}

/// The metadata after the updates, or nothing where they change nothing.
fn apply(base: &Table, updates: Vec<TableUpdate>) -> Result<Option<TableMetadata>> {
    let refused = |error: iceberg::Error| {
        Error::invalid(format!("table {}: {}", base.ident, error.message()))
    };
    let current = TableMetadata::clone(&base.metadata);
    let mut builder = current.into_builder(Some(base.metadata_location.clone()));
    for update in updates {
        builder = update.apply(builder).map_err(refused)?;
    }
    let built = builder.build().map_err(refused)?;
    Ok((!built.changes.is_empty()).then_some(built.metadata))
}

/// Creates a view, or with `replace` moves the one of that name to the new metadata.
pub(super) fn create_view(
    database: &Database,
    connection: &mut Connection,
    key: &Key,
    metadata: &ViewMetadata,
    replace: bool,
) -> Result<()> {
    let old = match entries::find(connection, key)? {
        Some(entry) if replace && entry.kind == EntryKind::View => Some(entry.metadata_location),
        Some(entry) => return Err(entries::already_exists(entry.kind, &key.ident)),
        None => None,
    };
    let location = metadata_file::view_location(old.as_deref(), metadata);
    let bytes = metadata_file::encode_view(metadata)?;
    let entry = Entry { kind: EntryKind::View, metadata_location: location };
    publish(database, connection, key, &entry, &bytes, |transaction| match &old {
        Some(old) => entries::swap(transaction, key, old, &entry.metadata_location),
        None => {
            check_free(transaction, key, metadata.location())?;
            entries::insert(transaction, key, &entry)
        }
    })
}

/// Errors: `NotFound` for the namespace, `AlreadyExists` where the name is taken,
/// `InvalidArgument` where the location is.
fn check_free(connection: &Connection, key: &Key, location: &str) -> Result<()> {
    namespaces::require(connection, &key.catalog, &key.ident.namespace)?;
    if let Some(entry) = entries::find(connection, key)? {
        return Err(entries::already_exists(entry.kind, &key.ident));
    }
    // Two tables in one directory would delete each other's files when they are cleaned up.
    match entries::location_owner(connection, location.trim_end_matches('/'))? {
        None => Ok(()),
        // Outside a transaction, the owner may be the table itself, created since it was looked for.
        Some(owner) => match entries::find(connection, key)? {
            Some(entry) => Err(entries::already_exists(entry.kind, &key.ident)),
            None => Err(Error::invalid(format!("location {location} belongs to {owner}"))),
        },
    }
}

/// Writes the metadata file of `entry`, then runs `change`, after which the row of `key` is to be
/// `entry`. The file stays unless it is certain that no row points to it.
fn publish(
    database: &Database,
    connection: &mut Connection,
    key: &Key,
    entry: &Entry,
    bytes: &[u8],
    change: impl FnOnce(&Transaction<'_>) -> Result<()>,
) -> Result<()> {
    let file = NewFile::write(&entry.metadata_location, bytes)?;
    match database.transaction(connection, change) {
        Ok(()) => {
            file.keep();
            Ok(())
        }
        Err(Failure::Unchanged(error)) => Err(error),
        Err(Failure::Unknown(error)) => {
            file.keep();
            settle(database, key, entry, error)
        }
    }
}

/// Finds out what became of a commit that failed with `error`, on a connection of its own.
///
/// Not finding the row does not prove that it will never be there: what was written of the commit
/// may come back when the database recovers from a crash.
pub(super) fn settle(database: &Database, key: &Key, entry: &Entry, error: Error) -> Result<()> {
    let found = database.connect().and_then(|connection| entries::find(&connection, key));
    match found {
        Ok(Some(found)) if found == *entry => Ok(()),
        _ => {
            let message = format!("the outcome of a change of {} is not known", key.ident);
            Err(Error::new(ErrorKind::Unavailable, message).with_source(error))
        }
    }
}
