//! A catalog in a directory, plans over given batches, and what files hold afterwards.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use iceberg::spec::{DataFile, Transform};
use iceberg::{NamespaceIdent, TableIdent};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::manifest::read_manifest_list;
use crate::catalog::Catalog;
use crate::catalog::sqlite::{SqliteCatalog, SqliteOptions};
use crate::create::{NewTable, PartitionBy};
use crate::{Result, Table, schema};

mod append;
mod failure;
mod fanout;
mod metrics;

/// A namespace `s` in a new catalog.
struct Fixture {
    directory: TempDir,
    catalog: Arc<dyn Catalog>,
}

impl Fixture {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let options = SqliteOptions {
            path: directory.path().join("catalog.db"),
            warehouse: directory.path().join("warehouse"),
            catalog_name: "test".into(),
        };
        let catalog = SqliteCatalog::open(options).await.unwrap();
        catalog.create_namespace(&NamespaceIdent::new("s".into()), HashMap::new()).await.unwrap();
        Self { directory, catalog: Arc::new(catalog) }
    }

    async fn create(&self, table: NewTable) -> Table {
        table.create(self.catalog.as_ref()).await.unwrap();
        self.catalog.load_table(&table.ident).await.unwrap()
    }

    async fn append(&self, table: &Table, batches: &[RecordBatch]) -> Result<u64> {
        super::append(&self.catalog, table, plan(batches), context(1)).await
    }

    async fn load(&self) -> Table {
        self.catalog.load_table(&TableIdent::from_strs(["s", "t"]).unwrap()).await.unwrap()
    }

    /// The data files of the table's current snapshot.
    async fn data_files(&self) -> Vec<DataFile> {
        let table = self.load().await;
        let Some(snapshot) = table.metadata.current_snapshot() else {
            return Vec::new();
        };
        let version = table.metadata.format_version();
        let manifests = read_manifest_list(&table.storage, snapshot, version).await.unwrap();
        let mut files = Vec::new();
        for manifest in manifests {
            let manifest = manifest.load_manifest(table.storage.file_io()).await.unwrap();
            files.extend(manifest.entries().iter().map(|entry| entry.data_file().clone()));
        }
        files
    }

    /// All rows of the table, file by file.
    async fn read(&self) -> Vec<RecordBatch> {
        let storage = self.load().await.storage;
        let mut batches = Vec::new();
        for file in self.data_files().await {
            let bytes = storage.read(file.file_path()).await.unwrap();
            assert_eq!(bytes.len() as u64, file.file_size_in_bytes());
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
            let read: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
            let rows = concat_batches(&read[0].schema(), &read).unwrap();
            assert_eq!(rows.num_rows() as u64, file.record_count());
            batches.push(rows);
        }
        batches
    }

    /// The rows of the table as sorted lines of text.
    async fn lines(&self) -> Vec<String> {
        lines(&self.read().await)
    }

    /// Paths of all files and directories in the warehouse that are no `metadata.json`.
    fn leftovers(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let warehouse = self.directory.path().join("warehouse");
        collect(&warehouse, &warehouse, &mut found);
        found.retain(|path| !path.ends_with(".metadata.json"));
        found
    }
}

fn collect(root: &Path, directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        found.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        if path.is_dir() {
            collect(root, &path, found);
        }
    }
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let text = pretty_format_batches(batches).unwrap().to_string();
    let mut lines: Vec<_> =
        text.lines().filter(|line| line.starts_with('|')).skip(1).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// A table `s.t` with the columns of `batch`.
fn table_like(batch: &RecordBatch, partitioning: &[(&str, Transform)]) -> NewTable {
    let partitioning = partitioning.iter();
    NewTable {
        ident: TableIdent::from_strs(["s", "t"]).unwrap(),
        schema: schema::from_arrow(&batch.schema()).unwrap(),
        partitioning: partitioning
            .map(|(column, transform)| PartitionBy {
                column: (*column).into(),
                transform: *transform,
            })
            .collect(),
        properties: HashMap::new(),
        location: None,
    }
}

fn with_properties(mut table: NewTable, properties: &[(&str, &str)]) -> NewTable {
    table.properties = properties.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    table
}

/// One partition that yields `batches`.
fn plan(batches: &[RecordBatch]) -> Arc<dyn ExecutionPlan> {
    MemorySourceConfig::try_new_exec(&[batches.to_vec()], batches[0].schema(), None).unwrap()
}

fn context(target_partitions: usize) -> Arc<TaskContext> {
    let config = SessionConfig::new().with_target_partitions(target_partitions);
    SessionContext::new_with_config(config).task_ctx()
}
