//! One scan to the scans of several tasks, which together read what it reads.
//!
//! Bytes on disk stand for work. A file goes where it went the last time, as far as that leaves all
//! tasks about the same: workers keep the footers of the files that they read.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_datasource::file_groups::FileGroup;
use datafusion_datasource::file_scan_config::{FileScanConfig, FileScanConfigBuilder};
use datafusion_datasource::source::DataSourceExec;
use datafusion_datasource::{FileRange, PartitionedFile};

use super::source::{IcebergParquetSource, split_offsets};
use crate::plan::{cut, group_by_bytes};

mod bytes;
#[cfg(test)]
mod tests;

pub use bytes::task_bytes;

/// No file is cut into pieces that are smaller.
const MIN_PIECE_BYTES: u64 = 1 << 20;

/// Where a file can be cut, ascending; anywhere, if there is nothing in it.
pub type CutPoints = for<'a> fn(&'a PartitionedFile) -> &'a [i64];

/// The parts of a scan of an Iceberg table for so many tasks; `None` for another node.
///
/// Each byte range of each file is in exactly one part; files are cut only where row groups start.
/// All parts have as many partitions as `scan`, which may be empty, and its schema.
/// Errors: internal for a scan with a declared partitioning, which would no longer be true.
pub fn split(
    scan: &Arc<dyn ExecutionPlan>,
    tasks: NonZeroUsize,
) -> Result<Option<Vec<Arc<dyn ExecutionPlan>>>> {
    let scan = scan.downcast_ref::<DataSourceExec>();
    let scan = scan.and_then(DataSourceExec::downcast_to_file_source::<IcebergParquetSource>);
    let Some((config, _)) = scan else { return Ok(None) };
    let parts = split_files(config, tasks, Some(split_offsets))?;
    Ok(Some(parts.into_iter().map(|part| DataSourceExec::from_data_source(part) as _).collect()))
}

/// The parts of a scan of any files. Without `cut_points` ranges stay as they are.
///
/// Files that have to be read in their order keep it, and the group that they are in.
/// Errors: those of [`split`].
pub fn split_files(
    config: &FileScanConfig,
    tasks: NonZeroUsize,
    cut_points: Option<CutPoints>,
) -> Result<Vec<FileScanConfig>> {
    if config.output_partitioning.is_some() {
        return internal_err!("a scan with a declared partitioning cannot be split");
    }
    if tasks.get() == 1 {
        return Ok(vec![config.clone()]);
    }
    let in_order = config.preserve_order || !config.output_ordering.is_empty();
    let parts = match in_order {
        true => divide_in_order(&config.file_groups, tasks.get()),
        false => divide(&config.file_groups, tasks, cut_points, MIN_PIECE_BYTES),
    };
    let bytes_of = |groups: &[FileGroup]| -> u64 {
        groups.iter().flat_map(FileGroup::iter).map(PartitionedFile::effective_size).sum()
    };
    let whole = bytes_of(&config.file_groups);
    let (statistics, mut template) = (config.statistics(), config.clone());
    template.file_groups = Vec::new();
    let parts = parts.into_iter().map(|groups| {
        let statistics = scaled(&statistics, bytes_of(&groups), whole);
        FileScanConfigBuilder::from(template.clone())
            .with_file_groups(groups)
            .with_statistics(statistics)
            .build()
    });
    Ok(parts.collect())
}

/// The groups of each task, which cuts files only into pieces of `min_bytes` at least.
fn divide(
    groups: &[FileGroup],
    tasks: NonZeroUsize,
    cut_points: Option<CutPoints>,
    min_bytes: u64,
) -> Vec<Vec<FileGroup>> {
    let cut_for = |files: Vec<PartitionedFile>, count| match cut_points {
        Some(cut_points) => cut(&files, count, min_bytes, cut_points),
        None => files,
    };
    let files = groups.iter().flat_map(FileGroup::iter).cloned().collect();
    let pieces = match cut_points {
        Some(_) => cut_for(joined(files), tasks),
        None => files,
    };
    let mut parts = vec![Vec::new(); tasks.get()];
    for (task, piece) in place(&pieces, tasks.get()).into_iter().zip(pieces) {
        parts[task].push(piece);
    }
    let partitions = NonZeroUsize::new(groups.len()).unwrap_or(NonZeroUsize::MIN);
    let grouped = parts.into_iter().map(|files| {
        let files = match cut_points {
            Some(_) => cut_for(joined(files), partitions),
            None => files,
        };
        let mut of_task = group_by_bytes(files, partitions);
        of_task.resize(groups.len(), FileGroup::new(Vec::new()));
        of_task
    });
    grouped.collect()
}

