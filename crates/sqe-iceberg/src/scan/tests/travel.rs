//! Scans that are sent to another node: the same there, with what is granted and nothing else.

use datafusion::common::ColumnStatistics;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::displayable;
use datafusion_datasource::file_groups::FileGroup;
use datafusion_datasource::file_scan_config::FileScanConfig;
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_proto_converter, physical_plan_to_bytes_with_proto_converter,
};
use datafusion_proto::physical_plan::DeduplicatingProtoConverter;
use iceberg::spec::Transform;

use super::round_trip::{FILTERS, write};
use super::*;
use crate::scan::split::split;
use crate::storage::{KeySource, S3Scope, Storage, StorageGrant, Storages};

type Sent = (Arc<dyn ExecutionPlan>, SessionContext);

/// What arrives of a plan where `storages` are open, and the session there.
pub(super) fn sent(
    plan: &Arc<dyn ExecutionPlan>,
    storages: Vec<Storage>,
) -> datafusion::common::Result<Sent> {
    let converter = DeduplicatingProtoConverter::default();
    let plan = Arc::clone(plan);
    let bytes = physical_plan_to_bytes_with_proto_converter(plan, &ScanCodec, &converter)?;
    let storages = storages.into_iter().collect::<Storages>();
    let config = SessionConfig::new().with_extension(Arc::new(storages));
    let there = SessionContext::new_with_config(config);
    let (context, converter) = (there.task_ctx(), DeduplicatingProtoConverter::default());
    let plan =
        physical_plan_from_bytes_with_proto_converter(&bytes, &context, &ScanCodec, &converter)?;
    Ok((plan, there))
}

#[derive(Debug)]
struct NoKeys;

#[async_trait::async_trait]
impl KeySource for NoKeys {
    async fn renew(&self) -> crate::Result<Vec<S3Scope>> {
        Ok(Vec::new())
    }
}

/// The storages of a plan as another node opens them.
async fn granted(plan: &Arc<dyn ExecutionPlan>) -> Vec<Storage> {
    let mut opened = Vec::new();
    for storage in codec::storages_of(plan) {
        let grant = StorageGrant::decode(&storage.grant().await.unwrap().encode()).unwrap();
        opened.push(Storage::open(grant, Arc::new(NoKeys)).unwrap());
    }
    opened
}

async fn session(pushdown: bool, partition: Option<(&str, Transform)>) -> Session {
    let (directory, table) = write(partition).await;
    let mut config = SessionConfig::new().with_target_partitions(2);
    config.options_mut().execution.parquet.pushdown_filters = pushdown;
    let context = SessionContext::new_with_config(config);
    context.register_table("t", Arc::new(table)).unwrap();
    Session { _directory: directory, context }
}

struct Session {
    _directory: tempfile::TempDir,
    context: SessionContext,
}

impl Session {
    async fn plan(&self, sql: &str) -> Arc<dyn ExecutionPlan> {
        self.context.sql(sql).await.unwrap().create_physical_plan().await.unwrap()
    }

    /// A query has the same plan and the same rows there.
    async fn check(&self, sql: &str) {
        let shown = |plan: &Arc<dyn ExecutionPlan>| {
            let plan = displayable(plan.as_ref()).set_show_statistics(true);
            plan.indent(true).to_string()
        };
        let plan = self.plan(sql).await;
        let (there, context) = sent(&plan, granted(&plan).await).unwrap();
        assert_eq!(shown(&there), shown(&plan), "{sql}");
        let rows = collect(there, context.task_ctx()).await.unwrap();
        let expected = collect(plan, self.context.task_ctx()).await.unwrap();
        let rows = pretty_format_batches(&rows).unwrap().to_string();
        assert_eq!(rows, pretty_format_batches(&expected).unwrap().to_string(), "{sql}");
    }
}

#[tokio::test]
async fn a_scan_is_the_same_elsewhere() {
    for partition in [None, Some(("i", Transform::Identity)), Some(("s", Transform::Bucket(3)))] {
        for pushdown in [false, true] {
            let session = session(pushdown, partition).await;
            for filter in FILTERS {
                session.check(&format!("SELECT * FROM t WHERE {filter} ORDER BY k")).await;
            }
            session.check("SELECT k FROM t ORDER BY k DESC LIMIT 3").await;
            session.check("SELECT a, k FROM t ORDER BY a LIMIT 3").await;
            session.check("SELECT sum(k), count(*), max(s) FROM t").await;
            session.check("SELECT k + 1, s FROM t WHERE f > 0 ORDER BY 1").await;
            session.check("SELECT l.k FROM t l JOIN t r ON l.k = r.i ORDER BY 1").await;
            session.check("SELECT k, file_row_index() FROM t ORDER BY k").await;
        }
    }
}

/// The first scan of a plan.
fn scan_of(plan: &Arc<dyn ExecutionPlan>) -> &DataSourceExec {
    match plan.downcast_ref::<DataSourceExec>() {
        Some(scan) => scan,
        None => scan_of(plan.children()[0]),
    }
}

fn config_of(plan: &Arc<dyn ExecutionPlan>) -> &FileScanConfig {
    scan_of(plan).data_source().downcast_ref::<FileScanConfig>().unwrap()
}

