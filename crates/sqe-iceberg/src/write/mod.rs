//! Appending rows: data files, manifests, one snapshot.
//!
//! Rows go from the partitions of a physical plan into Parquet files, one task for each partition;
//! then the files become part of the table in one step. Until that step begins, an error or a
//! dropped future leaves the table as it was and removes the files. Once it has begun it goes on
//! to its end, with or without a caller, and only if it certainly failed are the files removed.
//! Nothing is overwritten or deleted here.

use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};
use iceberg::spec::{DataFile, TableMetadata};
use tokio::task::JoinSet;

use crate::catalog::Catalog;
use crate::create::NewTable;
use crate::{Error, ErrorKind, Result, Table};

mod bounds;
mod cleanup;
mod columns;
mod commit;
mod conform;
mod durable;
mod file;
mod location;
mod manifest;
mod merge;
mod metrics;
mod options;
mod overflow;
mod parquet_schema;
mod partition;
mod summary;
mod target;
mod task;
mod upload;

#[cfg(test)]
mod tests;

pub use cleanup::wait_for_cleanup;

use cleanup::Files;
use commit::{Append, read_back};
use conform::Conform;
use target::Target;

/// Appends the rows of `plan`, whose columns are the table's in their order (types are cast), as
/// one snapshot. Returns the number of rows; no row makes no snapshot.
///
/// Errors: `InvalidArgument` for a value that its column cannot hold, `ResourceExhausted` for a
/// full disk, `Conflict` where the table changed so that the rows do not fit any more, and those
/// of the plan, which are the source of the error. Safe to drop; see the module.
pub async fn append(
    catalog: &Arc<dyn Catalog>,
    table: &Table,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> Result<u64> {
    let storage = catalog.fresh_storage(table).await?;
    let files = Files::new(storage, table.metadata.location());
    let (catalog, table) = (Arc::clone(catalog), table.clone());
    let result = async {
        let (target, written) = write(&files, &table.metadata, plan, context).await?;
        if written.is_empty() {
            return Ok(0);
        }
        let commit = async move {
            let append = Append::prepare(target, &table.metadata, written).await?;
            append.commit(catalog.as_ref(), table).await
        };
        files.finish(commit).await
    };
    settle(result.await, files).await
}

/// Creates a table with the rows of `plan` in one atomic step; see [`append`].
///
/// Errors also: `AlreadyExists`, `NotFound` for the namespace.
pub async fn create_table_as(
    catalog: &Arc<dyn Catalog>,
    table: NewTable,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> Result<u64> {
    let staged = table.stage(catalog.as_ref()).await?;
    let files = Files::new(staged.storage.clone(), staged.metadata.location());
    let catalog = Arc::clone(catalog);
    let result = async {
        let (target, written) = write(&files, &staged.metadata, plan, context).await?;
        let kept = files.clone();
        let create = async move { create(catalog.as_ref(), staged, target, written, &kept).await };
        files.finish(create).await
    };
    settle(result.await, files).await
}

async fn create(
    catalog: &dyn Catalog,
    staged: Table,
    target: Arc<Target>,
    written: Vec<DataFile>,
    files: &Files,
) -> Result<u64> {
    let mut metadata = TableMetadata::clone(&staged.metadata);
    let mut records = 0;
    if !written.is_empty() {
        let mut append = Append::prepare(target, &metadata, written).await?;
        metadata = append.begin(metadata).await?;
        records = append.records();
    }
    let uuid = metadata.uuid();
    if let Err(error) = catalog.create_table(&staged.ident, metadata).await {
        let created = |table: &Table| table.metadata.uuid() == uuid;
        read_back(files, catalog, &staged.ident, error, created).await?;
    }
    files.keep();
    Ok(records)
}

/// An error is not told before what it left is gone.
async fn settle(result: Result<u64>, files: Files) -> Result<u64> {
    if result.is_err() {
        files.discard().await;
    }
    result
}

/// Writes all rows of `plan` into data files.
async fn write(
    files: &Files,
    metadata: &TableMetadata,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> Result<(Arc<Target>, Vec<DataFile>)> {
    let target = Arc::new(Target::new(metadata, files.clone())?);
    let conform = Conform::try_new(Arc::clone(&target.arrow), &plan.schema())?;
    let plan = spread(plan, context.session_config().target_partitions())?;
    let mut tasks = JoinSet::new();
    for partition in 0..plan.output_partitioning().partition_count() {
        let rows = plan.execute(partition, Arc::clone(&context)).map_err(query_error)?;
        let (target, context) = (Arc::clone(&target), Arc::clone(&context));
        let task = task::write_stream(target, conform.clone(), rows, context);
        tasks.spawn(cleanup::track(task));
    }
    let mut written = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let result = task.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Internal, "a task that writes rows").with_source(error))
        });
        match result {
            Ok(files) => written.extend(files),
            Err(error) => {
                // Their files can go only when they are gone.
                tasks.shutdown().await;
                return Err(error);
            }
        }
    }
    Ok((target, written))
}

/// Lets all cores encode what one stream computes, unless its order would be lost.
fn spread(plan: Arc<dyn ExecutionPlan>, tasks: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let alone = plan.output_partitioning().partition_count() == 1;
    if !alone || tasks <= 1 || plan.output_ordering().is_some() {
        return Ok(plan);
    }
    let round_robin = Partitioning::RoundRobinBatch(tasks);
    Ok(Arc::new(RepartitionExec::try_new(plan, round_robin).map_err(query_error)?))
}

/// An error of the query whose rows are written; whoever maps errors to the client finds the
/// original as the source.
fn query_error(error: DataFusionError) -> Error {
    let kind = match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => ErrorKind::ResourceExhausted,
        DataFusionError::NotImplemented(_) => ErrorKind::Unsupported,
        DataFusionError::Internal(_) => ErrorKind::Internal,
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => ErrorKind::Unavailable,
        DataFusionError::External(source) => match source.downcast_ref::<Error>() {
            Some(error) => error.kind(),
            None => ErrorKind::Internal,
        },
        _ => ErrorKind::InvalidArgument,
    };
    Error::new(kind, "failed to compute the rows to write").with_source(error)
}

/// An error of Arrow about values.
fn arrow_error(error: ArrowError) -> Error {
    let kind = match &error {
        ArrowError::MemoryError(_) => ErrorKind::ResourceExhausted,
        _ => ErrorKind::InvalidArgument,
    };
    Error::new(kind, error.to_string())
}
