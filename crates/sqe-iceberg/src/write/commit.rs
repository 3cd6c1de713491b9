//! Making data files part of a table: manifests, a snapshot, one step of the catalog.
//!
//! An append conflicts with nothing that others do to the same table, so it is tried again on
//! whatever the table has become. What is written once (data files, manifests) is used again; only
//! the manifest list, which contains what others added, is made anew.

use std::sync::Arc;
use std::time::Duration;

use iceberg::spec::{
    DataFile, MAIN_BRANCH, ManifestFile, Snapshot, SnapshotReference, SnapshotRetention,
    TableMetadata,
};
use iceberg::{TableIdent, TableRequirement, TableUpdate};
use uuid::Uuid;

use super::cleanup::Files;
use super::manifest::{
    NewSnapshot, metadata_directory, read_manifest_list, write_manifest_list, write_manifests,
};
use super::merge::merge_manifests;
use super::options::Properties;
use super::summary::Added;
use super::target::Target;
use crate::catalog::{Catalog, TableChange};
use crate::{Error, ErrorKind, Result, Table};

/// Many clients of one SQLite file get in each other's way more often than the usual four times.
const MIN_RETRIES: u32 = 10;
const DEFAULT_MIN_WAIT_MS: u64 = 100;
const DEFAULT_MAX_WAIT_MS: u64 = 60_000;

/// Data files that are complete and belong to no snapshot yet.
pub(super) struct Append {
    target: Arc<Target>,
    snapshot: NewSnapshot,
    manifests: Vec<ManifestFile>,
    added: Added,
    /// Manifest lists that were written.
    lists: u32,
    /// Locations that only the last of them needs.
    of_last_list: Vec<String>,
}

impl Append {
    /// Writes the manifests of `files`, which must not be empty.
    pub(super) async fn prepare(
        target: Arc<Target>,
        metadata: &TableMetadata,
        files: Vec<DataFile>,
    ) -> Result<Self> {
        let (snapshot, added) = (NewSnapshot::generate(), Added::of(&files));
        let manifests = write_manifests(&target, metadata, snapshot, files).await?;
        Ok(Self { target, snapshot, manifests, added, lists: 0, of_last_list: Vec::new() })
    }

    /// Appends to `table`, or to what it has become meanwhile. Returns the number of rows.
    ///
    /// Must run to its end once it has begun. Errors: `Conflict` where the table was replaced or
    /// has lost the schema or the partitioning of the files, or where others were always faster.
    pub(super) async fn commit(mut self, catalog: &dyn Catalog, mut table: Table) -> Result<u64> {
        let backoff = Backoff::of(&table.metadata)?;
        let uuid = table.metadata.uuid();
        for attempt in 0.. {
            self.check(&table, uuid)?;
            let snapshot = self.build(&table.metadata).await?;
            let change = change(&table, snapshot);
            let error = match catalog.commit(change).await {
                Ok(()) => break,
                Err(error) => error,
            };
            if error.kind() != ErrorKind::Conflict {
                self.find_out(catalog, &table.ident, error).await?;
                break;
            }
            for location in self.of_last_list.drain(..) {
                self.target.files.delete(&location).await?;
            }
            if attempt >= backoff.retries {
                return Err(error);
            }
            tracing::debug!(table = %table.ident, attempt, %error, "commit is tried again");
            tokio::time::sleep(backoff.wait(attempt)).await;
            table = catalog.load_table(&table.ident).await?;
        }
        self.target.files.keep();
        Ok(self.added.records())
    }

    /// `metadata` with a snapshot of these files: what a table begins with that is created with
    /// rows.
    pub(super) async fn begin(&mut self, metadata: TableMetadata) -> Result<TableMetadata> {
        let snapshot = self.build(&metadata).await?;
        let builder = metadata.into_builder(None).set_branch_snapshot(snapshot, MAIN_BRANCH)?;
        Ok(builder.build()?.metadata)
    }

    pub(super) fn records(&self) -> u64 {
        self.added.records()
    }

    fn check(&self, table: &Table, uuid: Uuid) -> Result<()> {
        let (metadata, name) = (&table.metadata, &table.ident);
        let conflict = |what: &str| Err(Error::new(ErrorKind::Conflict, what.to_owned()));
        if metadata.uuid() != uuid {
            return conflict(&format!("table {name} was replaced while rows were written"));
        }
        let spec = metadata.partition_spec_by_id(self.target.spec.spec_id());
        if spec.is_none_or(|spec| spec != &self.target.spec) {
            return conflict(&format!(
                "table {name} lost its partitioning while rows were written"
            ));
        }
        let schema = metadata.schema_by_id(self.target.schema.schema_id());
        if schema.is_none_or(|schema| schema != &self.target.schema) {
            return conflict(&format!("table {name} lost its schema while rows were written"));
        }
        Ok(())
    }

