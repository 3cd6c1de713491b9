//! What a snapshot says about itself: what it added, and what the table holds with it.

use std::collections::{HashMap, HashSet};

use iceberg::spec::{DataFile, Operation, Snapshot, Summary};

/// What was added, before it is known to what.
#[derive(Debug, Clone)]
pub(super) struct Added {
    data_files: u64,
    records: u64,
    bytes: u64,
    partitions: u64,
}

impl Added {
    pub(super) fn of(files: &[DataFile]) -> Self {
        let partitions: HashSet<_> = files.iter().map(DataFile::partition).collect();
        Self {
            data_files: files.len() as u64,
            records: files.iter().map(DataFile::record_count).sum(),
            bytes: files.iter().map(DataFile::file_size_in_bytes).sum(),
            partitions: partitions.len() as u64,
        }
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// The summary of an append to `parent`. A total that the parent does not tell stays untold.
    pub(super) fn summary(&self, parent: Option<&Snapshot>) -> Summary {
        let mut properties = HashMap::from([
            ("added-data-files".to_owned(), self.data_files.to_string()),
            ("added-records".to_owned(), self.records.to_string()),
            ("added-files-size".to_owned(), self.bytes.to_string()),
            ("changed-partition-count".to_owned(), self.partitions.to_string()),
        ]);
        let before = |total: &str| match parent {
            Some(parent) => parent.summary().additional_properties.get(total)?.parse::<u64>().ok(),
            None => Some(0),
        };
        let totals = [
            ("total-data-files", self.data_files),
            ("total-records", self.records),
            ("total-files-size", self.bytes),
            ("total-delete-files", 0),
            ("total-position-deletes", 0),
            ("total-equality-deletes", 0),
        ];
        for (total, added) in totals {
            if let Some(before) = before(total) {
                properties.insert(total.to_owned(), (before + added).to_string());
            }
        }
        Summary { operation: Operation::Append, additional_properties: properties }
    }
}
