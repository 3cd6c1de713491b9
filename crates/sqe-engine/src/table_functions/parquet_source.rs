//! DataFusion's Parquet source with a storage of its own, whose errors say which file they are about.
//!
//! Every method that gives a new source wraps it again.

use std::{fmt, sync::Arc};

use arrow::array::RecordBatch;
use datafusion::{
    common::{
        config::{ConfigOptions, TableParquetOptions},
        internal_datafusion_err,
        tree_node::TreeNodeRecursion,
    },
    datasource::physical_plan::{ParquetSource, parquet::CachedParquetFileReaderFactory},
    error::Result,
    execution::runtime_env::RuntimeEnv,
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
use sqe_iceberg::storage::Storage;

use super::fault::{at_file, shown_path};

/// Reads Parquet files of its own storage.
#[derive(Clone)]
pub(super) struct OwnParquetSource {
    inner: Arc<dyn FileSource>,
    storage: Storage,
    /// The order that row groups are read in as far as their statistics tell. The Parquet source
    /// keeps it to itself.
    sort_order: Option<LexOrdering>,
}

/// A source of Parquet files of `storage`; what is read of footers stays in `runtime`.
pub(super) fn parquet_source(
    options: TableParquetOptions,
    schema: TableSchema,
    storage: &Storage,
    runtime: &RuntimeEnv,
) -> ParquetSource {
    let footers = runtime.cache_manager.get_file_metadata_cache();
    let readers = CachedParquetFileReaderFactory::new(Arc::clone(storage.store()), footers);
    let size_hint = options.global.metadata_size_hint;
    let source = ParquetSource::new(schema)
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(Arc::new(readers));
    match size_hint {
        Some(size_hint) => source.with_metadata_size_hint(size_hint),
        None => source,
    }
}

impl OwnParquetSource {
    /// `source`, which reads from `storage`.
    pub(super) fn new(source: ParquetSource, storage: Storage) -> Self {
        Self { inner: Arc::new(source), storage, sort_order: None }
    }

    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(super) fn parquet(&self) -> Result<&ParquetSource> {
        let parquet = self.inner.downcast_ref();
        parquet.ok_or_else(|| internal_datafusion_err!("the source of a call is not Parquet"))
    }

    pub(super) fn sort_order(&self) -> Option<&LexOrdering> {
        self.sort_order.as_ref()
    }

    fn wrap(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { inner, ..self.clone() })
    }
}

impl FileSource for OwnParquetSource {
    fn create_file_opener(
        &self,
        _: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(Arc::clone(self.storage.store()), config, partition)
    }

    fn create_morselizer(
        &self,
        _: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let store = Arc::clone(self.storage.store());
        let inner = self.inner.create_morselizer(store, config, partition)?;
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
        Ok(match self.inner.try_pushdown_sort(order, properties)? {
            SortOrderPushdownResult::Inexact { inner } => {
                let sort_order = LexOrdering::new(order.iter().cloned());
                let inner = Arc::new(Self { inner, sort_order, ..self.clone() });
                SortOrderPushdownResult::Inexact { inner }
            }
            answer => answer.map(|inner| self.wrap(inner)),
        })
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