#[tokio::test]
async fn nothing_of_a_scan_is_cut_off() {
    let session = session(true, None).await;
    let plan = session.plan("SELECT k FROM t WHERE i > 0").await;
    let mut config = config_of(&plan).clone();
    config.limit = Some(1 << 40);
    config.preserve_order = true;
    config.batch_size = Some(7);
    config.file_groups[0] = FileGroup::new(
        config.file_groups[0].iter().map(|file| file.clone().with_range(4, 2000)).collect(),
    );
    let plan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config.clone());
    let (there, _) = sent(&plan, granted(&plan).await).unwrap();
    let arrived = config_of(&there);
    assert_eq!((arrived.limit, arrived.preserve_order), (Some(1 << 40), true));
    assert_eq!(format!("{arrived:?}"), format!("{config:?}"));
    let (_, source) = scan_of(&there).downcast_to_file_source::<IcebergParquetSource>().unwrap();
    let (_, sent_source) =
        scan_of(&plan).downcast_to_file_source::<IcebergParquetSource>().unwrap();
    let options =
        |source: &IcebergParquetSource| source.parquet().unwrap().table_parquet_options().clone();
    assert_eq!(options(source), options(sent_source));
    assert_eq!(options(source).global.coerce_int96.as_deref(), Some("us"));
    let files = |config: &FileScanConfig| {
        let files = config.file_groups.iter().flat_map(FileGroup::iter);
        let files = files.map(|file| file.extension::<Arc<ScanFile>>().unwrap());
        files.map(|file| format!("{file:?}")).collect::<Vec<_>>()
    };
    assert_eq!(files(arrived), files(&config));
}

#[tokio::test]
async fn files_bring_the_statistics_that_something_looks_at() {
    let session = session(false, None).await;
    let check = async |sql: &str, expected: &[&str]| {
        let plan = session.plan(sql).await;
        let (there, _) = sent(&plan, granted(&plan).await).unwrap();
        let (before, after) = (config_of(&plan), config_of(&there));
        let files = |config: &FileScanConfig| {
            let files = config.file_groups.iter().flat_map(FileGroup::iter);
            files.map(|file| file.statistics.clone()).collect::<Vec<_>>()
        };
        assert_eq!(files(before).len(), files(after).len());
        for (before, after) in files(before).into_iter().zip(files(after)) {
            let Some(after) = after else {
                assert!(expected.is_empty(), "{sql}");
                continue;
            };
            let before = before.unwrap();
            assert_eq!(before.num_rows, after.num_rows);
            let columns = before.column_statistics.iter().zip(&after.column_statistics);
            for ((before, after), field) in columns.zip(&config_of(&plan).file_schema().fields) {
                match expected.contains(&field.name().as_str()) {
                    true => assert_eq!(before, after, "{sql}"),
                    false => assert_eq!(*after, ColumnStatistics::new_unknown(), "{sql}"),
                }
            }
        }
    };
    check("SELECT k FROM t", &[]).await;
    check("SELECT i FROM t WHERE k > 3 AND s < 'c'", &["k", "s"]).await;
    check("SELECT a, t FROM t ORDER BY t LIMIT 3", &["t"]).await;
}

#[tokio::test]
async fn a_scan_needs_the_storage_of_its_session() {
    let session = session(false, None).await;
    let plan = session.plan("SELECT k FROM t").await;
    let [storage] = codec::storages_of(&plan).try_into().unwrap();
    let error = sent(&plan, vec![Storage::local()]).err().unwrap();
    assert!(matches!(error, DataFusionError::Internal(_)), "{error}");
    assert!(error.to_string().contains(&storage.id().to_string()), "{error}");

    // The right number does not open what is not granted.
    let grant = StorageGrant::local(storage.id(), vec!["/nowhere".to_owned()]);
    let opened = Storage::open(grant, Arc::new(NoKeys)).unwrap();
    let (there, context) = sent(&plan, vec![opened]).unwrap();
    let error = collect(there, context.task_ctx()).await.unwrap_err();
    let DataFusionError::External(error) = error else { panic!("{error}") };
    assert_eq!(error.downcast_ref::<crate::Error>().unwrap().kind(), crate::ErrorKind::Forbidden);
}

#[test]
fn only_scans_of_tables_are_encoded() {
    let plan: Arc<dyn ExecutionPlan> =
        Arc::new(datafusion::physical_plan::empty::EmptyExec::new(Arc::new(Schema::empty())));
    let converter = DeduplicatingProtoConverter::default();
    let codec: &dyn datafusion_proto::physical_plan::PhysicalExtensionCodec = &ScanCodec;
    codec.try_encode(plan, &mut Vec::new(), &converter).unwrap_err();
    let context = SessionContext::new().task_ctx();
    codec.try_decode(b"nothing", &[], &context, &converter).unwrap_err();
}

#[tokio::test]
async fn parts_have_the_rows_of_the_whole() {
    let session = session(false, Some(("s", Transform::Bucket(3)))).await;
    let plan = session.plan("SELECT k FROM t").await;
    for tasks in [1, 2, 5, 40] {
        let parts = split(&plan, NonZeroUsize::new(tasks).unwrap()).unwrap().unwrap();
        assert_eq!(parts.len(), tasks);
        let mut keys: Vec<i64> = Vec::new();
        for part in parts {
            let partitions = |plan: &Arc<dyn ExecutionPlan>| {
                plan.properties().output_partitioning().partition_count()
            };
            assert_eq!(partitions(&part), partitions(&plan));
            let (there, context) = sent(&part, granted(&part).await).unwrap();
            for batch in collect(there, context.task_ctx()).await.unwrap() {
                let column = batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap();
                keys.extend(column.values());
            }
        }
        keys.sort_unstable();
        assert_eq!(keys, (0..60).collect::<Vec<_>>(), "{tasks} tasks");
    }
}
