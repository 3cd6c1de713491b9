//! Rows that are written are there, with the right snapshot around them.

use arrow::array::{
    ArrayRef, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array,
    ListArray, StringArray, StructArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Int32Type};
use iceberg::spec::{FormatVersion, Operation};

use super::*;
use crate::ErrorKind;

fn ints(values: impl IntoIterator<Item = i32>) -> RecordBatch {
    let values: ArrayRef = Arc::new(Int32Array::from_iter_values(values));
    RecordBatch::try_from_iter([("id", values)]).unwrap()
}

fn summary<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    let snapshot = table.metadata.current_snapshot().unwrap();
    snapshot.summary().additional_properties.get(key).map(String::as_str)
}

#[tokio::test]
async fn every_type_comes_back() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let child: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), Some("hidden"), None]));
    let fields = vec![Field::new("child", DataType::Utf8, true)];
    let nulls = NullBuffer::from(vec![true, false, true]);
    let structs = StructArray::new(fields.into(), vec![child], Some(nulls));
    let moments = TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1)]);
    let decimals = Decimal128Array::from(vec![Some(-5), None, Some(5)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("long", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(1)]))),
        ("double", Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(-0.0)]))),
        ("text", Arc::new(StringArray::from(vec![Some("ä"), None, Some("")]))),
        ("decimal", Arc::new(decimals.with_precision_and_scale(30, 2).unwrap())),
        ("at", Arc::new(moments.with_timezone("+02:00"))),
        ("list", Arc::new(list)),
        ("struct", Arc::new(structs)),
        ("big", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(0)]))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    for version in ["1", "2"] {
        let fixture = Fixture::new().await;
        let table = with_properties(table_like(&batch, &[]), &[("format-version", version)]);
        let table = fixture.create(table).await;
        assert_eq!(fixture.append(&table, std::slice::from_ref(&batch)).await.unwrap(), 3);

        let lines = fixture.lines().await;
        assert_eq!(lines.len(), 3);
        let text = lines.join("\n").replace(' ', "");
        let first = "|-9223372036854775808|NaN|ä|-0.05|1969-12-31T23:59:59.999999Z|[1,]|{child:x}|";
        assert!(text.contains(first), "{text}");
        assert!(text.contains("|18446744073709551615|") && !text.contains("hidden"), "{text}");
    }
}

#[tokio::test]
async fn snapshots_follow_each_other() {
    let fixture = Fixture::new().await;
    let table = fixture.create(table_like(&ints([]), &[])).await;
    assert_eq!(fixture.append(&table, &[ints(0..3)]).await.unwrap(), 3);
    // On top of a state that is no longer the current one.
    assert_eq!(fixture.append(&table, &[ints(3..5)]).await.unwrap(), 2);

    let table = fixture.load().await;
    let snapshot = table.metadata.current_snapshot().unwrap();
    assert_eq!(snapshot.summary().operation, Operation::Append);
    assert_eq!(snapshot.sequence_number(), 2);
    assert!(snapshot.parent_snapshot_id().is_some());
    assert_eq!(summary(&table, "added-records"), Some("2"));
    assert_eq!(summary(&table, "total-records"), Some("5"));
    assert_eq!(summary(&table, "total-data-files"), Some("2"));
    assert_eq!(summary(&table, "changed-partition-count"), Some("1"));
    let bytes: u64 = fixture.data_files().await.iter().map(DataFile::file_size_in_bytes).sum();
    assert_eq!(summary(&table, "total-files-size"), Some(bytes.to_string().as_str()));
    assert_eq!(fixture.lines().await.len(), 5);
    // One list for each snapshot and none of the attempt that met the other snapshot.
    let lists = fixture.leftovers().into_iter().filter(|path| path.contains("/snap-")).count();
    assert_eq!(lists, 2);
}

