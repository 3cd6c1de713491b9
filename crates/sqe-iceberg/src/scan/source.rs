//! The file source of Iceberg tables: DataFusion's Parquet source with the Iceberg part of each
//! file.
//!
//! Every method that gives a new source wraps it again. One that did not would turn the scan into
//! one of plain Parquet files, which finds columns by name.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::datasource::physical_plan::ParquetSource;
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
use crate::plan::{cut, group_by_bytes};

/// Reads the data files of an Iceberg table. Its files carry what only Iceberg knows of them.
#[derive(Clone)]
pub struct IcebergParquetSource {
    parquet: Arc<dyn FileSource>,
    /// The store of the table, for the user who scans it.
    store: Arc<dyn ObjectStore>,
}

impl IcebergParquetSource {
    /// Wraps a source that is set up to read the files, with the table's current schema.
    pub(crate) fn new(parquet: ParquetSource, store: Arc<dyn ObjectStore>) -> Self {
        Self { parquet: Arc::new(parquet), store }
    }

    fn wrap(&self, parquet: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { parquet, store: Arc::clone(&self.store) })
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

/// Cuts `files` at row groups and spreads them over at most `partitions` groups.
pub(super) fn spread(
    files: &[PartitionedFile],
    partitions: NonZeroUsize,
    min_bytes: u64,
) -> Vec<FileGroup> {
    group_by_bytes(cut(files, partitions, min_bytes, split_offsets), partitions)
}

fn split_offsets(file: &PartitionedFile) -> &[i64] {
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
        let (parquet, store) = (Arc::clone(&self.parquet), Arc::clone(&self.store));
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
            SortOrderPushdownResult::Inexact { inner } => {
                SortOrderPushdownResult::Inexact { inner: self.wrap(inner) }
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
