//! From a parsed query to a logical plan: every table it names is loaded at once, with the user's
//! authority, and pinned to its snapshot.

mod context;
pub(crate) mod exact_casts;
mod file_calls;
mod information_schema;
mod inserts;
mod repeated_rows;
mod sources;
mod types;
mod views;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::resolve::resolve_table_references;
use futures::future::{BoxFuture, FutureExt, join_all};
use sqlparser::ast::ObjectName;

use crate::catalogs::{Catalogs, INFORMATION_SCHEMA, Relation, TableName};
use crate::{Error, ErrorKind, Result, Session, runtime};

use context::Context;
pub(crate) use sources::{SourceRecorder, Sources};
pub(crate) use views::{DIALECT as VIEW_DIALECT, text as view_text};

/// How deep views may name views.
const MAX_VIEW_DEPTH: usize = 16;

/// Plans the statements of one session.
pub(crate) struct Planner<'a> {
    pub(crate) session: &'a Session,
    pub(crate) state: &'a SessionState,
    /// The views whose queries are being planned, from the outermost to the innermost.
    views: Vec<TableName>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(session: &'a Session, state: &'a SessionState) -> Self {
        Self { session, state, views: Vec::new() }
    }

    /// Plans the query of a view that is to be made, which must not name that view.
    pub(crate) fn of_new_view(
        session: &'a Session,
        state: &'a SessionState,
        view: &TableName,
    ) -> Self {
        Self { session, state, views: vec![view.clone()] }
    }

    fn catalogs(&self) -> &Catalogs {
        self.session.catalogs_of_user()
    }

    /// The logical plan of a query, an INSERT or a setting, with its types checked.
    pub(crate) async fn plan(&self, mut statement: DfStatement) -> Result<LogicalPlan> {
        let tables = self.load_tables(&statement).await?;
        inserts::prepare(self.state, &mut statement, &tables)?;
        let calls = file_calls::open(self, &statement).await?;
        let context = Context::new(self.state, tables, calls);
        let planner = SqlToRel::new_with_options(&context, parser_options(self.state));
        let plan = inserts::keep_fractions(planner.statement_to_plan(statement)?)?;
        // Type coercion belongs to planning: its errors are errors of the text, and only after it
        // does the plan have the columns that the client will see.
        let config = self.state.config_options();
        Ok(self.state.analyzer().execute_and_check(plan, config, |_, _| {})?)
    }

    /// Loads every table that a statement may name. What cannot be loaded is kept as its error,
    /// because a name may turn out to be that of a common table expression.
    async fn load_tables(
        &self,
        statement: &DfStatement,
    ) -> Result<HashMap<TableName, Result<Arc<dyn TableSource>>>> {
        let normalize = self.state.config_options().sql_parser.enable_ident_normalization;
        let (references, _) = resolve_table_references(statement, normalize)?;
        let mut names: Vec<TableName> = Vec::with_capacity(references.len());
        for reference in references {
            let name = resolve(self.state, reference);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let loads = names.into_iter().map(|name| async move {
            let source = self.load(&name).await;
            (name, source)
        });
        Ok(join_all(loads).await.into_iter().collect())
    }

    /// Loads one table or view. Boxed, because views are planned by the same code.
    pub(crate) fn load<'b>(
        &'b self,
        name: &'b TableName,
    ) -> BoxFuture<'b, Result<Arc<dyn TableSource>>> {
        async move {
            if name.schema == INFORMATION_SCHEMA {
                SourceRecorder::record_unversioned(self.state);
                let table = information_schema::table(self, name).await?;
                return Ok(provider_as_source(table));
            }
            if name.catalog == runtime::CATALOG {
                SourceRecorder::record_unversioned(self.state);
                if name.schema != runtime::SCHEMA {
                    let catalogs = self.catalogs();
                    return Err(catalogs.schema_not_found(&name.catalog, &name.schema).await);
                }
                return Ok(provider_as_source(runtime::table(self.session, &name.table)?));
            }
            let relation = self.catalogs().load(name).await?;
            SourceRecorder::record(self.state, name, &relation);
            match relation {
                Relation::Table(table) => Ok(provider_as_source(table)),
                Relation::View(view) => {
                    self.check_cycle(name)?;
                    let view = views::table(self, name, &view).await?;
                    Ok(provider_as_source(view))
                }
            }
        }
        .boxed()
    }

    /// Fails where the view `name` is named by its own query.
    fn check_cycle(&self, name: &TableName) -> Result<()> {
        let Some(start) = self.views.iter().position(|view| view == name) else { return Ok(()) };
        let names =
            self.views[start..].iter().chain([name]).map(|view| format!("{:?}", view.to_string()));
        let names = names.collect::<Vec<_>>().join(" -> ");
        let message = format!("{CYCLE}: {names}");
        Err(Error::new(ErrorKind::InvalidStatement, message))
    }

    /// A planner for the query of a view.
    fn inside_view<'b>(&self, name: &TableName, state: &'b SessionState) -> Result<Planner<'b>>
    where
        'a: 'b,
    {
        match self.views.len() < MAX_VIEW_DEPTH {
            true => {
                let views = self.views.iter().chain([name]).cloned().collect();
                Ok(Planner { session: self.session, state, views })
            }
            false => Err(Error::new(
                ErrorKind::InvalidStatement,
                format!("views name each other more than {MAX_VIEW_DEPTH} levels deep"),
            )),
        }
    }
}

