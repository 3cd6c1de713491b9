//! A connection's settings and identity, and the statements it prepares.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;

use crate::{Engine, Result};

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name that `current_user` shows.
    pub user: String,
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
    inner: Arc<SessionInner>,
}

#[derive(Debug)]
struct SessionInner {
    engine: Engine,
    identity: Identity,
}

/// A statement that was parsed and planned. Clones share it; it can be executed any number of
/// times, each time with a physical plan of its own, because a physical plan runs once.
#[derive(Debug, Clone)]
pub struct Prepared {}

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
        Self { inner: Arc::new(SessionInner { engine, identity }) }
    }

    /// Who is asking.
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// Parses and plans exactly one statement. Nothing that changes anything runs here.
    pub async fn prepare(&self, sql: &str) -> Result<Prepared> {
        todo!()
    }

    /// The catalog that unqualified names are looked up in.
    pub fn current_catalog(&self) -> String {
        todo!()
    }

    /// The schema that unqualified names are looked up in.
    pub fn current_schema(&self) -> String {
        todo!()
    }

    /// The names of all catalogs, sorted.
    pub async fn catalogs(&self) -> Result<Vec<String>> {
        todo!()
    }

    /// The names of the schemas of a catalog, sorted. Errors: `NotFound`.
    pub async fn schemas(&self, catalog: &str) -> Result<Vec<String>> {
        todo!()
    }

    /// The tables and views of a schema, sorted by name. Errors: `NotFound`.
    pub async fn tables(&self, catalog: &str, schema: &str) -> Result<Vec<TableEntry>> {
        todo!()
    }

    /// The columns of a table or view. Errors: `NotFound`.
    pub async fn table_schema(&self, catalog: &str, schema: &str, table: &str) -> Result<SchemaRef> {
        todo!()
    }

    /// The names of all scalar, aggregate, window and table functions, sorted.
    pub fn functions(&self) -> Vec<String> {
        todo!()
    }
}

impl Prepared {
    /// The columns of the rows it answers; no fields for a statement that answers none.
    pub fn schema(&self) -> SchemaRef {
        todo!()
    }

    /// False for a statement that changes something and answers a number of rows at most: it must
    /// be executed exactly once, when the client asks for it.
    pub fn returns_rows(&self) -> bool {
        todo!()
    }

    /// Runs it. Cancel-safe: dropping the future or the stream ends the statement.
    pub async fn execute(&self) -> Result<Output> {
        todo!()
    }
}
