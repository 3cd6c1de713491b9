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
use crate::{Error, ErrorKind};

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
    Error::new(kind, message).with_source(error).into()
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
        _ => ErrorKind::Unavailable,
    }
}
