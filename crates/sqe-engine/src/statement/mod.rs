//! Statements after parsing: one file per family plans and runs it.

mod call;
mod create_schema;
mod create_table;
mod create_view;
mod describe;
mod drop;
mod insert;
mod query;
mod rows;
mod setting;
mod show;
mod show_create;
mod types;
mod use_schema;

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::SessionState;

use crate::deadline::Deadline;
use crate::parse::{self, Statement};
use crate::plan::{SourceRecorder, Sources};
use crate::planning::on_own_thread;
use crate::runtime::Entry;
use crate::{Output, Result, Session};

/// A statement that can be run any number of times.
#[derive(Debug)]
pub(crate) enum Planned {
    Query(query::Query),
    Insert(Box<insert::Insert>),
    CreateTable(Box<create_table::CreateTable>),
    CreateView(Box<create_view::CreateView>),
    CreateSchema(create_schema::CreateSchema),
    Drop(drop::Drop),
    Show(show::Show),
    Describe(describe::Describe),
    Use(use_schema::Use),
    Call(call::Call),
    Setting(setting::Setting),
}

/// Parses and plans a statement within the time that statements have; also returns what the plan
/// depends on.
pub(crate) async fn prepare(session: &Session, sql: &str) -> Result<(Planned, Sources)> {
    let deadline = Deadline::after(session.engine().statement_timeout());
    let (session, sql) = (session.clone(), sql.to_owned());
    let prepared = on_own_thread(move || async move { plan(&session, parse::parse(&sql)?).await });
    deadline.bound(prepared).await
}

async fn plan(session: &Session, statement: Statement) -> Result<(Planned, Sources)> {
    let mut state = session.snapshot();
    let recorder = SourceRecorder::begin(&mut state);
    let planned = plan_with(session, &state, statement).await?;
    Ok((planned, recorder.finish()))
}

async fn plan_with(
    session: &Session,
    state: &SessionState,
    statement: Statement,
) -> Result<Planned> {
    Ok(match statement {
        Statement::Query(query) => Planned::Query(query::plan(session, state, query).await?),
        Statement::Insert(insert) => {
            Planned::Insert(Box::new(insert::plan(session, state, insert).await?))
        }
        Statement::CreateTable(table) => {
            let table = create_table::plan(session, state, *table).await?;
            Planned::CreateTable(Box::new(table))
        }
        Statement::CreateView(view) => {
            let view = create_view::plan(session, state, *view).await?;
            Planned::CreateView(Box::new(view))
        }
        Statement::CreateSchema(schema) => {
            Planned::CreateSchema(create_schema::plan(state, schema)?)
        }
        Statement::Drop(drop) => Planned::Drop(drop::plan(state, &drop)?),
        Statement::Show(show) => Planned::Show(show::plan(state, show)?),
        Statement::Describe(describe) => {
            Planned::Describe(describe::plan(session, state, describe).await?)
        }
        Statement::Use(name) => Planned::Use(use_schema::plan(&name)?),
        Statement::Call(call) => Planned::Call(call::plan(state, &call)?),
        Statement::Setting(statement) => {
            Planned::Setting(setting::plan(session, state, statement).await?)
        }
    })
}

/// Runs a planned statement within the time that statements have. `entry` follows it to its end.
pub(crate) async fn execute(
    session: &Session,
    planned: &Planned,
    entry: Arc<Entry>,
) -> Result<Output> {
    let deadline = Deadline::after(session.engine().statement_timeout());
    let end = entry.ends_with();
    let output = deadline.bound(entry.bound(run(session, planned, &entry))).await;
    Ok(match output {
        Ok(Output::Rows(rows)) => {
            Output::Rows(Arc::clone(&entry).follow(deadline.bound_stream(rows), end))
        }
        Ok(Output::Done { affected }) => {
            entry.end(affected.unwrap_or_default(), None);
            Output::Done { affected }
        }
        Err(error) => {
            entry.end(0, Some(error.clone()));
            return Err(error);
        }
    })
}

async fn run(session: &Session, planned: &Planned, entry: &Arc<Entry>) -> Result<Output> {
    match planned {
        Planned::Query(query) => query.run(session, entry).await,
        Planned::Insert(insert) => insert.run(session, entry).await,
        Planned::CreateTable(table) => table.run(session, entry).await,
        Planned::CreateView(view) => view.run(session).await,
        Planned::CreateSchema(schema) => schema.run(session).await,
        Planned::Drop(drop) => drop.run(session).await,
        Planned::Show(show) => show.run(session).await,
        Planned::Describe(describe) => describe.run(),
        Planned::Use(schema) => schema.run(session).await,
        Planned::Call(call) => call.run(session),
        Planned::Setting(setting) => setting.run(session),
    }
}

impl Planned {
    /// The columns of the rows; none for a statement that answers none.
    pub(crate) fn schema(&self) -> SchemaRef {
        match self {
            Self::Query(query) => query.schema(),
            Self::Show(show) => show.schema(),
            Self::Describe(describe) => describe.schema(),
            _ => Arc::new(Schema::empty()),
        }
    }

    pub(crate) fn returns_rows(&self) -> bool {
        matches!(self, Self::Query(_) | Self::Show(_) | Self::Describe(_))
    }
}
