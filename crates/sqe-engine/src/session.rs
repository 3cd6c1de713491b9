//! A connection's settings and identity, and the statements it prepares.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::execution::registry::FunctionRegistry;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use sqe_iceberg::token::{NoToken, TokenSource};

use crate::catalogs::{Catalogs, TableName};
use crate::functions::session_functions;
use crate::plan::{Planner, Sources};
use crate::statement::Planned;
use crate::{Engine, Result, rewrites, statement, table_functions};

/// Who is asking, and with which authority.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The name that `current_user` shows.
    pub user: String,
    /// What catalogs are shown for this user.
    pub tokens: Arc<dyn TokenSource>,
}

impl Identity {
    /// A user whom only catalogs without users let in.
    pub fn without_token(user: impl Into<String>) -> Self {
        Self { user: user.into(), tokens: Arc::new(NoToken) }
    }
}

/// What kind of thing a table is; the words are those of Flight SQL and `information_schema`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// `TABLE`
    Table,
    /// `VIEW`
    View,
    /// `SYSTEM TABLE`
    System,
}

/// A line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableEntry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
}

/// The state of one connection. Clones share it.
#[derive(Debug, Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: Engine,
    identity: Identity,
    /// With the authority of the identity.
    catalogs: Catalogs,
    /// Settings, current catalog and schema. Each statement works on a copy.
    state: Mutex<SessionState>,
}

/// A statement that was parsed and planned. Clones share it; it can be executed any number of
/// times, each time with a physical plan of its own, because a physical plan runs once.
#[derive(Debug, Clone)]
pub struct Prepared {
    session: Session,
    sql: Arc<str>,
    planned: Arc<Planned>,
    sources: Arc<Sources>,
}

/// What a statement answers.
pub enum Output {
    /// Rows; dropping the stream cancels the statement.
    Rows(SendableRecordBatchStream),
    /// The statement is done; `affected` is the number of rows it wrote, where that is known.
    Done {
        /// Rows written.
        affected: Option<u64>,
    },
}

impl Session {
    /// A session of `identity` with the default settings.
    pub(crate) fn new(engine: Engine, identity: Identity) -> Self {
        let state = Mutex::new(engine.state().clone());
        let catalogs = engine.open_catalogs(&identity);
        Self { inner: Arc::new(Inner { engine, identity, catalogs, state }) }
    }

    /// Who is asking.
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// Parses and plans exactly one statement. Nothing that changes anything runs here.
    pub async fn prepare(&self, sql: &str) -> Result<Prepared> {
        let (planned, sources) = statement::prepare(self, sql).await?;
        Ok(Prepared {
            session: self.clone(),
            sql: sql.into(),
            planned: Arc::new(planned),
            sources: Arc::new(sources),
        })
    }

    /// The catalog that unqualified names are looked up in.
    pub fn current_catalog(&self) -> String {
        self.with_state(|state| state.config_options().catalog.default_catalog.clone())
    }

    /// The schema that unqualified names are looked up in.
    pub fn current_schema(&self) -> String {
        self.with_state(|state| state.config_options().catalog.default_schema.clone())
    }

    /// The names of all catalogs, sorted.
    pub async fn catalogs(&self) -> Result<Vec<String>> {
        Ok(self.catalogs_of_user().names())
    }

    /// The names of the schemas of a catalog, sorted. Errors: `NotFound`.
    pub async fn schemas(&self, catalog: &str) -> Result<Vec<String>> {
        self.catalogs_of_user().schemas(catalog).await
    }

    /// The tables and views of a schema, sorted by name. Errors: `NotFound`.
    pub async fn tables(&self, catalog: &str, schema: &str) -> Result<Vec<TableEntry>> {
        self.catalogs_of_user().tables(catalog, schema).await
    }

    /// The columns of a table or view. Errors: `NotFound`.
    pub async fn table_schema(
        &self,
        catalog: &str,
        schema: &str,
        table: &str,
    ) -> Result<SchemaRef> {
        let state = self.snapshot();
        let name = TableName {
            catalog: catalog.to_owned(),
            schema: schema.to_owned(),
            table: table.to_owned(),
        };
        let planner = Planner::new(self, &state);
        Ok(planner.load(&name).await?.schema())
    }

    /// The names of all scalar, aggregate, window and table functions, sorted.
    pub fn functions(&self) -> Vec<String> {
        let state = self.snapshot();
        let mut names: Vec<String> = state
            .scalar_functions()
            .keys()
            .chain(state.higher_order_functions().keys())
            .chain(state.aggregate_functions().keys())
            .chain(state.window_functions().keys())
            .chain(state.table_functions().keys())
            .cloned()
            .chain(table_functions::NAMES.map(str::to_owned))
            .collect();
        let unnamed: Vec<_> = rewrites::functions().collect();
        names.retain(|name| unnamed.iter().all(|function| function.name() != name));
        names.sort();
        names.dedup();
        names
    }

    pub(crate) fn catalogs_of_user(&self) -> &Catalogs {
        &self.inner.catalogs
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// The settings as they are now, with the functions that tell about them and the time at which
    /// a statement starts.
    pub(crate) fn snapshot(&self) -> SessionState {
        let mut state = self.with_state(|state| state.clone());
        let defaults = &state.config_options().catalog;
        let user = &self.inner.identity.user;
        let constants =
            session_functions(user, &defaults.default_catalog, &defaults.default_schema);
        for function in constants {
            // Fails only for a registry that cannot be added to, which this one can.
            let _ = state.register_udf(function);
        }
        state.mark_start_execution();
        state
    }

    /// Changes the settings of later statements.
    pub(crate) fn with_state<T>(&self, change: impl FnOnce(&mut SessionState) -> T) -> T {
        // A panic while a setting is changed leaves the old or the new one, both whole.
        change(&mut self.inner.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Prepared {
    /// The columns of the rows it answers; no fields for a statement that answers none.
    pub fn schema(&self) -> SchemaRef {
        self.planned.schema()
    }

    /// False for a statement that changes something and answers a number of rows at most: it must
    /// be executed exactly once, when the client asks for it.
    pub fn returns_rows(&self) -> bool {
        self.planned.returns_rows()
    }

    /// The same statement over what its tables, views and files are now: itself where none of them
    /// has changed since it was planned. Errors: what is wrong with the statement by now.
    pub async fn renewed(&self) -> Result<Self> {
        let (state, catalogs) = (self.session.snapshot(), self.session.catalogs_of_user());
        match self.sources.are_current(&state, catalogs).await {
            true => Ok(self.clone()),
            false => self.session.prepare(&self.sql).await,
        }
    }

    /// Runs it. Cancel-safe: dropping the future or the stream ends the statement.
    pub async fn execute(&self) -> Result<Output> {
        let engine = self.session.engine();
        let entry = engine.ledger().begin(&self.session.identity().user, &self.sql);
        statement::execute(&self.session, &self.planned, entry).await
    }
}

#[cfg(test)]
mod tests;
