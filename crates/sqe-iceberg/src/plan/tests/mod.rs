//! Planning over tables of hand-made manifests, which need no data files.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::prelude::{Expr, SessionContext, col, lit};
use iceberg::spec::{
    DataContentType, DataFile as IcebergDataFile, DataFileBuilder, DataFileFormat, Datum,
    FormatVersion, Literal, MAIN_BRANCH, ManifestContentType, ManifestFile, ManifestListWriter,
    ManifestWriterBuilder, NestedField, NestedFieldRef, Operation, PrimitiveType, Schema, Snapshot,
    SortOrder, Struct, Summary, TableMetadata, TableMetadataBuilder, Transform, Type,
    UnboundPartitionSpec,
};
use iceberg::{TableIdent, io::FileIO};
use tempfile::TempDir;

use super::*;
use crate::storage::Storage;
use crate::{ErrorKind, schema};

mod property;

/// A table in a directory of its own.
pub(crate) struct TestTable {
    pub(crate) directory: TempDir,
    metadata: TableMetadata,
    manifests: Vec<ManifestFile>,
}

impl TestTable {
    /// Field ids must be those that a new table would give, from 1.
    pub(crate) fn new(
        version: FormatVersion,
        fields: Vec<NestedFieldRef>,
        partitioning: &[(i32, Transform)],
    ) -> Self {
        let schema = Schema::builder().with_fields(fields).build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut spec = UnboundPartitionSpec::builder();
        for (source_id, transform) in partitioning {
            spec = spec.add_partition_field(*source_id, "part", *transform).unwrap();
        }
        let (order, location) = (SortOrder::unsorted_order(), directory.path().to_str().unwrap());
        let (location, properties) = (location.to_owned(), HashMap::new());
        let builder =
            TableMetadataBuilder::new(schema, spec.build(), order, location, version, properties);
        let metadata = builder.unwrap().build().unwrap().metadata;
        Self { directory, metadata, manifests: Vec::new() }
    }

    /// Another current schema, without a new snapshot.
    pub(crate) fn evolve(&mut self, fields: Vec<NestedFieldRef>) {
        let schema = Schema::builder().with_fields(fields).build().unwrap();
        let builder = self.metadata.clone().into_builder(None).add_current_schema(schema);
        self.metadata = builder.unwrap().build().unwrap().metadata;
    }