/// How the error of a circle of views begins, which names all of them.
const CYCLE: &str = "views name each other in a circle";

/// The full name of a table in a session.
pub(crate) fn resolve(state: &SessionState, reference: TableReference) -> TableName {
    let defaults = &state.config_options().catalog;
    let resolved = reference.resolve(&defaults.default_catalog, &defaults.default_schema);
    TableName {
        catalog: resolved.catalog.to_string(),
        schema: resolved.schema.to_string(),
        table: resolved.table.to_string(),
    }
}

/// The full name of a table in a session, as it is written.
pub(crate) fn resolve_name(state: &SessionState, name: &ObjectName) -> Result<TableName> {
    let parts = name_parts(name)?;
    let reference = match parts.as_slice() {
        [table] => TableReference::bare(table.as_str()),
        [schema, table] => TableReference::partial(schema.as_str(), table.as_str()),
        [catalog, schema, table] => {
            TableReference::full(catalog.as_str(), schema.as_str(), table.as_str())
        }
        _ => {
            return Err(Error::new(
                ErrorKind::InvalidStatement,
                format!("table name {name} has more than three parts"),
            )
            .with_hint("put the levels of a nested schema in one pair of double quotes"));
        }
    };
    Ok(resolve(state, reference))
}

/// The parts of a name; unquoted ones in lower case.
pub(crate) fn name_parts(name: &ObjectName) -> Result<Vec<String>> {
    let parts = name.0.iter().map(|part| {
        part.as_ident().map(ident_name).ok_or_else(|| {
            Error::new(ErrorKind::InvalidStatement, format!("{part} is not part of a name"))
        })
    });
    parts.collect()
}

/// An identifier as a name: in lower case unless it is quoted.
pub(crate) fn ident_name(ident: &sqlparser::ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn parser_options(state: &SessionState) -> ParserOptions {
    let options = &state.config_options().sql_parser;
    ParserOptions {
        parse_float_as_decimal: options.parse_float_as_decimal,
        enable_ident_normalization: options.enable_ident_normalization,
        enable_options_value_normalization: options.enable_options_value_normalization,
        support_varchar_with_length: options.support_varchar_with_length,
        map_string_types_to_utf8view: options.map_string_types_to_utf8view,
        collect_spans: options.collect_spans,
        default_null_ordering: options.default_null_ordering.as_str().into(),
    }
}
