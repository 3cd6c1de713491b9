//! Metadata commands: what the server has and can do. Each has a schema that the specification
//! fixes to the letter, and an answer of one batch.

mod keys;
mod listing;
mod pattern;
mod sql_info;
mod types;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::sql::Command;
use arrow_flight::sql::metadata::SqlInfoDataBuilder;
use sqe_engine::{Error, ErrorKind, Result};

use super::call::Call;

/// The schema of the answer; `None`, if `command` is no metadata command that is built.
pub(super) fn schema(command: &Command) -> Option<SchemaRef> {
    Some(match command {
        Command::CommandGetCatalogs(command) => (*command).into_builder().schema(),
        Command::CommandGetDbSchemas(command) => command.clone().into_builder().schema(),
        Command::CommandGetTables(command) => command.clone().into_builder().schema(),
        Command::CommandGetTableTypes(command) => (*command).into_builder().schema(),
        Command::CommandGetSqlInfo(_) => Arc::new(SqlInfoDataBuilder::schema().clone()),
        Command::CommandGetXdbcTypeInfo(_) => types::xdbc_schema(),
        Command::CommandGetPrimaryKeys(_) => keys::primary_keys_schema(),
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => keys::foreign_keys_schema(),
        _ => return None,
    })
}

/// The answer to a command that has a schema.
pub(super) async fn answer(call: &Call, command: Command) -> Result<RecordBatch> {
    let session = call.session.engine();
    let schema = schema(&command);
    match command {
        Command::CommandGetCatalogs(command) => listing::catalogs(session, command).await,
        Command::CommandGetDbSchemas(command) => listing::db_schemas(session, command).await,
        Command::CommandGetTables(command) => listing::tables(session, command).await,
        Command::CommandGetTableTypes(command) => listing::table_types(command),
        Command::CommandGetSqlInfo(command) => {
            sql_info::sql_info(session, &call.service.options, command)
        }
        Command::CommandGetXdbcTypeInfo(command) => types::xdbc(command),
        // Iceberg has no keys that are enforced.
        Command::CommandGetPrimaryKeys(_)
        | Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => {
            Ok(RecordBatch::new_empty(schema.unwrap_or_else(keys::foreign_keys_schema)))
        }
        _ => Err(defect("a command without an answer")),
    }
}

fn defect(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, format!("metadata: {error}"))
}
