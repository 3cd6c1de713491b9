//! Tables with rows: created in one step, appended to, read back with the keys of the catalog.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use iceberg::{NamespaceIdent, TableIdent};
use sqe_iceberg::cache::ManifestCache;
use sqe_iceberg::catalog::Catalog;
use sqe_iceberg::create::NewTable;
use sqe_iceberg::provider::IcebergTable;
use sqe_iceberg::token::TokenSource;
use sqe_iceberg::{ErrorKind, schema, write};

use crate::rest::{NESSIE, POLARIS, open};
use crate::tokens::{root, service};

async fn plan(context: &SessionContext, ids: std::ops::Range<i64>) -> Arc<dyn ExecutionPlan> {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
    let batch = RecordBatch::try_from_iter_with_nullable([("id", column, true)]).unwrap();
    context.read_batch(batch).unwrap().create_physical_plan().await.unwrap()
}

async fn rows_are_written_and_read(uri: &str, tokens: Arc<dyn TokenSource>) {
    let (catalog, context) = (open(uri, tokens), SessionContext::new());
    let space = NamespaceIdent::new(format!("rows_{}", uuid::Uuid::new_v4().simple()));
    let ident = TableIdent::new(space.clone(), "t".to_owned());
    catalog.create_namespace(&space, HashMap::new()).await.unwrap();
    let first = plan(&context, 0..10).await;
    let table = NewTable {
        ident: ident.clone(),
        schema: schema::from_arrow(&first.schema()).unwrap(),
        partitioning: vec![],
        properties: HashMap::new(),
        location: None,
    };
    let create = |plan| write::create_table_as(&catalog, table.clone(), plan, context.task_ctx());
    assert_eq!(create(first).await.unwrap(), 10);
    let error = create(plan(&context, 0..1).await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");

    let loaded = catalog.load_table(&ident).await.unwrap();
    let more = plan(&context, 10..15).await;
    let appended = write::append(&catalog, &loaded, more, context.task_ctx()).await;
    assert_eq!(appended.unwrap(), 5);
    assert_eq!(sum(catalog.as_ref(), &context, &ident).await, (0..15).sum::<i64>());
    catalog.drop_table(&ident).await.unwrap();
    catalog.drop_namespace(&space).await.unwrap();
}

async fn sum(catalog: &dyn Catalog, context: &SessionContext, ident: &TableIdent) -> i64 {
    let table = catalog.load_table(ident).await.unwrap();
    let provider = IcebergTable::try_new(table, ManifestCache::new(1 << 20)).unwrap();
    let batches = context.read_table(Arc::new(provider)).unwrap().collect().await.unwrap();
    let ids = batches.iter().flat_map(|batch| {
        batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
    });
    ids.sum()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the test stack"]
async fn polaris_takes_and_gives_rows() {
    rows_are_written_and_read(POLARIS, Arc::new(root().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the test stack"]
async fn nessie_takes_and_gives_rows() {
    rows_are_written_and_read(NESSIE, Arc::new(service().await)).await;
}
