//! Opening data files: the Parquet reader with the adapter of the very file, and its errors with
//! the file's location.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion_datasource::PartitionedFile;
use datafusion_datasource::file::FileSource;
use datafusion_datasource::file_scan_config::FileScanConfig;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use parquet::errors::ParquetError;

use super::ScanFile;
use super::adapter::FieldIdAdapterFactory;
use crate::{Error, ErrorKind, storage};

/// Opens files with the Parquet source, each with an adapter of its own.
pub(super) struct IcebergMorselizer {
    pub(super) parquet: Arc<dyn FileSource>,
    pub(super) store: Arc<dyn ObjectStore>,
    /// Without files.
    pub(super) config: FileScanConfig,
    pub(super) partition: usize,
}

impl std::fmt::Debug for IcebergMorselizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IcebergMorselizer").field("partition", &self.partition).finish()
    }
}

impl Morselizer for IcebergMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let scan_file = file.extension::<Arc<ScanFile>>().map(Arc::clone).ok_or_else(|| {
            internal_datafusion_err!("{} has no Iceberg part", file.object_meta.location)
        })?;
        let mut config = self.config.clone();
        let adapter = FieldIdAdapterFactory { file: Arc::clone(&scan_file) };
        config.expr_adapter_factory = Some(Arc::new(adapter));
        let store = Arc::clone(&self.store);
        let opened = self.parquet.create_morselizer(store, &config, self.partition);
        match opened.and_then(|morselizer| morselizer.plan_file(file)) {
            Ok(inner) => Ok(Box::new(FilePlanner { inner, file: scan_file })),
            Err(error) => Err(at_file(&scan_file, error)),
        }
    }
}

/// Passes on what `inner` plans.
#[derive(Debug)]
struct FilePlanner {
    inner: Box<dyn MorselPlanner>,
    file: Arc<ScanFile>,
}

impl MorselPlanner for FilePlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, file } = *self;
        let Some(mut plan) = inner.plan().map_err(|error| at_file(&file, error))? else {
            return Ok(None);
        };
        let wrap =
            |inner| -> Box<dyn MorselPlanner> { Box::new(Self { inner, file: Arc::clone(&file) }) };
        let planners = plan.take_ready_planners().into_iter().map(wrap).collect();
        let morsels = plan.take_morsels().into_iter().map(|inner| -> Box<dyn Morsel> {
            Box::new(FileMorsel { inner, file: Arc::clone(&file) })
        });
        let mut wrapped = MorselPlan::new().with_morsels(morsels.collect()).with_planners(planners);
        if let Some(pending) = plan.take_pending_planner() {
            wrapped.set_pending_planner(async move {
                match pending.await {
                    Ok(inner) => Ok(Box::new(Self { inner, file }) as Box<dyn MorselPlanner>),
                    Err(error) => Err(at_file(&file, error)),
                }
            });
        }
        Ok(Some(wrapped))
    }
}

#[derive(Debug)]
struct FileMorsel {
    inner: Box<dyn Morsel>,
    file: Arc<ScanFile>,
}

impl Morsel for FileMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { inner, file } = *self;
        inner.into_stream().map_err(move |error| at_file(&file, error)).boxed()
    }
}

/// Names the file in an error that comes from what is in it or from where it is. Others, such as
/// a division by zero in a filter or the end of the memory, are no fault of the file.
fn at_file(file: &ScanFile, error: DataFusionError) -> DataFusionError {
    let Some(kind) = fault_of_file(&error) else {
        return error;
    };
    let message = format!("failed to read data file {}", file.location);
    // As text: a query that is the cause of an error would be shown in its place.
    Error::new(kind, message).with_source(error.strip_backtrace()).into()
}

fn fault_of_file(error: &DataFusionError) -> Option<ErrorKind> {
    match error.find_root() {
        DataFusionError::ParquetError(error) => Some(of_parquet(error)),
        DataFusionError::ObjectStore(error) => Some(of_store(error)),
        DataFusionError::IoError(_) => Some(ErrorKind::Unavailable),
        DataFusionError::ArrowError(error, _) => match &**error {
            ArrowError::ParquetError(_) => Some(ErrorKind::Corrupt),
            ArrowError::ExternalError(error) => match error.downcast_ref::<ParquetError>() {
                Some(error) => Some(of_parquet(error)),
                None => error.downcast_ref::<object_store::Error>().map(of_store),
            },
            _ => None,
        },
        DataFusionError::External(error) => match error.downcast_ref::<ParquetError>() {
            Some(error) => Some(of_parquet(error)),
            None => error.downcast_ref::<object_store::Error>().map(of_store),
        },
        _ => None,
    }
}

fn of_parquet(error: &ParquetError) -> ErrorKind {
    match error {
        ParquetError::External(error) => {
            error.downcast_ref::<object_store::Error>().map_or(ErrorKind::Corrupt, of_store)
        }
        _ => ErrorKind::Corrupt,
    }
}

/// A table whose file is gone is broken; a store that does not answer may answer later.
fn of_store(error: &object_store::Error) -> ErrorKind {
    match error {
        object_store::Error::NotFound { .. } => ErrorKind::Corrupt,
        error => storage::kind_below(error).unwrap_or(ErrorKind::Unavailable),
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn faults_of_stores_keep_their_kind() {
        let file = ScanFile {
            location: "s3://b/t/f".to_owned(),
            table: Arc::new(arrow::datatypes::Schema::empty()),
            split_offsets: Box::default(),
            constants: Box::default(),
            may_be_nan: Box::default(),
        };
        let denied = async || storage::no_store().get(&"n/b/t/f".into()).await.unwrap_err();
        let footer = DataFusionError::ObjectStore(Box::new(denied().await));
        let missing = object_store::Error::NotFound { path: "f".to_owned(), source: "gone".into() };
        let check = |error: DataFusionError, expected| {
            let error = at_file(&file, error);
            let DataFusionError::External(error) = error else { panic!("{error}") };
            let error = error.downcast_ref::<Error>().unwrap();
            assert_eq!(error.kind(), expected);
            assert!(error.message().contains("s3://b/t/f"), "{error}");
        };
        check(DataFusionError::ObjectStore(Box::new(denied().await)), ErrorKind::Forbidden);
        let parquet = ParquetError::External(Box::new(denied().await));
        check(DataFusionError::ParquetError(Box::new(parquet)), ErrorKind::Forbidden);
        let parquet = ParquetError::External(Box::new(denied().await));
        let arrow = ArrowError::ExternalError(Box::new(parquet));
        check(DataFusionError::ArrowError(Box::new(arrow), None), ErrorKind::Forbidden);
        let footer = ParquetError::External(Box::new(footer));
        check(DataFusionError::ParquetError(Box::new(footer)), ErrorKind::Forbidden);
        check(DataFusionError::ObjectStore(Box::new(missing)), ErrorKind::Corrupt);
    }
}
