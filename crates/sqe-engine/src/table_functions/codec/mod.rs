//! The scans of table functions on their way to other nodes: as bytes, and in parts.
//!
//! The bytes name the storage by its number, as those of a scan of a table do.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::{
    common::{Result, internal_datafusion_err},
    physical_plan::ExecutionPlan,
};
use datafusion_datasource::{
    PartitionedFile, file_groups::FileGroup, file_scan_config::FileScanConfig,
    source::DataSourceExec,
};
use sqe_iceberg::scan::{
    codec::config::map_files,
    split::{CutPoints, split_files, task_bytes},
};
use sqe_iceberg::storage::Storage;

use super::fault::{ShownPath, shown_path};
use super::{parquet_source::OwnParquetSource, text::TextSource};

mod parquet;
mod text;

pub(crate) use parquet::ParquetFilesMessage;
pub(crate) use text::TextFilesMessage;
pub(super) use text::{CsvMessage, FormatMessage, JsonMessage};

/// The scan of a call.
pub(crate) struct FilesScan<'a> {
    config: &'a FileScanConfig,
    source: Source<'a>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Parquet(&'a OwnParquetSource),
    Text(&'a TextSource),
}

impl<'a> FilesScan<'a> {
    /// `None` for another node.
    pub(crate) fn of(plan: &'a Arc<dyn ExecutionPlan>) -> Option<Self> {
        let scan = plan.downcast_ref::<DataSourceExec>()?;
        if let Some((config, source)) = scan.downcast_to_file_source() {
            return Some(Self { config, source: Source::Parquet(source) });
        }
        let (config, source) = scan.downcast_to_file_source()?;
        Some(Self { config, source: Source::Text(source) })
    }

    pub(crate) fn storage(&self) -> &'a Storage {
        match self.source {
            Source::Parquet(source) => source.storage(),
            Source::Text(source) => source.storage(),
        }
    }

    /// Parts of it, see [`split_files`].
    pub(crate) fn split(&self, tasks: NonZeroUsize) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        let cut_points = match self.source {
            Source::Text(source) if !source.splits() => None,
            _ => Some(anywhere as CutPoints),
        };
        let parts = split_files(self.config, tasks, cut_points)?;
        Ok(parts.into_iter().map(|part| DataSourceExec::from_data_source(part) as _).collect())
    }

    /// About how many bytes it reads from disk.
    pub(crate) fn bytes(&self) -> u64 {
        match self.source {
            Source::Parquet(_) => task_bytes(self.config),
            Source::Text(_) => files(self.config).map(PartitionedFile::effective_size).sum(),
        }
    }
}

/// A row group of a Parquet file is in the range that it begins in; so is a line of a text file.
fn anywhere(_: &PartitionedFile) -> &[i64] {
    &[]
}

fn files(config: &FileScanConfig) -> impl Iterator<Item = &PartitionedFile> {
    config.file_groups.iter().flat_map(FileGroup::iter)
}

/// The paths that errors name, in the order of the groups.
fn shown_paths(config: &FileScanConfig) -> Vec<String> {
    files(config).map(|file| shown_path(file).to_string()).collect()
}

/// Hangs each of `paths` on its file.
fn show_paths(config: &mut FileScanConfig, paths: Vec<String>) -> Result<()> {
    let mut paths = paths.into_iter();
    map_files(config, |file| {
        let path = required(paths.next())?;
        Ok(file.with_extension(ShownPath(path.into())))
    })
}

/// The part of a message that must be there. Errors: internal where it is not.
fn required<T>(part: Option<T>) -> Result<T> {
    part.ok_or_else(|| internal_datafusion_err!("a part of an encoded call is missing"))
}
