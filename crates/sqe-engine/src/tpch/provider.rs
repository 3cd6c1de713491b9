//! A TPC-H table at a scale as a table of DataFusion.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    error::Result,
    logical_expr::{Expr, TableType},
    physical_plan::ExecutionPlan,
};

use super::{TpchExec, exec::Shares, table::Table};

/// A table that generates what is read from it.
#[derive(Debug)]
pub(super) struct TpchProvider {
    table: Table,
    scale: f64,
    schema: SchemaRef,
}

impl TpchProvider {
    pub(super) fn new(table: Table, scale: f64) -> Self {
        Self { table, scale, schema: table.schema() }
    }
}

#[async_trait]
impl TableProvider for TpchProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.fields().len()).collect();
        let projection = projection.cloned().unwrap_or_else(all);
        let options = state.config();
        let shares =
            self.table.share_count(self.scale, options.target_partitions(), options.batch_size());
        let partitions = usize::try_from(shares).unwrap_or(1);
        let (table, scale, shares) = (self.table, self.scale, Shares::all(shares));
        Ok(Arc::new(TpchExec::try_new(table, scale, shares, partitions, projection, limit)?))
    }
}
