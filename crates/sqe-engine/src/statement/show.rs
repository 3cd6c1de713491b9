//! The SHOW family.

use arrow::datatypes::SchemaRef;
use datafusion::execution::SessionState;

use super::create_schema::schema_name;
use super::describe::column_rows;
use super::rows::{Row, listing, text_schema};
use super::setting::full_name;
use super::show_create;
use crate::catalogs::TableName;
use crate::parse;
use crate::plan::{Planner, name_parts, resolve_name};
use crate::suggest::nearest;
use crate::{Error, ErrorKind, Output, Result, Session, TableKind};

/// What to show; names are complete.
#[derive(Debug)]
pub(crate) struct Show {
    what: What,
    like: Option<String>,
}

#[derive(Debug)]
enum What {
    Catalogs,
    Schemas { catalog: String },
    Tables { catalog: String, schema: String },
    Views { catalog: String, schema: String },
    Columns { table: TableName },
    CreateTable { table: TableName },
    CreateView { view: TableName },
    Functions,
    Settings { name: Option<String> },
}

pub(super) fn plan(state: &SessionState, statement: parse::Show) -> Result<Show> {
    let defaults = &state.config_options().catalog;
    let schema = |name: Option<_>| match name {
        Some(name) => schema_name(state, &name),
        None => Ok((defaults.default_catalog.clone(), defaults.default_schema.clone())),
    };
    let (what, like) = match statement {
        parse::Show::Catalogs { like } => (What::Catalogs, like),
        parse::Show::Schemas { catalog, like } => {
            let catalog = match catalog {
                Some(name) => match name_parts(&name)?.as_slice() {
                    [catalog] => catalog.clone(),
                    _ => {
                        let message = format!("{name} is not the name of a catalog");
                        return Err(Error::new(ErrorKind::InvalidStatement, message));
                    }
                },
                None => defaults.default_catalog.clone(),
            };
            (What::Schemas { catalog }, like)
        }
        parse::Show::Tables { schema: name, like } => {
            let (catalog, schema) = schema(name)?;
            (What::Tables { catalog, schema }, like)
        }
        parse::Show::Views { schema: name, like } => {
            let (catalog, schema) = schema(name)?;
            (What::Views { catalog, schema }, like)
        }
        parse::Show::Columns { table, like } => {
            (What::Columns { table: resolve_name(state, &table)? }, like)
        }
        parse::Show::CreateTable { table } => {
            (What::CreateTable { table: resolve_name(state, &table)? }, None)
        }
        parse::Show::CreateView { view } => {
            (What::CreateView { view: resolve_name(state, &view)? }, None)
        }
        parse::Show::Functions { like } => (What::Functions, like),
        parse::Show::Settings { name } => {
            let name = name.map(|name| setting(state, &name)).transpose()?;
            (What::Settings { name }, None)
        }
    };
    Ok(Show { what, like })
}

/// A setting, unless it was meant to be one of the lists.
fn setting(state: &SessionState, name: &str) -> Result<String> {
    full_name(state, name).map_err(|error| match nearest(name, parse::SHOW_LISTS) {
        Some(near) => error.with_hint(format!("did you mean SHOW {near}?")),
        None => error,
    })
}

impl Show {
    pub(super) fn schema(&self) -> SchemaRef {
        text_schema(match self.what {
            What::Catalogs => &["catalog_name"],
            What::Schemas { .. } => &["schema_name"],
            What::Tables { .. } => &["table_name", "table_type"],
            What::Views { .. } => &["view_name"],
            What::Columns { .. } => &["column_name", "data_type", "is_nullable"],
            What::CreateTable { .. } => &["create_table"],
            What::CreateView { .. } => &["create_view"],
            What::Functions => &["function_name"],
            What::Settings { .. } => &["name", "value"],
        })
    }

    pub(super) async fn run(&self, session: &Session) -> Result<Output> {
        listing(self.schema(), self.rows(session).await?, self.like.as_deref())
    }

    async fn rows(&self, session: &Session) -> Result<Vec<Row>> {
        let catalogs = session.catalogs_of_user();
        Ok(match &self.what {
            What::Catalogs => names(catalogs.names()),
            What::Schemas { catalog } => names(catalogs.schemas(catalog).await?),
            What::Tables { catalog, schema } => {
                let tables = catalogs.tables(catalog, schema).await?.into_iter();
                tables.map(|table| vec![Some(table.name), Some(kind_name(table.kind))]).collect()
            }
            What::Views { catalog, schema } => {
                let tables = catalogs.tables(catalog, schema).await?.into_iter();
                let views = tables.filter(|table| table.kind == TableKind::View);
                names(views.map(|view| view.name).collect())
            }
            What::Columns { table } => {
                let state = session.snapshot();
                let source = Planner::new(session, &state).load(table).await?;
                let columns: Vec<_> = source.schema().fields().iter().cloned().collect();
                column_rows(&columns)
            }
            What::CreateTable { table } => {
                vec![vec![Some(show_create::table(session, table).await?)]]
            }
            What::CreateView { view } => vec![vec![Some(show_create::view(session, view).await?)]],
            What::Functions => names(session.functions()),
            What::Settings { name } => settings(session, name.as_deref()),
        })
    }
}

fn names(names: Vec<String>) -> Vec<Row> {
    names.into_iter().map(|name| vec![Some(name)]).collect()
}

fn kind_name(kind: TableKind) -> String {
    let name = match kind {
        TableKind::Table => "TABLE",
        TableKind::View => "VIEW",
        TableKind::System => "SYSTEM TABLE",
    };
    name.to_owned()
}

fn settings(session: &Session, name: Option<&str>) -> Vec<Row> {
    let mut entries = session.with_state(|state| state.config_options().entries());
    entries.retain(|entry| name.is_none_or(|name| entry.key == name));
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries.into_iter().map(|entry| vec![Some(entry.key), entry.value]).collect()
}
