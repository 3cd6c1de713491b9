//! What the scans of a plan read, and their parts for several tasks.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_datasource::file_scan_config::FileScanConfig;
use datafusion_datasource::source::DataSourceExec;
use sqe_iceberg::storage::Storage;
use sqe_iceberg::{IcebergParquetSource, scan};

use crate::table_functions::codec::FilesScan;
use crate::tpch::TpchExec;

/// The scan of a table, if `plan` is one.
fn table_scan(plan: &Arc<dyn ExecutionPlan>) -> Option<&FileScanConfig> {
    let scan = plan.downcast_ref::<DataSourceExec>()?;
    scan.downcast_to_file_source::<IcebergParquetSource>().map(|(config, _)| config)
}

/// The parts of a scan for so many tasks; `None` for a node that is none of this engine's scans.
///
/// Together they read what `plan` reads, each of them with as many partitions, which may be empty.
/// Errors: internal for a scan that says how it is partitioned, which would no longer be true.
pub fn split(
    plan: &Arc<dyn ExecutionPlan>,
    tasks: NonZeroUsize,
) -> Result<Option<Vec<Arc<dyn ExecutionPlan>>>> {
    if let Some(parts) = scan::split::split(plan, tasks)? {
        return Ok(Some(parts));
    }
    if let Some(files) = FilesScan::of(plan) {
        return files.split(tasks).map(Some);
    }
    match plan.downcast_ref::<TpchExec>() {
        Some(generated) => generated.split(tasks).map(Some),
        None => Ok(None),
    }
}

/// About how many bytes a scan reads from disk or makes; `None` for another node.
pub fn task_bytes(plan: &Arc<dyn ExecutionPlan>) -> Option<u64> {
    if let Some(config) = table_scan(plan) {
        return Some(scan::split::task_bytes(config));
    }
    if let Some(files) = FilesScan::of(plan) {
        return Some(files.bytes());
    }
    Some(plan.downcast_ref::<TpchExec>()?.bytes())
}

/// The storages that the scans of `plan` read from, each once.
pub fn storages_of(plan: &Arc<dyn ExecutionPlan>) -> Vec<Storage> {
    let mut storages = scan::codec::storages_of(plan);
    let walked = plan.apply(|node| {
        if let Some(files) = FilesScan::of(node) {
            let storage = files.storage();
            if storages.iter().all(|known| known.id() != storage.id()) {
                storages.push(storage.clone());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    // Nothing that is done at a node fails.
    debug_assert!(walked.is_ok());
    storages
}

/// Refuses a plan with a file scan that [`PlanCodec`](super::PlanCodec) does not encode.
///
/// A source of DataFusion's encodes itself without asking any codec, and leaves out by which ids
/// columns are found and in which storage files are. No scan of this engine has one, unless
/// something unwrapped it. Errors: internal.
pub fn check_sources(plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
    let walked = plan.apply(|node| {
        let scan = node.downcast_ref::<DataSourceExec>();
        let files = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
        match files {
            Some(config) if table_scan(node).is_none() && FilesScan::of(node).is_none() => {
                let kind = config.file_source.file_type();
                internal_err!("a scan of plain {kind} files must not be sent to another node")
            }
            _ => Ok(TreeNodeRecursion::Continue),
        }
    });
    walked.map(drop)
}
