//! Parts of scans: nothing is read twice, nothing is left out.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::execution::object_store::ObjectStoreUrl;
use proptest::prelude::*;

use super::*;
use crate::scan::ScanFile;

/// A file of row groups of these sizes; the footer takes 100 bytes, the magic at the start 4.
fn file(name: &str, row_groups: &[u64], recorded: bool) -> PartitionedFile {
    let starts = row_groups.iter().scan(4, |next, size| {
        let start = *next;
        *next += *size as i64;
        Some(start)
    });
    let scan_file = ScanFile {
        location: name.to_owned(),
        table: Arc::new(Schema::empty()),
        split_offsets: if recorded { starts.collect() } else { Box::default() },
        constants: Box::default(),
        may_be_nan: Box::default(),
    };
    let size = row_groups.iter().sum::<u64>() + 104;
    PartitionedFile::new(name, size).with_extension(Arc::new(scan_file))
}

type Ranges = BTreeMap<String, Vec<(u64, u64)>>;

fn ranges<'a>(groups: impl IntoIterator<Item = &'a FileGroup>) -> Ranges {
    let mut ranges = Ranges::new();
    for file in groups.into_iter().flat_map(FileGroup::iter) {
        ranges.entry(file.object_meta.location.to_string()).or_default().push(file.range());
    }
    ranges.values_mut().for_each(|ranges| ranges.sort_unstable());
    ranges
}

/// Each byte as often as it is in one of the ranges, in the fewest ranges.
fn merged(ranges: &Ranges) -> Ranges {
    let mut merged = Ranges::new();
    for (path, ranges) in ranges {
        let of_path = merged.entry(path.clone()).or_default();
        for (start, end) in ranges {
            match of_path.last_mut() {
                Some((_, last)) if last == start => *last = *end,
                _ => of_path.push((*start, *end)),
            }
        }
    }
    merged
}

fn scan(groups: Vec<FileGroup>) -> FileScanConfig {
    let columns = [("a", DataType::Int64), ("b", DataType::Utf8), ("c", DataType::Int32)];
    let fields = columns.map(|(name, data_type)| Field::new(name, data_type, true));
    let source = Arc::new(ParquetSource::new(Arc::new(Schema::new(fields.to_vec()))));
    let url = ObjectStoreUrl::parse("sqe-table://scan").unwrap();
    FileScanConfigBuilder::new(url, source).with_file_groups(groups).build()
}

proptest! {
    #[test]
    fn every_byte_is_in_one_part(
        groups in prop::collection::vec(
            prop::collection::vec((prop::collection::vec(1_u64..1000, 1..8), any::<bool>()), 0..5),
            1..5,
        ),
        tasks in 1_usize..9,
        min_bytes in 0_u64..1500,
        cuts in any::<bool>(),
        again in 1_usize..4,
    ) {
        let mut names = 0..;
        let groups: Vec<FileGroup> = groups.iter().map(|group| {
            let files = group.iter().map(|(row_groups, recorded)| {
                file(&format!("f{}", names.next().unwrap()), row_groups, *recorded)
            });
            FileGroup::new(files.collect())
        }).collect();
        let starts: BTreeMap<String, Vec<i64>> = groups.iter().flat_map(FileGroup::iter)
            .map(|file| (file.object_meta.location.to_string(), split_offsets(file).to_vec()))
            .collect();
        let cut_points: Option<CutPoints> = if cuts { Some(split_offsets) } else { None };
        let non_zero = |count| NonZeroUsize::new(count).unwrap();

        let parts = divide(&groups, non_zero(tasks), cut_points, min_bytes);
        prop_assert_eq!(parts.len(), tasks);
        prop_assert!(parts.iter().all(|part| part.len() == groups.len()));
        let whole = ranges(&groups);
        let found = ranges(parts.iter().flatten());
        prop_assert_eq!(merged(&found), whole.clone());
        for (path, ranges) in &found {
            for (start, _) in ranges {
                let starts = &starts[path];
                prop_assert!(
                    *start == 0 || cuts && (starts.is_empty() || starts.contains(&(*start as i64)))
                );
            }
        }
        // Parts are split like wholes.
        let parts = parts.iter().flat_map(|part| {
            divide(part, non_zero(again), cut_points, min_bytes)
        }).collect::<Vec<_>>();
        prop_assert_eq!(merged(&ranges(parts.iter().flatten())), whole.clone());
        prop_assert!(parts.iter().all(|part| part.len() == groups.len()));

        let in_order = divide_in_order(&groups, tasks);
        prop_assert_eq!(ranges(in_order.iter().flatten()), whole);
        for (index, group) in groups.iter().enumerate() {
            for part in &in_order {
                let mut before = group.iter();
                for file in part[index].iter() {
                    let path = file.path();
                    prop_assert!(before.any(|before| before.path() == path), "{path} moved");
                }
            }
        }
    }

    #[test]
    fn parts_of_many_files_are_about_the_same(
        sizes in prop::collection::vec(500_u64..1500, 100..300),
        tasks in 2_usize..8,
    ) {
        let named = sizes.iter().enumerate();
        let files: Vec<PartitionedFile> =
            named.map(|(i, size)| PartitionedFile::new(format!("f{i}"), *size)).collect();
        let mut loads = vec![0; tasks];
        for (file, task) in files.iter().zip(place(&files, tasks)) {
            loads[task] += file.effective_size();
        }
        let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
        prop_assert!(most * 5 <= least * 6, "{loads:?}");
    }
}

