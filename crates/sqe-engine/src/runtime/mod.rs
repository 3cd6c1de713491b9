//! What runs and what ran: the catalog `system`, whose schema `runtime` tells of nodes, queries and
//! tasks. A user sees their own queries, an operator all of them.

mod ledger;
mod tables;

pub(crate) use ledger::{Entry, Ledger};
pub(crate) use tables::{TABLES, table};

/// The catalog of this process.
pub(crate) const CATALOG: &str = "system";

/// Its only schema beside `information_schema`.
pub(crate) const SCHEMA: &str = "runtime";
