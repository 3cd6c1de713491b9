//! A fixed list of files as a table of DataFusion.
//!
//! Unlike a listing table it does not look at the folder again, so that a statement reads the files
//! that its columns were inferred from.

use std::sync::Arc;

use arrow::{
    array::{AsArray, BooleanArray, RecordBatch, RecordBatchOptions},
    datatypes::{Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{ColumnStatistics, DFSchema, Statistics, stats::Precision},
    datasource::{
        file_format::{FileFormat, parquet::ParquetFormat},
        listing::helpers::expr_applicable_for_cols,
    },
    error::Result as DfResult,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType, utils::conjunction},
    physical_plan::{ExecutionPlan, empty::EmptyExec},
    scalar::ScalarValue,
};
use datafusion_datasource::{
    PartitionedFile, TableSchema, compute_all_files_statistics, file::FileSource,
    file_groups::FileGroup, file_scan_config::FileScanConfigBuilder, source::DataSourceExec,
};
use futures::{StreamExt, TryStreamExt, stream};
use sqe_iceberg::storage::{Storage, scan_url};

use super::{
    Files,
    fault::{ShownPath, shown_path, unreadable},
    hive::PathColumns,
    options::invalid,
    parquet_source::{OwnParquetSource, parquet_source},
    text::{self, Compression, TextFormat, TextSource},
};
use crate::Result;

/// How the files of a table are read.
#[derive(Debug)]
pub(super) enum Reading {
    Parquet(Arc<ParquetFormat>),
    Text { format: Arc<dyn TextFormat>, compression: Compression },
}

/// The files of a call of a table function.
#[derive(Debug)]
pub(super) struct FilesTable {
    storage: Storage,
    schema: TableSchema,
    files: Vec<PartitionedFile>,
    reading: Reading,
}

impl FilesTable {
    /// The table of files that all have the columns of `file_schema`.
    ///
    /// Errors: `InvalidStatement` for a column that is in the files and in their paths.
    pub(super) fn try_new(
        files: Files,
        file_schema: SchemaRef,
        path_columns: PathColumns,
        reading: Reading,
    ) -> Result<Self> {
        let PathColumns { fields, values } = path_columns;
        for (index, field) in fields.iter().enumerate() {
            let name = field.name();
            let twice = fields[..index].iter().any(|earlier| earlier.name() == name);
            if twice || file_schema.field_with_name(name).is_ok() {
                let error = invalid(format!("column {name:?} is in the files and in their paths"));
                return Err(error.with_hint("hive_partitioning => false leaves out the paths"));
            }
        }
        let partitioned = files.found.into_iter().zip(values).map(|(found, values)| {
            let shown = ShownPath(found.path.into());
            let file = PartitionedFile::new_from_meta(found.meta).with_extension(shown);
            file.with_partition_values(values)
        });
        Ok(Self {
            storage: files.storage,
            schema: TableSchema::builder(file_schema).with_table_partition_cols(fields).build(),
            files: partitioned.collect(),
            reading,
        })
    }

    /// Notes what the footers of Parquet files say about their columns.
    pub(super) async fn collect_statistics(
        &mut self,
        state: &dyn Session,
        files_at_a_time: usize,
    ) -> Result<()> {
        let Reading::Parquet(format) = &self.reading else { return Ok(()) };
        let (store, schema) = (self.storage.store(), self.schema.file_schema());
        let statistics = stream::iter(&self.files)
            .map(|file| async move {
                let schema = Arc::clone(schema);
                let statistics = format.infer_stats(state, store, schema, &file.object_meta).await;
                statistics.map_err(|error| unreadable(&shown_path(file), error))
            })
            .boxed()
            .buffered(files_at_a_time)
            .try_collect::<Vec<_>>()
            .await?;
        for (file, mut statistics) in self.files.iter_mut().zip(statistics) {
            let rows = statistics.num_rows;
            let values = file.partition_values.iter().map(|value| of_constant(value, rows));
            statistics.column_statistics.extend(values);
            file.statistics = Some(Arc::new(statistics));
        }
        Ok(())
    }

