//! Plans that are sent to another node, where only what is granted can be read.

use arrow::util::pretty::pretty_format_batches;
use async_trait::async_trait;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::{collect, displayable, empty::EmptyExec};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_datasource::PartitionedFile;
use datafusion_datasource::file_scan_config::FileScanConfigBuilder;
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_proto_converter, physical_plan_to_bytes_with_proto_converter,
};
use datafusion_proto::physical_plan::DeduplicatingProtoConverter;
use sqe_iceberg::catalog::Catalog;
use sqe_iceberg::catalog::sqlite::{SqliteCatalog, SqliteOptions};
use sqe_iceberg::storage::{KeySource, S3Scope, Storage, StorageGrant, Storages};
use sqe_iceberg::{NamespaceIdent, TableIdent, cache, create, provider, schema, write};

use std::collections::HashMap;
use std::num::NonZeroUsize;

use super::*;

#[derive(Debug)]
struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn renew(&self) -> sqe_iceberg::Result<Vec<S3Scope>> {
        Ok(Vec::new())
    }
}

type Sent = (Arc<dyn ExecutionPlan>, SessionContext);

/// What arrives of a plan at a node that opens what it is granted, and the session there.
async fn sent(plan: Arc<dyn ExecutionPlan>, config: &SessionConfig) -> Result<Sent> {
    let mut opened = Vec::new();
    for storage in storages_of(&plan) {
        let grant = StorageGrant::decode(&storage.grant().await?.encode())?;
        opened.push(Storage::open(grant, Arc::new(NoKeys))?);
    }
    check_sources(&plan)?;
    let converter = DeduplicatingProtoConverter::default();
    let bytes = physical_plan_to_bytes_with_proto_converter(plan, &PlanCodec, &converter)?;
    let storages = opened.into_iter().collect::<Storages>();
    let there = SessionContext::new_with_config(config.clone().with_extension(Arc::new(storages)));
    let (context, converter) = (there.task_ctx(), DeduplicatingProtoConverter::default());
    let plan =
        physical_plan_from_bytes_with_proto_converter(&bytes, &context, &PlanCodec, &converter)?;
    Ok((plan, there))
}

async fn lines(plan: Arc<dyn ExecutionPlan>, context: &SessionContext) -> Vec<String> {
    let batches = collect(plan, context.task_ctx()).await.unwrap();
    let table = pretty_format_batches(&batches).unwrap().to_string();
    // Widths of columns may differ between parts.
    let lines = table.lines().filter(|line| line.starts_with('|'));
    let cells = |line: &str| line.split('|').map(str::trim).collect::<Vec<_>>().join("|");
    let mut lines: Vec<String> = lines.map(cells).skip(1).collect();
    lines.sort_unstable();
    lines
}

/// A query has the same plan and the same rows elsewhere, and its first scan the same rows in
/// parts. Only for queries whose rows do not depend on who is first.
pub(crate) async fn check_elsewhere(context: &SessionContext, sql: &str) {
    let plan = async || context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    let config = context.copied_config();
    let shown = |plan: &Arc<dyn ExecutionPlan>| {
        displayable(plan.as_ref()).set_show_statistics(true).indent(true).to_string()
    };
    let (there, session) = sent(plan().await, &config).await.unwrap();
    assert_eq!(shown(&there), shown(&plan().await), "{sql}");
    let expected = lines(plan().await, context).await;
    assert_eq!(lines(there, &session).await, expected, "{sql}");

    let leaf = async || {
        let mut leaf = plan().await;
        while let Some(child) = leaf.children().first().map(|child| Arc::clone(child)) {
            leaf = child;
        }
        leaf
    };
    if leaf().await.fetch().is_some() {
        return;
    }
    for tasks in [1, 2, 7] {
        let whole = leaf().await;
        let Some(parts) = split(&whole, NonZeroUsize::new(tasks).unwrap()).unwrap() else {
            continue;
        };
        assert_eq!(parts.len(), tasks);
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for part in parts {
            let partitions = |plan: &Arc<dyn ExecutionPlan>| {
                plan.properties().output_partitioning().partition_count()
            };
            assert_eq!(partitions(&part), partitions(&whole), "{sql}");
            bytes += task_bytes(&part).unwrap();
            let (there, session) = sent(part, &config).await.unwrap();
            rows.extend(lines(there, &session).await);
        }
        let all = task_bytes(&whole).unwrap();
        assert!(bytes.abs_diff(all) <= all / 10 + 64, "{bytes} of {all} for {tasks} tasks: {sql}");
        rows.sort_unstable();
        assert_eq!(rows, lines(whole, context).await, "{tasks} tasks: {sql}");
    }
}

