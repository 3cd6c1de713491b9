//! DataFusion's Parquet source whose errors say which file they are about.
//!
//! Every method that gives a new source wraps it again.

use std::{fmt, sync::Arc};

use arrow::array::RecordBatch;
use datafusion::{
    common::{config::ConfigOptions, tree_node::TreeNodeRecursion},
    error::Result,
    physical_expr::{
        EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr,
        projection::ProjectionExprs,
    },
    physical_plan::{
        DisplayFormatType, SortOrderPushdownResult, filter_pushdown::FilterPushdownPropagation,
        metrics::ExecutionPlanMetricsSet,
    },
};
use datafusion_datasource::{
    PartitionedFile, TableSchema,
    file::FileSource,
    file_scan_config::FileScanConfig,
    file_stream::FileOpener,
    morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer},
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::ObjectStore;

use super::fault::at_file;

/// Reads Parquet files.
pub(super) struct NamingParquetSource {
    inner: Arc<dyn FileSource>,
}

impl NamingParquetSource {
    /// `inner` with paths in its errors.
    pub(super) fn wrap(inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { inner })
    }
}

impl FileSource for NamingParquetSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self.inner.create_morselizer(store, config, partition)?;
        Ok(Box::new(NamingMorselizer(inner)))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Self::wrap(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_extra(format, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        min_size: usize,
        ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        // The parts keep the source of `config`, which is this one.
        self.inner.repartitioned(target_partitions, min_size, ordering, config)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let mut pushed = self.inner.try_pushdown_filters(filters, config)?;
        pushed.updated_node = pushed.updated_node.map(Self::wrap);
        Ok(pushed)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_sort(order, properties)?.map(Self::wrap))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_projection(projection)?.map(Self::wrap))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

#[derive(Debug)]
struct NamingMorselizer(Box<dyn Morselizer>);

impl Morselizer for NamingMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let path: Arc<str> = format!("/{}", file.path()).into();
        match self.0.plan_file(file) {
            Ok(inner) => Ok(Box::new(Naming { inner, path })),
            Err(error) => Err(at_file(&path, error)),
        }
    }
}

/// A step of reading the file at `path`.
#[derive(Debug)]
struct Naming<T: ?Sized> {
    path: Arc<str>,
    inner: Box<T>,
}

impl MorselPlanner for Naming<dyn MorselPlanner> {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, path } = *self;
        let Some(mut plan) = inner.plan().map_err(|error| at_file(&path, error))? else {
            return Ok(None);
        };
        let planner = |inner| -> Box<dyn MorselPlanner> {
            Box::new(Naming { inner, path: Arc::clone(&path) })
        };
        let morsel =
            |inner| -> Box<dyn Morsel> { Box::new(Naming { inner, path: Arc::clone(&path) }) };
        let mut named = MorselPlan::new()
            .with_planners(plan.take_ready_planners().into_iter().map(planner).collect())
            .with_morsels(plan.take_morsels().into_iter().map(morsel).collect());
        if let Some(pending) = plan.take_pending_planner() {
            let path = Arc::clone(&path);
            named.set_pending_planner(async move {
                match pending.await {
                    Ok(inner) => Ok(Box::new(Naming { inner, path }) as Box<dyn MorselPlanner>),
                    Err(error) => Err(at_file(&path, error)),
                }
            });
        }
        Ok(Some(named))
    }
}

impl Morsel for Naming<dyn Morsel> {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { inner, path } = *self;
        inner.into_stream().map_err(move |error| at_file(&path, error)).boxed()
    }
}
