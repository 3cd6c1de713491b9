//! Appending rows: data files, manifests, one snapshot.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;

use crate::catalog::Catalog;
use crate::create::NewTable;
use crate::{Result, Table};

/// Appends the rows of `plan`, whose columns are the table's in their order (types are cast), as
/// one snapshot. Returns the number of rows. On an error or when the future is dropped, the table
/// is as it was and the files that were written are removed.
pub async fn append(
    _catalog: &Arc<dyn Catalog>,
    _table: &Table,
    _plan: Arc<dyn ExecutionPlan>,
    _context: Arc<TaskContext>,
) -> Result<u64> {
    todo!()
}

/// Creates a table with the rows of `plan` in one atomic step; see [`append`].
pub async fn create_table_as(
    _catalog: &Arc<dyn Catalog>,
    _table: NewTable,
    _plan: Arc<dyn ExecutionPlan>,
    _context: Arc<TaskContext>,
) -> Result<u64> {
    todo!()
}