#[tokio::test]
async fn tables_travel() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        path: directory.path().join("catalog.db"),
        warehouse: directory.path().join("warehouse"),
        catalog_name: "test".into(),
    };
    let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::open(options).await.unwrap());
    let namespace = NamespaceIdent::new("s".into());
    catalog.create_namespace(&namespace, HashMap::new()).await.unwrap();
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    let sql = "SELECT value AS k, 'row ' || value AS s FROM generate_series(1, 100)";
    let rows = context.sql(sql).await.unwrap();
    let ident = TableIdent::new(namespace, "t".into());
    let table = create::NewTable {
        ident: ident.clone(),
        schema: schema::from_arrow(rows.schema().as_arrow()).unwrap(),
        partitioning: Vec::new(),
        properties: HashMap::new(),
        location: None,
    };
    table.create(catalog.as_ref()).await.unwrap();
    let table = catalog.load_table(&ident).await.unwrap();
    let plan = rows.create_physical_plan().await.unwrap();
    write::append(&catalog, &table, plan, context.task_ctx()).await.unwrap();
    let table = catalog.load_table(&ident).await.unwrap();
    let manifests = cache::ManifestCache::new(1 << 20);
    let table = provider::IcebergTable::try_new(table, manifests).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    check_elsewhere(&context, "SELECT * FROM t WHERE k > 30").await;
    check_elsewhere(&context, "SELECT sum(k), count(s) FROM t").await;
}

#[tokio::test]
async fn joins_that_let_others_run_travel() {
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(SessionConfig::new().with_target_partitions(2))
        .with_physical_optimizer_rules(crate::cooperation::rules())
        .build();
    let context = SessionContext::new_with_state(state);
    for name in ["nation", "supplier"] {
        context.register_table(name, crate::tpch::table("sf0_01", name).unwrap()).unwrap();
    }
    let sql = "SELECT s_suppkey, n_name FROM supplier JOIN nation \
               ON s_nationkey = n_nationkey AND s_suppkey > n_regionkey";
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    assert!(displayable(plan.as_ref()).indent(false).to_string().contains("PacedExec"));
    check_elsewhere(&context, sql).await;
}

#[tokio::test]
async fn a_plain_scan_does_not_travel() {
    let empty = arrow::datatypes::Schema::empty();
    let source = Arc::new(ParquetSource::new(Arc::new(empty.clone())));
    let runtime = SessionContext::new().runtime_env();
    let table = sqe_iceberg::storage::scan_url(&runtime).unwrap();
    for url in [table, ObjectStoreUrl::local_filesystem()] {
        let config = FileScanConfigBuilder::new(url, Arc::<ParquetSource>::clone(&source))
            .with_file(PartitionedFile::new("f", 100))
            .build();
        let plan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        let error = check_sources(&plan).unwrap_err();
        assert!(error.to_string().contains("plain parquet files"), "{error}");
        assert!(split(&plan, NonZeroUsize::MIN).unwrap().is_none());
        assert_eq!(task_bytes(&plan), None);
    }
    let plan: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(Arc::new(empty)));
    check_sources(&plan).unwrap();
    let converter = DeduplicatingProtoConverter::default();
    PlanCodec.try_encode(plan, &mut Vec::new(), &converter).unwrap_err();
    let context = SessionContext::new().task_ctx();
    PlanCodec.try_decode(&[], &[], &context, &converter).unwrap_err();
}
