//! The file source of Iceberg tables: DataFusion's Parquet source with the Iceberg part of each
//! file.
//!
//! Every method that gives a new source wraps it again. One that did not would turn the scan into
//! one of plain Parquet files, which finds columns by name.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::config::{ConfigOptions, TableParquetOptions};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_datafusion_err, internal_err};
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::file::FileSource;
use datafusion_datasource::file_groups::FileGroup;
use datafusion_datasource::file_scan_config::{FileScanConfig, FileScanConfigBuilder};
use datafusion_datasource::file_stream::FileOpener;
use datafusion_datasource::morsel::Morselizer;
use datafusion_datasource::{PartitionedFile, TableSchema};
use object_store::ObjectStore;

use super::ScanFile;
use super::morsel::IcebergMorselizer;
use super::reader::ReaderFactory;
use crate::plan::{cut, group_by_bytes};
use crate::storage::Storage;

/// Reads the data files of an Iceberg table. Its files carry what only Iceberg knows of them.
///
/// It says nothing of how it travels: what the Parquet source would say of itself leaves out all
/// that is Iceberg's. [`ScanCodec`](super::ScanCodec) does that.
#[derive(Clone)]
pub struct IcebergParquetSource {
    parquet: Arc<dyn FileSource>,
    /// That of the table, for the user who scans it.
    storage: Storage,
    /// The order that row groups are read in as far as their statistics tell. The Parquet source
    /// keeps it to itself.
    sort_order: Option<LexOrdering>,
}

impl IcebergParquetSource {
    /// Wraps a source that is set up to read the files, with the table's current schema.
    pub(crate) fn new(parquet: ParquetSource, storage: Storage) -> Self {
        Self { parquet: Arc::new(parquet), storage, sort_order: None }
    }

    /// The storage that it reads from.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The source that it wraps.
    pub(super) fn parquet(&self) -> Result<&ParquetSource> {
        let parquet = self.parquet.downcast_ref();
        parquet.ok_or_else(|| internal_datafusion_err!("the source of a table is not Parquet"))
    }

    pub(super) fn sort_order(&self) -> Option<&LexOrdering> {
        self.sort_order.as_ref()
    }

    fn wrap(&self, parquet: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { parquet, ..self.clone() })
    }

    /// The columns of lists, maps and structs of a file may need reshaping. A decoder that finds
    /// a filter over such a column not to its liking leaves the filter out, so none is given it.
    fn is_pushable(&self, filter: &Arc<dyn PhysicalExpr>) -> bool {
        let schema = self.parquet.table_schema().table_schema();
        collect_columns(filter).iter().all(|column| {
            schema.field_with_name(column.name()).is_ok_and(|field| !field.data_type().is_nested())
        })
    }
}

/// A source of plain Parquet files that reads as `options` say.
pub(super) fn parquet_source(
    schema: TableSchema,
    options: TableParquetOptions,
    storage: &Storage,
    runtime: &RuntimeEnv,
) -> ParquetSource {
    let footers = runtime.cache_manager.get_file_metadata_cache();
    let readers = Arc::new(ReaderFactory::new(storage.store(), footers));
    let size_hint = options.global.metadata_size_hint;
    let parquet = ParquetSource::new(schema)
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(readers);
    match size_hint {
        Some(size_hint) => parquet.with_metadata_size_hint(size_hint),
        None => parquet,
    }
}

/// Cuts `files` at row groups and spreads them over at most `partitions` groups.
pub(super) fn spread(
    files: &[PartitionedFile],
    partitions: NonZeroUsize,
    min_bytes: u64,
) -> Vec<FileGroup> {
    group_by_bytes(cut(files, partitions, min_bytes, split_offsets), partitions)
}

/// Where the row groups of a file of a table start.
pub(super) fn split_offsets(file: &PartitionedFile) -> &[i64] {
    file.extension::<Arc<ScanFile>>().map_or(&[], |file| &file.split_offsets)
}

impl FileSource for IcebergParquetSource {
    fn create_file_opener(
        &self,
        _: Arc<dyn ObjectStore>,
        _: &FileScanConfig,
        _: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        internal_err!("Iceberg data files are read as morsels")
    }

    fn create_morselizer(
        &self,
        _: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        // What the Parquet source reads of the configuration, without the list of files.
        let url = config.object_store_url.clone();
        let config = FileScanConfigBuilder::new(url, Arc::clone(&self.parquet))
            .with_limit(config.limit)
            .with_preserve_order(config.preserve_order)
            .with_statistics(Statistics::default())
            .build();
        let (parquet, store) = (Arc::clone(&self.parquet), Arc::clone(self.storage.store()));
        Ok(Box::new(IcebergMorselizer { parquet, store, config, partition }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.parquet.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.wrap(self.parquet.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.parquet.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.parquet.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.parquet.metrics()
    }

    fn file_type(&self) -> &str {
        "iceberg"
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        self.parquet.fmt_extra(format, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.parquet.supports_repartitioning()
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        let Some(partitions) = NonZeroUsize::new(target_partitions) else {
            return Ok(None);
        };
        let before = config.file_groups.len();
        if before >= target_partitions || output_ordering.is_some() || config.preserve_order {
            return Ok(None);
        }
        let files: Vec<PartitionedFile> =
            config.file_groups.iter().flat_map(FileGroup::files).cloned().collect();
        let file_groups = spread(&files, partitions, repartition_file_min_size as u64);
        if file_groups.len() <= before {
            return Ok(None);
        }
        let mut config = config.clone();
        config.file_groups = file_groups;
        Ok(Some(config))
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        options: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let pushable: Vec<bool> = filters.iter().map(|filter| self.is_pushable(filter)).collect();
        let offered = filters.into_iter().zip(&pushable);
        let offered = offered.filter_map(|(filter, pushable)| pushable.then_some(filter)).collect();
        let answer = self.parquet.try_pushdown_filters(offered, options)?;
        let mut answers = answer.filters.into_iter();
        let filters = pushable.into_iter().map(|pushable| match pushable {
            true => answers.next().unwrap_or(PushedDown::No),
            false => PushedDown::No,
        });
        Ok(FilterPushdownPropagation {
            filters: filters.collect(),
            updated_node: answer.updated_node.map(|parquet| self.wrap(parquet)),
        })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(match self.parquet.try_pushdown_sort(order, properties)? {
            SortOrderPushdownResult::Exact { inner } => {
                SortOrderPushdownResult::Exact { inner: self.wrap(inner) }
            }
            SortOrderPushdownResult::Inexact { inner: parquet } => {
                let sort_order = LexOrdering::new(order.iter().cloned());
                let inner = Arc::new(Self { parquet, sort_order, ..self.clone() });
                SortOrderPushdownResult::Inexact { inner }
            }
            SortOrderPushdownResult::Unsupported => SortOrderPushdownResult::Unsupported,
        })
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.parquet.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.parquet.try_pushdown_projection(projection)?.map(|parquet| self.wrap(parquet)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.parquet.apply_expressions(f)
    }
}
