//! Catalogs, schemas and tables.
//!
//! Drivers list everything they can see when they open a browser, so that one catalog that is down
//! or one broken table must not hide the rest: what cannot be listed is left out and logged. Only
//! where a client names one catalog does its failure become the answer.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow_flight::sql::metadata::{GetDbSchemasBuilder, GetTablesBuilder};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables,
};
use futures::{StreamExt, TryStreamExt, stream};
use sqe_engine::{Error, ErrorKind, Result, Session, TableKind};
use tracing::{debug, warn};

use super::defect;
use super::pattern::matches;
use super::types::with_column_metadata;
use crate::flight::wire::wire_schema;

/// How many catalogs, schemas or tables are asked at once.
const CONCURRENCY: usize = 16;

/// The answer to `GetCatalogs`.
pub(super) async fn catalogs(
    session: &Session,
    command: CommandGetCatalogs,
) -> Result<RecordBatch> {
    let mut builder = command.into_builder();
    for name in session.catalogs().await? {
        builder.append(name);
    }
    builder.build().map_err(defect)
}

/// The answer to `GetDbSchemas`.
pub(super) async fn db_schemas(
    session: &Session,
    command: CommandGetDbSchemas,
) -> Result<RecordBatch> {
    let pattern = command.db_schema_filter_pattern.as_deref();
    // What is appended is filtered already; the builder sorts.
    let mut builder = GetDbSchemasBuilder::new(None::<String>, None::<String>);
    for (catalog, schema) in list_schemas(session, command.catalog.as_deref(), pattern).await? {
        builder.append(catalog, schema);
    }
    builder.build().map_err(defect)
}

/// The answer to `GetTables`.
pub(super) async fn tables(session: &Session, command: CommandGetTables) -> Result<RecordBatch> {
    let no_filter = None::<String>;
    let no_types = Vec::<String>::new();
    let with_schema = command.include_schema;
    let mut builder = GetTablesBuilder::new(
        no_filter.clone(),
        no_filter.clone(),
        no_filter,
        no_types,
        with_schema,
    );
    let described = stream::iter(list_tables(session, &command).await?)
        .map(|table| async move {
            let schema = match with_schema {
                true => column_schema(session, &table).await,
                false => Schema::empty(),
            };
            (table, schema)
        })
        .buffered(CONCURRENCY);
    let described: Vec<_> = described.collect().await;
    for (Table { catalog, schema, name, kind }, columns) in described {
        builder.append(catalog, schema, name, kind_name(kind), &columns).map_err(defect)?;
    }
    builder.build().map_err(defect)
}

/// The answer to `GetTableTypes`.
pub(super) fn table_types(command: CommandGetTableTypes) -> Result<RecordBatch> {
    let mut builder = command.into_builder();
    for kind in [TableKind::Table, TableKind::View, TableKind::System] {
        builder.append(kind_name(kind));
    }
    builder.build().map_err(defect)
}

fn kind_name(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Table => "TABLE",
        TableKind::View => "VIEW",
        TableKind::System => "SYSTEM TABLE",
    }
}

struct Table {
    catalog: String,
    schema: String,
    name: String,
    kind: TableKind,
}

/// Catalog and name of the schemas that fit. A catalog is named exactly, never by a pattern.
async fn list_schemas(
    session: &Session,
    catalog: Option<&str>,
    pattern: Option<&str>,
) -> Result<Vec<(String, String)>> {
    let wanted = |name: &String| catalog.is_none_or(|catalog| catalog == name);
    let catalogs = session.catalogs().await?.into_iter().filter(wanted);
    let found: Vec<Vec<(String, String)>> = stream::iter(catalogs)
        .map(|name| async move {
            let schemas = session.schemas(&name).await;
            let schemas = tolerated(schemas, catalog.is_some(), || name.clone())?;
            let fitting = schemas.into_iter().filter(|schema| matches(pattern, schema));
            Ok::<_, Error>(fitting.map(|schema| (name.clone(), schema)).collect())
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    Ok(found.concat())
}

async fn list_tables(session: &Session, command: &CommandGetTables) -> Result<Vec<Table>> {
    let catalog = command.catalog.as_deref();
    let pattern = command.db_schema_filter_pattern.as_deref();
    let kinds = &command.table_types;
    let fits = |name: &str, kind: TableKind| {
        matches(command.table_name_filter_pattern.as_deref(), name)
            && (kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind_name(kind)))
    };
    let fits = &fits;
    let found: Vec<Vec<Table>> = stream::iter(list_schemas(session, catalog, pattern).await?)
        .map(|(catalog_name, schema)| async move {
            let tables = session.tables(&catalog_name, &schema).await;
            let what = || format!("{catalog_name}.{schema}");
            // A client that names a catalog names none of its schemas, which need not all be for
            // this user.
            let named = catalog.is_some() && !is_forbidden(&tables);
            let tables = tolerated(tables, named, what)?.into_iter();
            let fitting = tables.filter(|table| fits(&table.name, table.kind));
            let table = |entry: sqe_engine::TableEntry| Table {
                catalog: catalog_name.clone(),
                schema: schema.clone(),
                name: entry.name,
                kind: entry.kind,
            };
            Ok::<_, Error>(fitting.map(table).collect())
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// The columns as a query would answer them; none for a table that cannot be read, which is listed
/// all the same.
async fn column_schema(session: &Session, table: &Table) -> Schema {
    let Table { catalog, schema, name, .. } = table;
    match session.table_schema(catalog, schema, name).await {
        Ok(columns) => with_column_metadata(&wire_schema(&columns), catalog, schema, name),
        Err(error) => {
            debug!(table = %format!("{catalog}.{schema}.{name}"), %error, "cannot list columns");
            Schema::empty()
        }
    }
}

/// What was listed; nothing where it vanished meanwhile, or where it failed and the client did not
/// ask for it by name.
fn tolerated<T>(listed: Result<Vec<T>>, named: bool, what: impl Fn() -> String) -> Result<Vec<T>> {
    match listed {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) if !named => {
            match error.kind {
                ErrorKind::PermissionDenied => debug!(of = what(), %error, "cannot list"),
                _ => warn!(of = what(), %error, "cannot list"),
            }
            Ok(Vec::new())
        }
        listed => listed,
    }
}

fn is_forbidden<T>(listed: &Result<T>) -> bool {
    matches!(listed, Err(error) if error.kind == ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: ErrorKind, named: bool, expected: Option<ErrorKind>) {
        let listed = tolerated::<()>(Err(Error::new(kind, "x")), named, || "c".into());
        assert_eq!(listed.err().map(|error| error.kind), expected);
    }

    #[test]
    fn only_what_was_asked_for_by_name_may_fail() {
        check(ErrorKind::Unavailable, false, None);
        check(ErrorKind::Unavailable, true, Some(ErrorKind::Unavailable));
        check(ErrorKind::NotFound, true, None);
        assert_eq!(tolerated(Ok(vec![1]), true, || "c".into()).unwrap(), [1]);
    }
}
