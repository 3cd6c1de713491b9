//! One stream of rows into files: the work of one partition of the plan.
//!
//! Each partition of the table has a file that is open. Where there are too many for that, the
//! rows of the later ones are sorted by partition first and follow at the end, one file at a time:
//! closing a file whenever another is needed would make a file of every few rows. Where memory is
//! short the largest file is closed, and its partition goes on in another.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use futures::StreamExt;
use iceberg::spec::DataFile;

use super::conform::Conform;
use super::file::OpenFile;
use super::overflow::{Overflow, without_key};
use super::partition::{Group, Splitter};
use super::query_error;
use super::target::Target;
use crate::Result;

/// Files of partitions that one task has open at a time.
const MAX_OPEN_FILES: usize = 100;

/// Writes all rows of `rows`. Returns the finished files, none where there is no row.
pub(super) async fn write_stream(
    target: Arc<Target>,
    conform: Conform,
    mut rows: SendableRecordBatchStream,
    context: Arc<TaskContext>,
) -> Result<Vec<DataFile>> {
    let splitter = Splitter::try_new(&target.spec, &target.schema, &target.arrow)?;
    let consumer = MemoryConsumer::new("IcebergWriter").with_can_spill(true);
    let mut writers = Writers {
        target: Arc::clone(&target),
        open: HashMap::new(),
        finished: Vec::new(),
        used_bytes: 0,
        memory: consumer.register(context.memory_pool()),
    };
    let mut overflow = None;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(query_error)?;
        if batch.num_rows() == 0 {
            continue;
        }
        let batch = conform.conform(&batch)?;
        let (groups, others) = splitter.split(batch, writers.admission())?;
        for group in groups {
            writers.write(group).await?;
        }
        if let Some(others) = others {
            let waiting = match overflow.take() {
                Some(overflow) => overflow,
                None => Overflow::begin(&target.arrow, &context)?,
            };
            overflow = Some(waiting.push(others).await?);
        }
    }
    writers.close_all().await?;
    if let Some(overflow) = overflow {
        let mut sorted = overflow.sorted().await?;
        while let Some(batch) = sorted.next().await {
            let (groups, _) = splitter.split(without_key(&batch?)?, |_| true)?;
            for group in groups {
                if !writers.open.contains_key(&group.key) {
                    writers.close_all().await?;
                }
                writers.write(group).await?;
            }
        }
        writers.close_all().await?;
    }
    Ok(writers.finished)
}

/// The open files of one task, by partition.
struct Writers {
    target: Arc<Target>,
    open: HashMap<Box<[u8]>, Charged>,
    finished: Vec<DataFile>,
    /// Memory of all open files.
    used_bytes: usize,
    memory: MemoryReservation,
}

struct Charged {
    file: OpenFile,
    /// Its part of `used_bytes`.
    bytes: usize,
}

impl Writers {
    /// Whether rows of a partition may be written now: where its file is open or may be opened.
    fn admission(&self) -> impl FnMut(&[u8]) -> bool {
        let mut free = MAX_OPEN_FILES.saturating_sub(self.open.len());
        move |key| {
            let admitted = self.open.contains_key(key);
            admitted || {
                let opened = free > 0;
                free -= usize::from(opened);
                opened
            }
        }
    }

    async fn write(&mut self, group: Group) -> Result<()> {
        let Group { key, partition, rows } = group;
        let charged = match self.open.entry(key.clone()) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(vacant) => {
                let file = OpenFile::begin(&self.target, partition)?;
                vacant.insert(Charged { file, bytes: 0 })
            }
        };
        charged.file.write(&rows).await?;
        let bytes = charged.file.memory_bytes();
        self.used_bytes = self.used_bytes - charged.bytes + bytes;
        charged.bytes = bytes;
        if charged.file.encoded_bytes() >= self.target.options.target_file_bytes {
            self.close(&key).await?;
        }
        while self.memory.try_resize(self.used_bytes).is_err() {
            self.close_largest().await?;
        }
        Ok(())
    }

    async fn close_largest(&mut self) -> Result<()> {
        let largest = self.open.iter().max_by_key(|(_, charged)| charged.bytes);
        match largest.map(|(key, _)| key.clone()) {
            Some(key) => self.close(&key).await,
            None => Ok(()),
        }
    }

    async fn close(&mut self, key: &[u8]) -> Result<()> {
        if let Some(charged) = self.open.remove(key) {
            self.finished.push(charged.file.finish().await?);
            self.used_bytes -= charged.bytes;
        }
        Ok(())
    }

    async fn close_all(&mut self) -> Result<()> {
        let keys: Vec<_> = self.open.keys().cloned().collect();
        for key in keys {
            self.close(&key).await?;
        }
        self.memory.resize(self.used_bytes);
        Ok(())
    }
}