#[test]
fn most_files_stay_where_they_were_when_others_go() {
    let files: Vec<PartitionedFile> =
        (0..400).map(|i| PartitionedFile::new(format!("t/data/{i}.parquet"), 1000)).collect();
    let of_all = place(&files, 4);
    let some: Vec<usize> = (0..400).filter(|i| i % 10 != 3).collect();
    let left: Vec<PartitionedFile> = some.iter().map(|i| files[*i].clone()).collect();
    let stayed = some.iter().zip(place(&left, 4)).filter(|(i, task)| of_all[**i] == *task).count();
    assert!(stayed * 10 > some.len() * 8, "{stayed} of {}", some.len());
}

#[test]
fn one_large_file_is_for_all_tasks() {
    let row_groups = [8 << 20; 16];
    let groups = vec![FileGroup::new(vec![file("f", &row_groups, true)]); 1];
    let parts = divide(&groups, NonZeroUsize::new(4).unwrap(), Some(split_offsets), 1 << 20);
    let bytes = parts.iter().map(|part| {
        part.iter().flat_map(FileGroup::iter).map(PartitionedFile::effective_size).sum::<u64>()
    });
    for bytes in bytes {
        assert!(bytes.abs_diff(32 << 20) < 9 << 20, "{bytes}");
    }
}

#[test]
fn a_part_is_no_exact_table() {
    let groups =
        vec![FileGroup::new(vec![PartitionedFile::new("f", 300), PartitionedFile::new("g", 100)])];
    let mut config = scan(groups);
    let statistics = Statistics::new_unknown(config.file_schema());
    let statistics = statistics.with_num_rows(Precision::Exact(40));
    config = FileScanConfigBuilder::from(config).with_statistics(statistics).build();
    let parts = split_files(&config, NonZeroUsize::new(2).unwrap(), None).unwrap();
    let mut rows: Vec<_> = parts.iter().map(|part| part.statistics().num_rows).collect();
    rows.sort_by_key(|rows| rows.get_value().copied());
    assert_eq!(rows, [Precision::Inexact(10), Precision::Inexact(30)]);

    let partitioning = datafusion::physical_plan::Partitioning::UnknownPartitioning(1);
    config.output_partitioning = Some(partitioning);
    split_files(&config, NonZeroUsize::new(2).unwrap(), None).unwrap_err();
}

#[test]
fn bytes_are_those_of_the_columns() {
    let check = |projection: &[usize], byte_sizes: Option<[usize; 3]>, expected: u64| {
        let group = FileGroup::new(vec![PartitionedFile::new("f", 4400)]);
        let mut builder = FileScanConfigBuilder::from(scan(vec![group]));
        if let Some(byte_sizes) = byte_sizes {
            let mut statistics = Statistics::new_unknown(builder.table_schema());
            statistics.num_rows = Precision::Exact(10);
            for (column, bytes) in statistics.column_statistics.iter_mut().zip(byte_sizes) {
                column.byte_size = Precision::Inexact(bytes);
            }
            builder = builder.with_statistics(statistics);
        }
        let config = builder.with_projection_indices(Some(projection.to_vec())).unwrap().build();
        assert_eq!(task_bytes(&config), expected);
    };
    check(&[0, 1, 2], None, 4400);
    check(&[0], None, 800);
    check(&[2, 0], None, 1200);
    check(&[], None, 0);
    check(&[1], Some([20, 70, 10]), 3080);
}
