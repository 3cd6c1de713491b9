//! From planned files to rows: DataFusion's Parquet reader, with columns found by field id.
//!
//! [`source`] wraps the reader, [`morsel`] ties each file to its own Iceberg part, [`reader`] reads
//! bytes, [`adapter`] rewrites expressions for a file, [`align`] reshapes what no cast can. A scan
//! travels to other nodes by [`codec`], in the parts that [`split`] makes of it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::DateTime;
use datafusion::catalog::Session;
use datafusion::common::config::TableParquetOptions;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use datafusion_datasource::file_scan_config::FileScanConfigBuilder;
use datafusion_datasource::source::DataSourceExec;
use datafusion_datasource::{PartitionedFile, TableSchema};
use iceberg::spec::{TableMetadata, Transform};
use object_store::ObjectMeta;

use crate::plan::{self, ColumnType, DataFile};
use crate::value::to_scalar;
use crate::{Result, Table, storage};

mod adapter;
mod align;
pub mod codec;
mod morsel;
mod reader;
mod source;
pub mod split;
#[cfg(test)]
mod tests;

pub use codec::ScanCodec;
pub use source::IcebergParquetSource;

/// Up to so many file columns, each file carries its statistics, which let the reader skip files
/// while a query runs. Beyond it they would take more memory than they save time.
const MAX_FILE_COLUMN_STATISTICS: usize = 1 << 18;

/// What a file needs besides what DataFusion's `PartitionedFile` says. It hangs on that as an
/// extension, because any partition of a scan may come to read any file.
#[derive(Debug)]
pub(crate) struct ScanFile {
    /// As the manifest names it.
    pub(crate) location: String,
    /// The columns of the table with the ids of all their fields.
    pub(crate) table: SchemaRef,
    /// Where row groups start; empty where that is not recorded.
    pub(crate) split_offsets: Box<[i64]>,
    /// Values of columns, by field id, that the file may leave out because they are those of its
    /// partition.
    pub(crate) constants: Box<[(i32, ScalarValue)]>,
    /// Field ids of the columns in which there may be a NaN.
    pub(crate) may_be_nan: Box<[i32]>,
}

/// The files of one scan of a table, whose current schema is `schema`, and `ids` with the ids of
/// nested fields.
pub(crate) struct Scan<'a> {
    pub(crate) table: &'a Table,
    pub(crate) schema: &'a SchemaRef,
    pub(crate) ids: &'a SchemaRef,
    /// At least one.
    pub(crate) files: &'a [Arc<DataFile>],
    pub(crate) projection: Option<&'a Vec<usize>>,
    /// Rows that are enough; only without filters.
    pub(crate) limit: Option<usize>,
}

impl Scan<'_> {
    /// The plan node that reads the files in as many partitions as the session wants.
    pub(crate) fn plan(
        &self,
        session: &dyn Session,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        let storage = &self.table.storage;
        let runtime = session.runtime_env();
        let url = storage::scan_url(runtime)?;

        let mut options = TableParquetOptions {
            global: session.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        // Iceberg's timestamps are microseconds, which those old ones need no detour to become.
        options.global.coerce_int96 = Some("us".to_owned());
        options.global.coerce_int96_tz = None;
        let schema = TableSchema::from(self.schema);
        let parquet = source::parquet_source(schema, options, storage, runtime);

        let columns = plan::column_types(self.schema, &self.table.metadata);
        let files = self.partitioned_files(&columns)?;
        let partitions = NonZeroUsize::new(session.config().target_partitions());
        let partitions = partitions.unwrap_or(NonZeroUsize::MIN);
        let min_bytes = session.config_options().optimizer.repartition_file_min_size;
        let groups = source::spread(&files, partitions, min_bytes as u64);
        let source = Arc::new(IcebergParquetSource::new(parquet, storage.clone()));
        let config = FileScanConfigBuilder::new(url, source)
            .with_file_groups(groups)
            .with_statistics(plan::table_statistics(self.files, &columns))
            .with_projection_indices(self.projection.cloned())?
            .with_limit(self.limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn partitioned_files(&self, columns: &[Option<ColumnType>]) -> Result<Vec<PartitionedFile>> {
        let with_statistics = self.files.len() * columns.len() <= MAX_FILE_COLUMN_STATISTICS;
        let files = self.files.iter().map(|file| {
            let mut partitioned = PartitionedFile::new_from_meta(ObjectMeta {
                location: self.table.storage.path(&file.location)?,
                // Data files never change, so one moment is as good as another.
                last_modified: DateTime::UNIX_EPOCH,
                size: file.size_bytes,
                e_tag: None,
                version: None,
            });
            if with_statistics {
                let statistics = plan::file_statistics(file, columns);
                partitioned.statistics = Some(Arc::new(statistics));
            }
            let table = Arc::clone(self.ids);
            let scan_file = ScanFile::new(file, columns, &self.table.metadata, table);
            Ok(partitioned.with_extension(Arc::new(scan_file)))
        });
        files.collect()
    }
}

impl ScanFile {
    fn new(
        file: &DataFile,
        columns: &[Option<ColumnType>],
        metadata: &TableMetadata,
        table: SchemaRef,
    ) -> Self {
        let columns = || columns.iter().flatten();
        let may_be_nan = columns().filter(|column| {
            let metrics = file.column(column.field_id);
            column.arrow.is_floating() && metrics.is_none_or(|metrics| metrics.nans != Some(0))
        });
        let spec = metadata.partition_spec_by_id(file.spec_id);
        let fields = spec.iter().flat_map(|spec| spec.fields()).zip(&file.partition);
        let constants = fields.filter_map(|(field, value)| {
            let column = columns().find(|column| column.field_id == field.source_id)?;
            let is_identity = field.transform == Transform::Identity;
            let value = value.as_ref().filter(|_| is_identity)?;
            Some((column.field_id, to_scalar(value, &column.arrow)?))
        });
        Self {
            location: file.location.clone(),
            table,
            split_offsets: file.split_offsets.clone(),
            constants: constants.collect(),
            may_be_nan: may_be_nan.map(|column| column.field_id).collect(),
        }
    }
}