#[tokio::test]
async fn small_manifests_are_merged() {
    for version in ["1", "2"] {
        let fixture = Fixture::new().await;
        let properties = [("commit.manifest.min-count-to-merge", "3"), ("format-version", version)];
        let table = table_like(&ints([]), &[("id", Transform::Bucket(2))]);
        let table = fixture.create(with_properties(table, &properties)).await;
        for n in 0..6 {
            fixture.append(&table, &[ints(n..n + 1)]).await.unwrap();
        }
        assert_eq!(fixture.lines().await.len(), 6);

        let table = fixture.load().await;
        let snapshot = table.metadata.current_snapshot().unwrap();
        let format = table.metadata.format_version();
        let manifests = read_manifest_list(&table.storage, snapshot, format).await.unwrap();
        assert!(manifests.len() <= 3, "{} manifests", manifests.len());
        let mut added = HashMap::new();
        for manifest in &manifests {
            let loaded = manifest.load_manifest(table.storage.file_io()).await.unwrap();
            for entry in loaded.entries() {
                added.insert(entry.snapshot_id().unwrap(), entry.sequence_number().unwrap());
            }
        }
        // Every file is still that of its own snapshot.
        let snapshots = table.metadata.snapshots();
        let expected: HashMap<_, _> =
            snapshots.map(|s| (s.snapshot_id(), s.sequence_number())).collect();
        assert_eq!(added, expected);
        // Nothing is left of attempts that were not committed.
        let merged = fixture.leftovers().into_iter().filter(|path| path.contains("-merged-"));
        assert!(merged.count() <= 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_all_land() {
    let fixture = Fixture::new().await;
    let table = fixture.create(table_like(&ints([]), &[])).await;
    let appends = (0..6).map(|n| {
        let (fixture, table) = (&fixture, &table);
        async move { fixture.append(table, &[ints(n * 10..n * 10 + 10)]).await }
    });
    for rows in futures::future::join_all(appends).await {
        assert_eq!(rows.unwrap(), 10);
    }
    assert_eq!(fixture.lines().await.len(), 60);
    assert_eq!(fixture.load().await.metadata.snapshots().len(), 6);
}

#[tokio::test]
async fn nothing_makes_no_snapshot() {
    let fixture = Fixture::new().await;
    let table = fixture.create(table_like(&ints([]), &[])).await;
    assert_eq!(fixture.append(&table, &[ints([])]).await.unwrap(), 0);
    assert!(fixture.load().await.metadata.current_snapshot().is_none());
}

#[tokio::test]
async fn a_table_begins_with_its_rows() {
    let fixture = Fixture::new().await;
    let create = async |batch: RecordBatch| {
        let table = table_like(&batch, &[("id", Transform::Bucket(2))]);
        super::super::create_table_as(&fixture.catalog, table, plan(&[batch]), context(1)).await
    };
    assert_eq!(create(ints(0..10)).await.unwrap(), 10);
    let table = fixture.load().await;
    assert_eq!(table.metadata.format_version(), FormatVersion::V2);
    assert_eq!(table.metadata.snapshots().len(), 1);
    assert_eq!(summary(&table, "total-records"), Some("10"));
    assert_eq!(summary(&table, "changed-partition-count"), Some("2"));

    let before = fixture.leftovers();
    let error = create(ints(0..10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fixture.leftovers(), before);
    assert_eq!(fixture.append(&table, &[ints(10..11)]).await.unwrap(), 1);
    assert_eq!(fixture.lines().await.len(), 11);
}

#[tokio::test]
async fn a_table_can_begin_without_rows() {
    let fixture = Fixture::new().await;
    let table = table_like(&ints([]), &[]);
    let rows =
        super::super::create_table_as(&fixture.catalog, table, plan(&[ints([])]), context(2)).await;
    assert_eq!(rows.unwrap(), 0);
    assert!(fixture.load().await.metadata.current_snapshot().is_none());
}

#[tokio::test]
async fn all_tasks_write_what_one_stream_computes() {
    let fixture = Fixture::new().await;
    let table = fixture.create(table_like(&ints([]), &[])).await;
    let batches: Vec<_> = (0..8).map(|n| ints(n * 100..n * 100 + 100)).collect();
    let rows = super::super::append(&fixture.catalog, &table, plan(&batches), context(4)).await;
    assert_eq!(rows.unwrap(), 800);
    assert_eq!(fixture.data_files().await.len(), 4);
    assert_eq!(fixture.lines().await, lines(&batches));
}

#[tokio::test]
async fn files_end_at_their_target_size() {
    let fixture = Fixture::new().await;
    let properties = [
        ("write.target-file-size-bytes", "20000"),
        ("write.parquet.row-group-size-bytes", "10000"),
        ("write.parquet.compression-codec", "snappy"),
        ("write.data.path", fixture.directory.path().join("elsewhere").to_str().unwrap()),
    ]
    .map(|(key, value)| (key, value.to_owned()));
    let mut table = table_like(&ints([]), &[]);
    table.properties = properties.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    let table = fixture.create(table).await;
    let batches: Vec<_> = (0..50).map(|n| ints(n * 1000..n * 1000 + 1000)).collect();
    assert_eq!(fixture.append(&table, &batches).await.unwrap(), 50_000);
    let files = fixture.data_files().await;
    assert!((5..20).contains(&files.len()), "{} files", files.len());
    assert!(files.iter().all(|file| file.file_size_in_bytes() < 40_000));
    assert!(files[0].file_path().contains("/elsewhere/"));
    assert!(files[0].split_offsets().unwrap().len() > 1);
    assert_eq!(fixture.lines().await, lines(&batches));
}

#[tokio::test]
async fn uuids_are_read_from_text() {
    let fixture = Fixture::new().await;
    let text = "f79c3e09-677c-4bbd-a479-3f349cb785e7";
    let batch = |text: &str| {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
        RecordBatch::try_from_iter([("id", texts)]).unwrap()
    };
    let mut table = table_like(&batch(text), &[]);
    let uuid = iceberg::spec::Type::Primitive(iceberg::spec::PrimitiveType::Uuid);
    let field = iceberg::spec::NestedField::required(1, "id", uuid);
    table.schema = crate::Schema::builder().with_fields([Arc::new(field)]).build().unwrap();
    table.partitioning = vec![PartitionBy { column: "id".into(), transform: Transform::Bucket(4) }];
    let table = fixture.create(table).await;
    fixture.append(&table, &[batch(text)]).await.unwrap();

    let rows = fixture.read().await.remove(0);
    let ids = rows.column(0).as_any().downcast_ref::<FixedSizeBinaryArray>().unwrap();
    assert_eq!(ids.value(0), uuid::Uuid::parse_str(text).unwrap().as_bytes());
    let file = fixture.data_files().await.remove(0);
    let bytes = fixture.load().await.storage.read(file.file_path()).await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let column = reader.parquet_schema().column(0);
    assert_eq!(column.logical_type_ref(), Some(&parquet::basic::LogicalType::Uuid));
    assert_eq!(column.self_type().get_basic_info().id(), 1);
    assert_eq!(file.lower_bounds()[&1].to_string(), text);
    let error = fixture.append(&table, &[batch("x")]).await.unwrap_err();
    assert_eq!(error.to_string(), r#"column "id": "x" is not a uuid"#);
}