fn divide_in_order(groups: &[FileGroup], tasks: usize) -> Vec<Vec<FileGroup>> {
    let files: Vec<PartitionedFile> = groups.iter().flat_map(FileGroup::iter).cloned().collect();
    let mut tasks_of_files = place(&files, tasks).into_iter();
    let mut parts = vec![vec![FileGroup::new(Vec::new()); groups.len()]; tasks];
    for (index, group) in groups.iter().enumerate() {
        for (file, task) in group.iter().zip(&mut tasks_of_files) {
            parts[task][index].push(file.clone());
        }
    }
    parts
}

/// Ranges that follow each other in a file as one.
fn joined(mut files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
    files.sort_by(|a, b| {
        let start = |file: &PartitionedFile| file.range.as_ref().map(|range| range.start);
        (&a.object_meta.location, start(a)).cmp(&(&b.object_meta.location, start(b)))
    });
    let mut joined: Vec<PartitionedFile> = Vec::with_capacity(files.len());
    for file in files {
        let before = joined
            .last_mut()
            .filter(|before| before.object_meta.location == file.object_meta.location);
        match (before.and_then(|before| before.range.as_mut()), &file.range) {
            (Some(before), Some(range)) if before.end == range.start => before.end = range.end,
            _ => joined.push(file),
        }
    }
    for file in &mut joined {
        let size = file.object_meta.size;
        let is_whole = |range: &FileRange| range.start == 0 && u64::try_from(range.end) == Ok(size);
        if file.range.as_ref().is_some_and(is_whole) {
            file.range = None;
        }
    }
    joined
}

/// The task of each file: the one that likes its path most of those that have room for it. Where
/// that makes a task a fifth heavier than need be, each goes to the lightest instead.
fn place(files: &[PartitionedFile], tasks: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_cached_key(|index| {
        let file = &files[*index];
        (Reverse(file.effective_size()), file.object_meta.location.clone(), file.range())
    });
    let total: u64 = files.iter().map(PartitionedFile::effective_size).sum();
    let fair = total.div_ceil(tasks as u64);
    let fill = |by_path: bool| {
        let (mut loads, mut places) = (vec![0_u64; tasks], vec![0; files.len()]);
        for index in &order {
            let bytes = files[*index].effective_size();
            let path = path_hash(&files[*index]);
            let roomy = (0..tasks).filter(|task| by_path && loads[*task] + bytes <= fair);
            let liked = roomy.max_by_key(|task| liking(path, *task));
            let lightest = || (0..tasks).min_by_key(|task| loads[*task]).unwrap_or(0);
            let task = liked.unwrap_or_else(lightest);
            loads[task] += bytes;
            places[*index] = task;
        }
        (loads.into_iter().max().unwrap_or(0), places)
    };
    let ((liked, by_path), (least, even)) = (fill(true), fill(false));
    if liked.saturating_mul(5) <= least.saturating_mul(6) { by_path } else { even }
}

fn path_hash(file: &PartitionedFile) -> u64 {
    let mut hasher = DefaultHasher::new();
    file.object_meta.location.as_ref().hash(&mut hasher);
    hasher.finish()
}

/// How much a task likes a path: rendezvous hashing, by which a path keeps its task while others
/// come and go. The mixer is that of SplitMix64.
fn liking(path: u64, task: usize) -> u64 {
    let mut mixed = path ^ (task as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The statistics of a part that has `part` of the `whole` bytes. None of them is exact.
fn scaled(statistics: &Statistics, part: u64, whole: u64) -> Statistics {
    let scale = |value: Precision<usize>| match value {
        Precision::Exact(value) | Precision::Inexact(value) => {
            let value = value as u128 * u128::from(part) / u128::from(whole.max(1));
            Precision::Inexact(usize::try_from(value).unwrap_or(usize::MAX))
        }
        Precision::Absent => Precision::Absent,
    };
    let mut statistics = statistics.clone().to_inexact();
    statistics.num_rows = scale(statistics.num_rows);
    statistics.total_byte_size = scale(statistics.total_byte_size);
    for column in &mut statistics.column_statistics {
        column.byte_size = scale(column.byte_size);
        column.null_count = scale(column.null_count);
    }
    statistics
}
