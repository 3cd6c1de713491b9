//! Changes of tables and views: a new metadata file and the row that points to it.
//!
//! These run where blocking is allowed, each from its beginning to its end.

use iceberg::spec::{TableMetadata, ViewMetadata};
use rusqlite::{Connection, Transaction};

use super::database::{Database, Failure};
use super::entries::{self, Entry, EntryKind, Key};
use super::file::NewFile;
use super::namespaces;
use super::warehouse::Warehouse;
use crate::catalog::metadata_file;
use crate::{Error, ErrorKind, Result};

/// The metadata with a location, which is chosen where it is empty. Nothing is written.
pub(super) fn stage(
    connection: &Connection,
    warehouse: &Warehouse,
    key: &Key,
    metadata: TableMetadata,
) -> Result<TableMetadata> {
    check_name(connection, key)?;
    if !metadata.location().is_empty() {
        return Ok(metadata);
    }
    let location = new_location(connection, warehouse, key)?;
    Ok(metadata.into_builder(None).set_location(location).build()?.metadata)
}

/// A view's metadata with a location, which is chosen where it is empty.
pub(super) fn place_view(
    connection: &Connection,
    warehouse: &Warehouse,
    key: &Key,
    metadata: ViewMetadata,
) -> Result<ViewMetadata> {
    if !metadata.location().is_empty() {
        return Ok(metadata);
    }
    namespaces::require(connection, &key.catalog, &key.ident.namespace)?;
    let location = new_location(connection, warehouse, key)?;
    Ok(metadata.into_builder().set_location(location).build()?.metadata)
}

fn new_location(connection: &Connection, warehouse: &Warehouse, key: &Key) -> Result<String> {
    warehouse.new_location(&key.ident, |location| {
        Ok(entries::location_owner(connection, location)?.is_some())
    })
}

/// Creates a table with a new metadata file.
pub(super) fn create_table(
    database: &Database,
    connection: &mut Connection,
    key: &Key,
    metadata: &TableMetadata,
) -> Result<()> {
    let location = metadata_file::table_location(None, metadata)?;
    let bytes = metadata_file::encode_table(metadata)?;
    let entry = Entry { kind: EntryKind::Table, metadata_location: location };
    check_free(connection, key, metadata.location())?;
    publish(database, connection, key, &entry, &bytes, |transaction| {
        check_free(transaction, key, metadata.location())?;
        entries::insert(transaction, key, &entry)
    })
}

/// Creates a table with a metadata file that is there.
pub(super) fn register(
    transaction: &Transaction<'_>,
    key: &Key,
    metadata_location: String,
    metadata: &TableMetadata,
) -> Result<()> {
    check_free(transaction, key, metadata.location())?;
    entries::insert(transaction, key, &Entry { kind: EntryKind::Table, metadata_location })
}

/// Gives the row of a table or view another key.
pub(super) fn rename(
    transaction: &Transaction<'_>,
    from: &Key,
    to: &Key,
    kind: EntryKind,
) -> Result<()> {
    let entry = entries::find_kind(transaction, from, kind)?;
    check_name(transaction, to)?;
    entries::delete(transaction, from)?;
    entries::insert(transaction, to, &entry)
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

/// Errors: `NotFound` for the namespace, `AlreadyExists` where the name is taken.
fn check_name(connection: &Connection, key: &Key) -> Result<()> {
    namespaces::require(connection, &key.catalog, &key.ident.namespace)?;
    match entries::find(connection, key)? {
        Some(entry) => Err(entries::already_exists(entry.kind, &key.ident)),
        None => Ok(()),
    }
}

/// Errors: those of [`check_name`]; `InvalidArgument` where the location is taken.
fn check_free(connection: &Connection, key: &Key, location: &str) -> Result<()> {
    check_name(connection, key)?;
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
    publish_files(database, connection, vec![file], &[(key, entry)], change)
}

/// Runs `change`, after which each row is to be its entry. The files, which are theirs, stay
/// unless it is certain that no row points to them.
pub(super) fn publish_files(
    database: &Database,
    connection: &mut Connection,
    files: Vec<NewFile>,
    rows: &[(&Key, &Entry)],
    change: impl FnOnce(&Transaction<'_>) -> Result<()>,
) -> Result<()> {
    match database.transaction(connection, change) {
        Ok(()) => {
            files.into_iter().for_each(NewFile::keep);
            Ok(())
        }
        Err(Failure::Unchanged(error)) => Err(error),
        Err(Failure::Unknown(error)) => {
            files.into_iter().for_each(NewFile::keep);
            settle(database, rows, error)
        }
    }
}

/// Finds out what became of a commit that failed with `error`, on a connection of its own.
///
/// Not finding the rows does not prove that they will never be there: what was written of the
/// commit may come back when the database recovers from a crash.
pub(super) fn settle(database: &Database, rows: &[(&Key, &Entry)], error: Error) -> Result<()> {
    let found = database.connect().and_then(|connection| {
        for (key, entry) in rows {
            if entries::find(&connection, key)?.as_ref() != Some(*entry) {
                return Ok(false);
            }
        }
        Ok(true)
    });
    match found {
        Ok(true) => Ok(()),
        _ => {
            let names: Vec<_> = rows.iter().map(|(key, _)| key.ident.to_string()).collect();
            let message = format!("the outcome of a change of {} is not known", names.join(", "));
            Err(Error::new(ErrorKind::Unavailable, message).with_source(error))
        }
    }
}
