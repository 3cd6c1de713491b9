//! An Iceberg table as DataFusion sees it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as DataFusionResult, Statistics, project_schema};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use crate::cache::ManifestCache;
use crate::plan::{self, Pruner};
use crate::scan::Scan;
use crate::{Result, Table, schema};

/// A table at one snapshot.
#[derive(Debug)]
pub struct IcebergTable {
    table: Table,
    manifests: ManifestCache,
    /// With the ids of the columns.
    schema: SchemaRef,
    /// With the ids of nested fields too.
    ids: SchemaRef,
}

impl IcebergTable {
    /// The current snapshot of `table`; its schema is the current one of the table.
    ///
    /// Errors: `Unsupported` for a table that declares a feature that is not built, by its name.
    /// What only the manifests tell, such as delete files, is refused when a scan is planned.
    pub fn try_new(table: Table, manifests: ManifestCache) -> Result<Self> {
        plan::check_supported(&table)?;
        let ids = schema::to_arrow(table.metadata.current_schema())?;
        let schema = schema::without_nested_ids(&ids);
        Ok(Self { table, manifests, schema, ids })
    }

    /// The table that is read.
    pub fn table(&self) -> &Table {
        &self.table
    }
}

#[async_trait]
impl TableProvider for IcebergTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let limit = limit.filter(|_| filters.is_empty());
        let pruner = Pruner::new(filters, session, &self.schema, &self.table.metadata);
        let (table, manifests) = (&self.table, &self.manifests);
        let files = plan::plan_files(table, manifests, pruner.as_ref(), limit).await?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)));
        }
        let (schema, ids) = (&self.schema, &self.ids);
        Scan { table, schema, ids, files: &files, projection, limit }.plan(session)
    }

    /// A filter leaves out files and row groups; which rows it lets through is decided above the
    /// scan, or by the reader, if the session wants that.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        let answers = filters.iter().map(|filter| {
            let mut plain = !filter.is_volatile();
            filter.apply(|expr| {
                plain &= !matches!(
                    expr,
                    Expr::ScalarSubquery(_)
                        | Expr::InSubquery(_)
                        | Expr::Exists(_)
                        | Expr::SetComparison(_)
                        | Expr::OuterReferenceColumn(..)
                );
                Ok(if plain { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            })?;
            Ok(match plain {
                true => TableProviderFilterPushDown::Inexact,
                false => TableProviderFilterPushDown::Unsupported,
            })
        });
        answers.collect()
    }

    /// What the summary of the snapshot says, which is there before any manifest was read. The
    /// plan of a scan has statistics of its own, of the files that are left.
    fn statistics(&self) -> Option<Statistics> {
        let summary = &self.table.metadata.current_snapshot()?.summary().additional_properties;
        let total = |name| match summary.get(name)?.parse() {
            Ok(total) => Some(Precision::Inexact(total)),
            Err(_) => None,
        };
        Some(
            Statistics::new_unknown(&self.schema)
                .with_num_rows(total("total-records")?)
                .with_total_byte_size(total("total-files-size").unwrap_or(Precision::Absent)),
        )
    }
}