    /// Names of the columns whose values are in the paths.
    fn path_columns(&self) -> Vec<&str> {
        self.schema.table_partition_cols().iter().map(|field| field.name().as_str()).collect()
    }

    /// The files whose paths fit `filters`, which look at nothing else.
    fn files_for(&self, state: &dyn Session, filters: Vec<Expr>) -> DfResult<Vec<PartitionedFile>> {
        let Some(filter) = conjunction(filters) else { return Ok(self.files.clone()) };
        let schema = Arc::new(Schema::new(self.schema.table_partition_cols().clone()));
        let columns = (0..schema.fields().len()).map(|column| {
            let values = self.files.iter().map(|file| file.partition_values[column].clone());
            ScalarValue::iter_to_array(values)
        });
        let columns = columns.collect::<DfResult<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.files.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?;
        let filter = state.create_physical_expr(filter, &DFSchema::try_from(schema)?)?;
        let fits = filter.evaluate(&batch)?.into_array(self.files.len())?;
        let fits: &BooleanArray = fits.as_boolean();
        let files = self.files.iter().zip(fits);
        Ok(files.filter(|(_, fits)| *fits == Some(true)).map(|(file, _)| file.clone()).collect())
    }

    /// Row counts and bounds where the files say them, else only their size.
    fn statistics(&self, groups: Vec<FileGroup>) -> DfResult<(Vec<FileGroup>, Statistics)> {
        let schema = self.schema.table_schema();
        if let Reading::Parquet(_) = self.reading {
            return compute_all_files_statistics(groups, Arc::clone(schema), true, false);
        }
        let bytes: u64 =
            groups.iter().flat_map(FileGroup::iter).map(|file| file.object_meta.size).sum();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let statistics = Statistics::new_unknown(schema);
        Ok((groups, statistics.with_total_byte_size(Precision::Inexact(bytes))))
    }
}

/// Statistics of a column that has the same value in `rows` rows.
fn of_constant(value: &ScalarValue, rows: Precision<usize>) -> ColumnStatistics {
    match value.is_null() {
        true => ColumnStatistics { null_count: rows, ..ColumnStatistics::new_unknown() },
        false => ColumnStatistics {
            null_count: Precision::Exact(0),
            min_value: Precision::Exact(value.clone()),
            max_value: Precision::Exact(value.clone()),
            distinct_count: Precision::Inexact(1),
            ..ColumnStatistics::new_unknown()
        },
    }
}

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        let columns = self.path_columns();
        let support = |filter: &&Expr| match &self.reading {
            _ if expr_applicable_for_cols(&columns, filter) => TableProviderFilterPushDown::Exact,
            Reading::Parquet(_) => TableProviderFilterPushDown::Inexact,
            Reading::Text { .. } => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let columns = self.path_columns();
        let path_filters =
            filters.iter().filter(|filter| expr_applicable_for_cols(&columns, filter));
        let files = self.files_for(state, path_filters.cloned().collect())?;
        if files.is_empty() {
            let schema = self.schema.table_schema();
            let projected = datafusion::physical_plan::project_schema(schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(projected)));
        }
        let (runtime, schema, storage) =
            (state.runtime_env(), self.schema.clone(), self.storage.clone());
        let source: Arc<dyn FileSource> = match &self.reading {
            Reading::Parquet(format) => {
                let options = format.options().clone();
                let parquet = parquet_source(options, schema, &storage, runtime);
                Arc::new(OwnParquetSource::new(parquet, storage))
            }
            Reading::Text { format, compression } => {
                let splits = text::splits(&**format, *compression, &files);
                let format = Arc::clone(format);
                Arc::new(TextSource::new(format, *compression, splits, schema, storage))
            }
        };
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let (groups, statistics) = self.statistics(groups)?;
        let config = FileScanConfigBuilder::new(scan_url(runtime)?, source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
