//! Changes of tables that are there: all of one commit in one transaction.

use std::collections::HashSet;

use iceberg::TableUpdate;
use iceberg::spec::TableMetadata;
use rusqlite::Connection;

use super::changes;
use super::database::Database;
use super::entries::{self, Entry, EntryKind, Key};
use super::file::NewFile;
use crate::catalog::{TableChange, metadata_file};
use crate::{Error, ErrorKind, Result, Table};

/// One table that moves: its row, and the metadata file before.
struct Move {
    key: Key,
    old: String,
    entry: Entry,
}

/// Applies each change to the table that was loaded for it, and moves all tables at once. A table
/// that its updates do not change stays at its metadata file.
pub(super) fn commit(
    database: &Database,
    connection: &mut Connection,
    changes: Vec<(Table, Key, TableChange)>,
) -> Result<()> {
    let (mut moves, mut unchanged, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for (base, key, change) in changes {
        if !seen.insert(change.ident.clone()) {
            return Err(Error::invalid(format!("table {} is changed twice", change.ident)));
        }
        check(&base, &change)?;
        let old = base.metadata_location.clone();
        let Some(metadata) = apply(&base, change.updates)? else {
            unchanged.push((key, old));
            continue;
        };
        let location = metadata_file::table_location(Some(&old), &metadata)?;
        files.push(NewFile::write(&location, &metadata_file::encode_table(&metadata)?)?);
        let entry = Entry { kind: EntryKind::Table, metadata_location: location };
        moves.push(Move { key, old, entry });
    }
    if moves.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = moves.iter().map(|table| (&table.key, &table.entry)).collect();
    changes::publish_files(database, connection, files, &rows, |transaction| {
        for (key, location) in &unchanged {
            entries::require_at(transaction, key, location)?;
        }
        for table in &moves {
            entries::swap(transaction, &table.key, &table.old, &table.entry.metadata_location)?;
        }
        Ok(())
    })
}

fn check(base: &Table, change: &TableChange) -> Result<()> {
    for requirement in &change.requirements {
        requirement.check(Some(&base.metadata)).map_err(|error| {
            let message = format!("table {}: {}", base.ident, error.message());
            Error::new(ErrorKind::Conflict, message)
        })?;
    }
    Ok(())
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
