//! Files to partitions of a scan: cut at row groups, spread evenly.

use std::cmp::Reverse;
use std::num::NonZeroUsize;
use std::ops::Range;

use datafusion_datasource::PartitionedFile;
use datafusion_datasource::file_groups::FileGroup;

/// Pieces per partition that a scan of large files is cut into. Partitions that are done early
/// take over pieces of others, so more pieces even out what bytes on disk do not foresee.
const PIECES_PER_PARTITION: u64 = 4;

/// More than one piece per partition is not worth opening a file for if they are smaller.
const SPARE_PIECE_BYTES: u64 = 8 << 20;

/// Cuts large files at the starts of row groups so that `partitions` can share them evenly.
///
/// `split_offsets`: where the row groups of a file start, ascending; a file without them is cut
/// anywhere, which is as exact, because the reader gives a row group to the range that its first
/// page starts in. No piece that is cut off is smaller than `min_bytes`. The pieces of a file, or
/// of a range of one, follow each other and cover all of it without overlap.
pub(crate) fn cut<'a>(
    files: &'a [PartitionedFile],
    partitions: NonZeroUsize,
    min_bytes: u64,
    split_offsets: impl Fn(&'a PartitionedFile) -> &'a [i64],
) -> Vec<PartitionedFile> {
    let total: u64 = files.iter().map(PartitionedFile::effective_size).sum();
    let fair_bytes = total / partitions.get() as u64;
    let piece_bytes = (fair_bytes / PIECES_PER_PARTITION).max(SPARE_PIECE_BYTES);
    let piece_bytes = piece_bytes.min(fair_bytes).max(min_bytes).max(1);
    let mut cut = Vec::with_capacity(files.len());
    for file in files {
        let (start, end) = file.range();
        let size = end.saturating_sub(start);
        if size < 2 * piece_bytes || partitions.get() == 1 {
            cut.push(file.clone());
            continue;
        }
        let pieces = size / piece_bytes;
        let points = cut_points(start..end, pieces, min_bytes.max(1), split_offsets(file));
        if points.is_empty() {
            cut.push(file.clone());
            continue;
        }
        let ends = points.iter().copied().chain([end]);
        let starts = [start].into_iter().chain(points.iter().copied());
        // Files of 2^63 bytes do not exist.
        cut.extend(
            starts.zip(ends).map(|(start, end)| file.clone().with_range(start as i64, end as i64)),
        );
    }
    cut
}

/// Where a range of a file is cut into `pieces`, ascending, between its ends.
fn cut_points(range: Range<u64>, pieces: u64, min_bytes: u64, split_offsets: &[i64]) -> Vec<u64> {
    let Range { start, end } = range;
    let size = end - start;
    let even = |piece| start + (u128::from(size) * u128::from(piece) / u128::from(pieces)) as u64;
    let even = (1..pieces).map(even);
    if split_offsets.is_empty() {
        return even.collect();
    }
    // The first row group starts right behind the start of the file.
    let starts = || split_offsets.iter().skip(1).filter_map(|offset| u64::try_from(*offset).ok());
    let mut points = Vec::new();
    let mut previous = start;
    for point in even.filter_map(|even| starts().min_by_key(|start| start.abs_diff(even))) {
        if point >= previous + min_bytes && point + min_bytes <= end {
            points.push(point);
            previous = point;
        }
    }
    points
}

/// Spreads `files` over at most `max_groups` groups of nearly equal bytes.
///
/// Returns groups that are not empty and together hold every file exactly once. Deterministic.
/// Longest first, each to the lightest group: the heaviest group is at most 4/3 of the best
/// possible one (Graham, SIAM J. Appl. Math. 17(2), 1969).
pub(crate) fn group_by_bytes(
    mut files: Vec<PartitionedFile>,
    max_groups: NonZeroUsize,
) -> Vec<FileGroup> {
    files.sort_by_cached_key(|file| {
        let start = file.range.as_ref().map_or(0, |range| range.start);
        (Reverse(file.effective_size()), file.object_meta.location.to_string(), start)
    });
    let count = max_groups.get().min(files.len());
    let mut groups = vec![(0_u64, Vec::new()); count];
    for file in files {
        let lightest = groups.iter_mut().min_by_key(|(bytes, _)| *bytes);
        if let Some((bytes, group)) = lightest {
            *bytes += file.effective_size();
            group.push(file);
        }
    }
    groups.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Sizes of row groups, by file. The footer takes 100 bytes, the magic at the start 4.
    fn offsets(row_groups: &[u64]) -> Vec<i64> {
        let starts = row_groups.iter().scan(4, |next, size| {
            let start = *next;
            *next += *size as i64;
            Some(start)
        });
        starts.collect()
    }

    proptest! {
        #[test]
        fn every_byte_is_in_one_range_and_ranges_start_at_row_groups(
            row_groups in prop::collection::vec(prop::collection::vec(1_u64..1000, 1..8), 0..8),
            partitions in 1_usize..9,
            min_bytes in 0_u64..2000,
            recorded in any::<bool>(),
        ) {
            let partitions = NonZeroUsize::new(partitions).unwrap();
            let mut starts = BTreeMap::new();
            let mut files = Vec::new();
            for (index, row_groups) in row_groups.iter().enumerate() {
                let path = format!("f{index}");
                files.push(PartitionedFile::new(&path, row_groups.iter().sum::<u64>() + 104));
                starts.insert(path, if recorded { offsets(row_groups) } else { Vec::new() });
            }
            let of_file = |file: &PartitionedFile| &starts[file.object_meta.location.as_ref()][..];
            let groups = group_by_bytes(cut(&files, partitions, min_bytes, of_file), partitions);
            prop_assert!(groups.len() <= partitions.get());
            prop_assert!(groups.iter().all(|group| !group.is_empty()));

            let mut ranges = BTreeMap::<String, Vec<(u64, u64)>>::new();
            for file in groups.iter().flat_map(FileGroup::files) {
                let path = file.object_meta.location.to_string();
                ranges.entry(path).or_default().push(file.range());
            }
            prop_assert_eq!(ranges.len(), files.len());
            for file in &files {
                let path = file.object_meta.location.as_ref();
                let ranges = ranges.get_mut(path).unwrap();
                ranges.sort_unstable();
                let mut end = 0;
                for (start, stop) in ranges.iter() {
                    prop_assert_eq!(*start, end);
                    prop_assert!(
                        *start == 0 || !recorded || starts[path].contains(&(*start as i64))
                    );
                    prop_assert!(ranges.len() == 1 || stop - start >= min_bytes);
                    end = *stop;
                }
                prop_assert_eq!(end, file.object_meta.size);
            }
        }
    }

    #[test]
    fn large_files_are_shared_and_small_ones_stay_whole() {
        let check = |sizes: &[u64], partitions, expected: &[u64]| {
            let partitions = NonZeroUsize::new(partitions).unwrap();
            let named = sizes.iter().enumerate();
            let files: Vec<_> =
                named.map(|(i, size)| PartitionedFile::new(format!("f{i}"), *size)).collect();
            let groups = group_by_bytes(cut(&files, partitions, 10, |_| &[]), partitions);
            let bytes = groups
                .iter()
                .map(|group| group.iter().map(PartitionedFile::effective_size).sum::<u64>());
            assert_eq!(bytes.collect::<Vec<_>>(), expected);
        };
        check(&[1000], 4, &[250, 250, 250, 250]);
        check(&[70 << 20, 2 << 20], 2, &[40 << 20, 32 << 20]);
        check(&[5, 5, 5], 2, &[10, 5]);
        check(&[15], 4, &[15]);
        check(&[], 4, &[]);
    }
}
