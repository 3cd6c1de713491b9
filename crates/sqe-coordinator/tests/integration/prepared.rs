use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::Schema;
use arrow_flight::IpcMessage;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate, DoPutUpdateResult,
};
use arrow_flight::utils::batches_to_flight_data;
use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};

use crate::client::{Client, packed, pretty, read};
use crate::server::Server;

/// The result with the field that arrow-flight does not know.
#[derive(Clone, PartialEq, Message)]
struct IsUpdate {
    #[prost(bool, optional, tag = "4")]
    is_update: Option<bool>,
}

struct Prepared {
    handle: Bytes,
    dataset_schema: Bytes,
    is_update: Option<bool>,
}

async fn prepare(client: &mut Client, sql: &str) -> Result<Prepared, Status> {
    let request = ActionCreatePreparedStatementRequest { query: sql.into(), transaction_id: None };
    let body = client.action("CreatePreparedStatement", packed(&request)).await?.unwrap();
    let any = Any::decode(body).unwrap();
    let result: ActionCreatePreparedStatementResult = any.unpack().unwrap().unwrap();
    assert_eq!(schema_of(result.parameter_schema).fields().len(), 0);
    Ok(Prepared {
        handle: result.prepared_statement_handle,
        dataset_schema: result.dataset_schema,
        is_update: IsUpdate::decode(any.value).unwrap().is_update,
    })
}

fn schema_of(bytes: Bytes) -> Schema {
    Schema::try_from(IpcMessage(bytes)).unwrap()
}

fn query_of(handle: &Bytes) -> CommandPreparedStatementQuery {
    CommandPreparedStatementQuery { prepared_statement_handle: handle.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_runs_many_times_also_at_once() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let sql = "SELECT sum(value) AS total, 'x' AS x FROM generate_series(1, 100000)";
    let prepared = prepare(&mut client, sql).await.unwrap();
    assert_eq!(prepared.is_update, Some(false));
    let announced = schema_of(prepared.dataset_schema);

    let runs = (0..8).map(|_| {
        let (mut client, command) = (client.clone(), query_of(&prepared.handle));
        async move { client.rows(command).await.unwrap() }
    });
    for batch in futures::future::join_all(runs).await {
        assert_eq!(*batch.schema(), announced);
        assert!(pretty(&batch).contains("5000050000"));
    }

    // As a ticket, too.
    let ticket = arrow_flight::Ticket::new(packed(&query_of(&prepared.handle)));
    let (schema, _) = read(client.get(ticket).await.unwrap()).await.unwrap();
    assert_eq!(*schema, announced);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_says_that_it_is_one_and_runs_each_time_it_is_told_to() {
    let server = Server::start().await;
    let mut client = server.client().await;
    client.run("CREATE SCHEMA lake.s").await.unwrap();
    client.run("CREATE TABLE lake.s.t (a BIGINT)").await.unwrap();
    let prepared = prepare(&mut client, "INSERT INTO lake.s.t VALUES (1), (2)").await.unwrap();
    assert_eq!(prepared.is_update, Some(true));
    assert!(prepared.dataset_schema.is_empty());

    // The way of ADBC, then the way of JDBC, without and with an empty batch.
    let info = client.info(query_of(&prepared.handle)).await.unwrap();
    assert_eq!((info.total_records, info.endpoint.len()), (2, 0));
    let empty = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let empty = batches_to_flight_data(&Schema::empty(), vec![empty]).unwrap();
    for messages in [Vec::new(), empty] {
        let handle = prepared.handle.clone();
        let command = CommandPreparedStatementUpdate { prepared_statement_handle: handle };
        let [result] = client.put(&command, messages).await.unwrap().try_into().unwrap();
        let result = DoPutUpdateResult::decode(result.app_metadata).unwrap();
        assert_eq!(result.record_count, 2);
    }
    let count = client.query("SELECT count(*) AS n FROM lake.s.t").await.unwrap();
    assert!(count.contains("| 6 |"), "{count}");

    let ticket = arrow_flight::Ticket::new(packed(&query_of(&prepared.handle)));
    assert_eq!(client.get(ticket).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_sees_what_was_written_since_but_never_other_columns() {
    let server = Server::start().await;
    let mut client = server.client().await;
    client.run("CREATE SCHEMA lake.s").await.unwrap();
    client.run("CREATE TABLE lake.s.t AS SELECT 1 AS a").await.unwrap();
    let prepared = prepare(&mut client, "SELECT * FROM lake.s.t").await.unwrap();
    for rows in 1..=3 {
        let batch = client.rows(query_of(&prepared.handle)).await.unwrap();
        assert_eq!(batch.num_rows(), rows);
        client.run("INSERT INTO lake.s.t VALUES (2)").await.unwrap();
    }
    client.run("DROP TABLE lake.s.t").await.unwrap();
    let gone = client.info(query_of(&prepared.handle)).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound, "{gone}");
    client.run("CREATE TABLE lake.s.t AS SELECT 'x' AS b").await.unwrap();
    let other = client.info(query_of(&prepared.handle)).await.unwrap_err();
    assert_eq!(other.code(), Code::Aborted, "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_run_has_its_own_time() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let prepared = prepare(&mut client, "SELECT now() AS t").await.unwrap();
    let first = client.rows(query_of(&prepared.handle)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let second = client.rows(query_of(&prepared.handle)).await.unwrap();
    assert_ne!(first, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_refused() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let prepared = prepare(&mut client, "SELECT 1").await.unwrap();
    let column = Arc::new(Int64Array::from(vec![1])) as _;
    let batch = RecordBatch::try_from_iter([("0", column)]).unwrap();
    let messages = batches_to_flight_data(&batch.schema(), vec![batch]).unwrap();
    let refused = client.put(&query_of(&prepared.handle), messages).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert_eq!(refused.message(), "parameters are not supported yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_come_when_preparing() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let syntax = prepare(&mut client, "SELEC 1").await.err().unwrap();
    assert_eq!(syntax.code(), Code::InvalidArgument);
    let missing = prepare(&mut client, "SELECT * FROM nothing").await.err().unwrap();
    assert_eq!(missing.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_twice_is_no_error_and_the_handle_is_gone() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let prepared = prepare(&mut client, "SELECT 1").await.unwrap();
    let handle = prepared.handle.clone();
    let close = ActionClosePreparedStatementRequest { prepared_statement_handle: handle };
    for _ in 0..2 {
        let body = client.action("ClosePreparedStatement", packed(&close)).await.unwrap();
        assert_eq!(body, None);
    }
    let gone = client.info(query_of(&prepared.handle)).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    let made_up = client.info(query_of(&Bytes::from_static(b"x"))).await.unwrap_err();
    assert_eq!(made_up.code(), Code::NotFound);
}
