//! DataFusion's Parquet source with a store of its own, whose errors say which file they are about.
//!
//! Every method that gives a new source wraps it again.

use std::{fmt, sync::Arc};

use arrow::array::RecordBatch;
use datafusion::{
    common::{config::ConfigOptions, tree_node::TreeNodeRecursion},
    datasource::{
        file_format::parquet::ParquetFormat,
        physical_plan::{ParquetSource, parquet::CachedParquetFileReaderFactory},
    },
    error::Result,
    execution::cache::cache_manager::FileMetadataCache,
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

use super::fault::{at_file, shown_path};

/// Reads Parquet files of its own store.
pub(super) struct OwnParquetSource {
    inner: Arc<dyn FileSource>,
    store: Arc<dyn ObjectStore>,
}

impl OwnParquetSource {
    /// Reads files of `store` as `format` has it; `footers` keeps what was read of them.
    pub(super) fn new(
        format: &ParquetFormat,
        schema: TableSchema,
        store: Arc<dyn ObjectStore>,
        footers: Arc<FileMetadataCache>,
    ) -> Self {
        let readers = CachedParquetFileReaderFactory::new(Arc::clone(&store), footers);
        let mut source = ParquetSource::new(schema)
            .with_table_parquet_options(format.options().clone())
            .with_parquet_file_reader_factory(Arc::new(readers));
        if let Some(size_hint) = format.metadata_size_hint() {
            source = source.with_metadata_size_hint(size_hint);
        }
        Self { inner: Arc::new(source), store }
    }

    fn wrap(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { inner, store: Arc::clone(&self.store) })
    }
}

impl FileSource for OwnParquetSource {
    fn create_file_opener(
        &self,
        _: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(Arc::clone(&self.store), config, partition)
    }

    fn create_morselizer(
        &self,
        _: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self.inner.create_morselizer(Arc::clone(&self.store), config, partition)?;
        Ok(Box::new(NamingMorselizer(inner)))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.wrap(self.inner.with_batch_size(batch_size))
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
        pushed.updated_node = pushed.updated_node.map(|inner| self.wrap(inner));
        Ok(pushed)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_sort(order, properties)?.map(|inner| self.wrap(inner)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_projection(projection)?.map(|inner| self.wrap(inner)))
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
        let path = shown_path(&file);
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
