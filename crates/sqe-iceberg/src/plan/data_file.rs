//! A data or delete file as a manifest describes it, cut down to what planning needs.

use std::collections::BTreeMap;

use iceberg::spec::{DataContentType, DataFileFormat, Literal, PrimitiveLiteral};

/// A live file of a snapshot.
#[derive(Debug)]
pub(crate) struct DataFile {
    pub(crate) location: String,
    pub(crate) content: DataContentType,
    pub(crate) format: DataFileFormat,
    pub(crate) size_bytes: u64,
    pub(crate) records: u64,
    pub(crate) spec_id: i32,
    /// The partition values in the order of the fields of the spec.
    pub(crate) partition: Box<[Option<PrimitiveLiteral>]>,
    /// Metrics by field id, ascending.
    columns: Box<[(i32, ColumnMetrics)]>,
    /// Where row groups start; empty where that is not recorded.
    pub(crate) split_offsets: Box<[i64]>,
    pub(crate) encrypted: bool,
    /// `None` where it is neither recorded nor inherited.
    #[expect(dead_code, reason = "deletes are matched to data files by it")]
    pub(crate) sequence_number: Option<i64>,
}

/// What is recorded of one column of a file.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct ColumnMetrics {
    /// On disk, compressed.
    pub(crate) size_bytes: Option<u64>,
    pub(crate) nulls: Option<u64>,
    pub(crate) nans: Option<u64>,
    /// At most the smallest value that is neither null nor NaN.
    pub(crate) lower: Option<PrimitiveLiteral>,
    /// At least the largest value that is neither null nor NaN.
    pub(crate) upper: Option<PrimitiveLiteral>,
}

impl DataFile {
    pub(crate) fn new(
        file: &iceberg::spec::DataFile,
        spec_id: i32,
        sequence_number: Option<i64>,
    ) -> Self {
        let partition = file.partition().iter().map(|value| match value {
            Some(Literal::Primitive(value)) => Some(value.clone()),
            _ => None,
        });
        Self {
            location: file.file_path().to_owned(),
            content: file.content_type(),
            format: file.file_format(),
            size_bytes: file.file_size_in_bytes(),
            records: file.record_count(),
            spec_id,
            partition: partition.collect(),
            columns: columns(file),
            split_offsets: file.split_offsets().unwrap_or_default().into(),
            encrypted: file.key_metadata().is_some_and(|key| !key.is_empty()),
            sequence_number,
        }
    }

    /// What is recorded of the column with this field id.
    pub(crate) fn column(&self, field_id: i32) -> Option<&ColumnMetrics> {
        let found = self.columns.binary_search_by_key(&field_id, |(id, _)| *id).ok()?;
        Some(&self.columns[found].1)
    }

    /// Bytes in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        let metrics = self.columns.iter().map(|(_, column)| {
            let bounds = [&column.lower, &column.upper].into_iter().flatten();
            size_of::<(i32, ColumnMetrics)>() + bounds.map(heap_bytes).sum::<usize>()
        });
        let partition = self.partition.iter().flatten().map(heap_bytes).sum::<usize>();
        // Two counters of the `Arc` that each file is in, and the pointer to it.
        size_of::<Self>()
            + 3 * size_of::<usize>()
            + self.location.len()
            + size_of_val(&*self.partition)
            + size_of_val(&*self.split_offsets)
            + partition
            + metrics.sum::<usize>()
    }
}

fn columns(file: &iceberg::spec::DataFile) -> Box<[(i32, ColumnMetrics)]> {
    let mut columns = BTreeMap::<i32, ColumnMetrics>::new();
    for (id, size) in file.column_sizes() {
        columns.entry(*id).or_default().size_bytes = Some(*size);
    }
    for (id, nulls) in file.null_value_counts() {
        columns.entry(*id).or_default().nulls = Some(*nulls);
    }
    for (id, nans) in file.nan_value_counts() {
        columns.entry(*id).or_default().nans = Some(*nans);
    }
    for (id, bound) in file.lower_bounds() {
        columns.entry(*id).or_default().lower = Some(bound.literal().clone());
    }
    for (id, bound) in file.upper_bounds() {
        columns.entry(*id).or_default().upper = Some(bound.literal().clone());
    }
    columns.into_iter().collect()
}

fn heap_bytes(literal: &PrimitiveLiteral) -> usize {
    match literal {
        PrimitiveLiteral::String(value) => value.len(),
        PrimitiveLiteral::Binary(value) => value.len(),
        _ => 0,
    }
}
