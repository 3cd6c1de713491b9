//! `read_parquet`.
//!
//! Options, as DuckDB names them:
//! - `union_by_name`: `true` reads files with different columns: all columns of all files, NULL
//!   where a file lacks one. By default all files must have the same columns, in any order.
//! - `binary_as_string`: `true` reads BLOB columns as VARCHAR, for writers that did not mark text.

use std::{slice, sync::Arc};

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::{
    catalog::TableProvider,
    datasource::file_format::{FileFormat, parquet::ParquetFormat},
    execution::SessionState,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Call, FileAccess, Files,
    fault::unreadable,
    hive::PathColumns,
    options::{Options, invalid},
    paths::Found,
    provider::{FilesTable, Reading},
};
use crate::Result;

const OPTIONS: [&str; 2] = ["binary_as_string", "union_by_name"];

const UNSUPPORTED: [&str; 8] = [
    "can_have_nan",
    "compression",
    "debug_use_openssl",
    "encryption_config",
    "explicit_cardinality",
    "file_row_number",
    "parquet_version",
    "schema",
];

/// What a directory is searched for.
const EXTENSIONS: [&str; 2] = [".parquet", ".parq"];

/// Footers that are read at a time.
const FILES_AT_A_TIME: usize = 16;

pub(super) async fn open(
    call: Call,
    state: &SessionState,
    access: &FileAccess,
) -> Result<Arc<dyn TableProvider>> {
    let options = Options::try_new(&call, &OPTIONS, &UNSUPPORTED)?;
    let union_by_name = options.boolean("union_by_name")?.unwrap_or(false);
    let binary_as_string = options.boolean("binary_as_string")?;
    let files = Files::list(&call, access, &EXTENSIONS).await?;
    let path_columns = PathColumns::of(&files.found, &options)?;
    let mut format = ParquetFormat::new()
        .with_options(state.default_table_options().parquet)
        // What writers say about their files is nothing that two files must agree on.
        .with_skip_metadata(true);
    if let Some(binary_as_string) = binary_as_string {
        format = format.with_binary_as_string(binary_as_string);
    }
    let format = Arc::new(format);
    let schemas = stream::iter(&files.found)
        .map(|found| {
            let (format, store) = (Arc::clone(&format), Arc::clone(files.store()));
            async move {
                let schema = format.infer_schema(state, &store, slice::from_ref(&found.meta)).await;
                schema.map_err(|error| unreadable(&found.path, error))
            }
        })
        .boxed()
        .buffered(FILES_AT_A_TIME)
        .try_collect::<Vec<_>>()
        .await?;
    let schema = match union_by_name {
        true => union(&files.found, &schemas)?,
        false => common(&files.found, &schemas)?,
    };
    let mut table = FilesTable::try_new(files, schema, path_columns, Reading::Parquet(format))?;
    table.collect_statistics(state, FILES_AT_A_TIME).await?;
    Ok(Arc::new(table))
}

/// The columns that all files have, in the order of the first one.
fn common(found: &[Found], schemas: &[SchemaRef]) -> Result<SchemaRef> {
    let mut fields = fields(&schemas[0]);
    for (found_other, other) in found.iter().zip(schemas).skip(1) {
        let (first, path) = (&found[0].path, &found_other.path);
        let differ = |what: String| {
            let hint = "union_by_name => true reads files with different columns";
            Err(invalid(format!("files of read_parquet differ: {what}")).with_hint(hint))
        };
        for field in &mut fields {
            let name = field.name();
            let Ok(theirs) = other.field_with_name(name) else {
                return differ(format!("{first} has a column {name:?}, {path} has none"));
            };
            if theirs.data_type() != field.data_type() {
                return Err(different_types((first, field), (path, theirs)));
            }
            field.set_nullable(field.is_nullable() || theirs.is_nullable());
        }
        let known = |name: &String| fields.iter().any(|field| field.name() == name);
        if let Some(more) = other.fields().iter().find(|field| !known(field.name())) {
            let name = more.name();
            return differ(format!("{path} has a column {name:?}, {first} has none"));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The columns that any file has, in the order in which they come.
fn union(found: &[Found], schemas: &[SchemaRef]) -> Result<SchemaRef> {
    let mut united: Vec<(Field, &str)> = Vec::new();
    for (found, schema) in found.iter().zip(schemas) {
        for theirs in fields(schema) {
            match united.iter().find(|(field, _)| field.name() == theirs.name()) {
                None => united.push((theirs.with_nullable(true), &found.path)),
                Some((field, path)) if field.data_type() != theirs.data_type() => {
                    return Err(different_types((path, field), (&found.path, &theirs)));
                }
                Some(_) => {}
            }
        }
    }
    Ok(Arc::new(Schema::new(united.into_iter().map(|(field, _)| field).collect::<Vec<_>>())))
}

/// The fields of a schema without what its writer says about them.
fn fields(schema: &Schema) -> Vec<Field> {
    let field = |field: &Arc<Field>| field.as_ref().clone().with_metadata(Default::default());
    schema.fields().iter().map(field).collect()
}

fn different_types(first: (&str, &Field), second: (&str, &Field)) -> crate::Error {
    let ((path, field), (other, theirs)) = (first, second);
    let (name, ours, theirs) = (field.name(), field.data_type(), theirs.data_type());
    invalid(format!(
        "files of read_parquet differ: column {name:?} is {ours} in {path}, {theirs} in {other}"
    ))
}