    /// Writes a manifest list of all files of the table and the new ones.
    async fn build(&mut self, metadata: &TableMetadata) -> Result<Snapshot> {
        let NewSnapshot { id, commit } = self.snapshot;
        let directory = metadata_directory(metadata);
        let location = format!("{directory}/snap-{id}-{}-{commit}.avro", self.lists);
        self.lists += 1;

        let files = &self.target.files;
        let parent = metadata.current_snapshot();
        let mut manifests = self.manifests.clone();
        if let Some(parent) = parent {
            let version = metadata.format_version();
            let others = read_manifest_list(files.storage(), parent, version).await?;
            let attempt = self.lists;
            let merged = merge_manifests(&self.target, metadata, self.snapshot, attempt, others);
            let merged = merged.await?;
            manifests.extend(merged.manifests);
            self.of_last_list.extend(merged.written);
        }
        files.record(&location);
        self.of_last_list.push(location.clone());
        let file_io = files.storage().file_io();
        write_manifest_list(file_io, &location, metadata, self.snapshot, manifests).await?;
        files.sync_all().await?;

        // Clocks differ, and a table's history must not run backwards.
        let now = chrono::Utc::now().timestamp_millis().max(metadata.last_updated_ms());
        Ok(Snapshot::builder()
            .with_snapshot_id(id)
            .with_parent_snapshot_id(metadata.current_snapshot_id())
            .with_sequence_number(metadata.next_sequence_number())
            .with_timestamp_ms(now)
            .with_manifest_list(location)
            .with_summary(self.added.summary(parent.map(AsRef::as_ref)))
            .with_schema_id(metadata.current_schema_id())
            .build())
    }

    /// Tells a commit that failed from one whose answer was lost, by looking.
    async fn find_out(
        &self,
        catalog: &dyn Catalog,
        ident: &TableIdent,
        error: Error,
    ) -> Result<()> {
        let committed = |table: &Table| table.metadata.snapshot_by_id(self.snapshot.id).is_some();
        read_back(&self.target.files, catalog, ident, error, committed).await
    }
}

/// Decides what an error of a commit means. `committed`: whether a table shows the change.
///
/// Returns no error where the change is there. Where it is certain that it is not and never will
/// be, the error is returned and files may go; else they are kept, because the table may need
/// them.
pub(super) async fn read_back(
    files: &Files,
    catalog: &dyn Catalog,
    ident: &TableIdent,
    error: Error,
    committed: impl FnOnce(&Table) -> bool,
) -> Result<()> {
    if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal) {
        return Err(error);
    }
    match catalog.load_table(ident).await {
        Ok(table) if committed(&table) => Ok(()),
        _ => {
            files.keep();
            tracing::warn!(table = %ident, %error, "outcome of a commit is unknown, files are kept");
            let message = format!("whether the change of table {ident} is committed is unknown");
            Err(Error::new(error.kind(), message).with_source(error))
        }
    }
}

fn change(table: &Table, snapshot: Snapshot) -> TableChange {
    let metadata = &table.metadata;
    let requirements = vec![
        TableRequirement::UuidMatch { uuid: metadata.uuid() },
        TableRequirement::RefSnapshotIdMatch {
            r#ref: MAIN_BRANCH.to_owned(),
            snapshot_id: metadata.current_snapshot_id(),
        },
    ];
    let retention = SnapshotRetention::branch(None, None, None);
    let reference = SnapshotReference::new(snapshot.snapshot_id(), retention);
    let ref_name = MAIN_BRANCH.to_owned();
    let updates = vec![
        TableUpdate::AddSnapshot { snapshot },
        TableUpdate::SetSnapshotRef { ref_name, reference },
    ];
    TableChange { ident: table.ident.clone(), requirements, updates }
}

/// When a commit is tried again.
struct Backoff {
    retries: u32,
    min_wait: Duration,
    max_wait: Duration,
}

impl Backoff {
    fn of(metadata: &TableMetadata) -> Result<Self> {
        let properties = Properties(metadata.properties());
        let retries = properties.parse("commit.retry.num-retries")?.unwrap_or(MIN_RETRIES);
        let min_wait = properties.parse("commit.retry.min-wait-ms")?;
        let max_wait = properties.parse("commit.retry.max-wait-ms")?;
        Ok(Self {
            retries: retries.max(MIN_RETRIES),
            min_wait: Duration::from_millis(min_wait.unwrap_or(DEFAULT_MIN_WAIT_MS)),
            max_wait: Duration::from_millis(max_wait.unwrap_or(DEFAULT_MAX_WAIT_MS)),
        })
    }

    /// Doubles with each attempt; at random between the half and the whole of it, so that those who
    /// met do not meet again.
    fn wait(&self, attempt: u32) -> Duration {
        let longest = self.min_wait.saturating_mul(1 << attempt.min(16)).min(self.max_wait);
        let random = Uuid::new_v4().as_u64_pair().1 as u32;
        longest.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0)
    }
}