    pub(crate) fn upgrade(&mut self, version: FormatVersion) {
        let builder = self.metadata.clone().into_builder(None).upgrade_format_version(version);
        self.metadata = builder.unwrap().build().unwrap().metadata;
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// Commits a snapshot that adds one manifest of `files`.
    pub(crate) async fn append(
        &mut self,
        content: ManifestContentType,
        files: Vec<IcebergDataFile>,
    ) {
        let version = self.metadata.format_version();
        let snapshot_id = self.manifests.len() as i64 + 1;
        let sequence_number = self.metadata.next_sequence_number();
        let output = Storage::local().file_io().new_output(self.path(&format!("m{snapshot_id}")));
        let builder = ManifestWriterBuilder::new(
            output.unwrap(),
            Some(snapshot_id),
            Arc::clone(self.metadata.current_schema()),
            self.metadata.default_partition_spec().as_ref().clone(),
        );
        let mut writer = match (version, content) {
            (FormatVersion::V1, _) => builder.build_v1(),
            (_, ManifestContentType::Data) => builder.build_v2_data(),
            (_, ManifestContentType::Deletes) => builder.build_v2_deletes(),
        };
        for file in files {
            writer.add_file(file, sequence_number).unwrap();
        }
        let mut manifest = writer.write_manifest_file().await.unwrap();
        manifest.sequence_number = sequence_number;
        manifest.min_sequence_number = sequence_number;
        self.manifests.push(manifest);
        let list = manifest_list(version, sequence_number, self.manifests.clone()).await;
        let location = self.path(&format!("list{snapshot_id}"));
        std::fs::write(&location, list).unwrap();
        let summary =
            Summary { operation: Operation::Append, additional_properties: HashMap::new() };
        let snapshot = Snapshot::builder()
            .with_snapshot_id(snapshot_id)
            .with_sequence_number(sequence_number)
            .with_timestamp_ms(self.metadata.last_updated_ms() + 1)
            .with_manifest_list(location)
            .with_summary(summary)
            .build();
        let builder = self.metadata.clone().into_builder(None);
        let builder = builder.set_branch_snapshot(snapshot, MAIN_BRANCH).unwrap();
        self.metadata = builder.build().unwrap().metadata;
    }

    pub(crate) fn table(&self) -> Table {
        Table {
            ident: TableIdent::from_strs(["s", "t"]).unwrap(),
            metadata: Arc::new(self.metadata.clone()),
            metadata_location: String::new(),
            storage: Storage::local(),
        }
    }

    /// The names of the files that a scan with `filter` reads.
    async fn plan(&self, filter: Expr) -> Result<Vec<String>> {
        let table = self.table();
        check_supported(&table)?;
        let schema = schema::to_arrow(table.metadata.current_schema()).unwrap();
        let session = SessionContext::new().state();
        let pruner = Pruner::new(&[filter], &session, &schema, &table.metadata);
        let cache = ManifestCache::new(1 << 20);
        let files = plan_files(&table, &cache, pruner.as_ref(), None).await?;
        Ok(files.iter().map(|file| file.location.clone()).collect())
    }
}

/// The bytes of a manifest list.
pub(crate) async fn manifest_list(
    version: FormatVersion,
    sequence_number: i64,
    manifests: Vec<ManifestFile>,
) -> Vec<u8> {
    let output = FileIO::new_with_memory().new_output("memory:/list.avro").unwrap();
    let file = output.writer().await.unwrap();
    let mut writer = match version {
        FormatVersion::V1 => ManifestListWriter::v1(file, 1, None),
        _ => ManifestListWriter::v2(file, 1, None, sequence_number),
    };
    writer.add_manifests(manifests.into_iter()).unwrap();
    writer.close().await.unwrap();
    output.to_input_file().read().await.unwrap().to_vec()
}

pub(crate) fn field(id: i32, name: &str, primitive: PrimitiveType) -> NestedFieldRef {
    Arc::new(NestedField::optional(id, name, Type::Primitive(primitive)))
}

/// A data file of one row without metrics.
pub(crate) fn data_file(location: &str) -> DataFileBuilder {
    let mut builder = DataFileBuilder::default();
    builder
        .content(DataContentType::Data)
        .file_path(location.to_owned())
        .file_format(DataFileFormat::Parquet)
        .record_count(1)
        .file_size_in_bytes(1000);
    builder
}

#[tokio::test]
async fn partitions_and_bounds_leave_out_files() {
    use PrimitiveType::{Int, String};
    let partitioning = [(1, Transform::Truncate(10))];
    let fields = || vec![field(1, "k", Int), field(2, "s", String)];
    let mut table = TestTable::new(FormatVersion::V2, fields(), &partitioning);
    let file = |name: &str, k: i32, s: (&str, &str)| {
        data_file(name)
            .partition(Struct::from_iter([Some(Literal::int(k))]))
            .null_value_counts(HashMap::from([(2, 0)]))
            .lower_bounds(HashMap::from([(2, Datum::string(s.0))]))
            .upper_bounds(HashMap::from([(2, Datum::string(s.1))]))
            .build()
            .unwrap()
    };
    let first = vec![file("a", 0, ("a", "f")), file("b", 10, ("g", "m"))];
    table.append(ManifestContentType::Data, first).await;
    table.append(ManifestContentType::Data, vec![file("c", 90, ("a", "z"))]).await;

    let check = async |filter: Expr, expected: &[&str]| {
        assert_eq!(table.plan(filter.clone()).await.unwrap(), expected, "{filter}");
    };
    check(col("k").lt(lit(5)), &["a"]).await;
    check(col("k").eq(lit(19)), &["b"]).await;
    check(col("k").gt(lit(99)), &[]).await;
    check(col("k").is_null(), &[]).await;
    check(col("s").eq(lit("h")), &["b", "c"]).await;
    check(col("s").is_null(), &[]).await;
    check(col("k").lt(lit(20)).and(col("s").gt(lit("f"))), &["b"]).await;
    check(col("k").in_list((0..50).map(|k| lit(k * 100)).collect(), false), &["a"]).await;
    check(lit(true), &["a", "b", "c"]).await;
}

#[tokio::test]
async fn a_version_1_table_that_was_upgraded_is_read() {
    let fields = vec![field(1, "k", PrimitiveType::Int)];
    let mut table = TestTable::new(FormatVersion::V1, fields, &[]);
    let file = |name| vec![data_file(name).build().unwrap()];
    table.append(ManifestContentType::Data, file("v1")).await;
    assert_eq!(table.plan(lit(true)).await.unwrap(), ["v1"]);
    table.upgrade(FormatVersion::V2);
    assert_eq!(table.plan(lit(true)).await.unwrap(), ["v1"]);
    table.append(ManifestContentType::Data, file("v2")).await;
    assert_eq!(table.plan(lit(true)).await.unwrap(), ["v1", "v2"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_name() {
    async fn check(
        content: ManifestContentType,
        change: impl Fn(&mut DataFileBuilder),
        expected: &str,
    ) {
        let fields = vec![field(1, "k", PrimitiveType::Int)];
        let mut table = TestTable::new(FormatVersion::V2, fields, &[]);
        let mut file = data_file("f");
        change(&mut file);
        table.append(content, vec![file.build().unwrap()]).await;
        let error = table.plan(lit(true)).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let deletes = |content| {
        move |file: &mut DataFileBuilder| {
            file.content(content).equality_ids(Some(vec![1]));
        }
    };
    check(
        ManifestContentType::Deletes,
        deletes(DataContentType::PositionDeletes),
        "table s.t: position deletes are not supported",
    )
    .await;
    check(
        ManifestContentType::Deletes,
        deletes(DataContentType::EqualityDeletes),
        "table s.t: equality deletes are not supported",
    )
    .await;
    check(
        ManifestContentType::Data,
        |file| _ = file.file_format(DataFileFormat::Orc),
        "table s.t: data file f is orc, not parquet",
    )
    .await;
    check(
        ManifestContentType::Data,
        |file| _ = file.key_metadata(Some(vec![1])),
        "table s.t: data file f is encrypted",
    )
    .await;

    let fields = vec![field(1, "k", PrimitiveType::Int)];
    let table = TestTable::new(FormatVersion::V3, fields, &[]);
    let error = check_supported(&table.table()).unwrap_err();
    assert_eq!(error.to_string(), "table s.t: format version 3 is not supported");
}
