use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use arrow_flight::sql::CommandStatementQuery;
use prost::Message;
use sqe_coordinator::CoordinatorOptions;
use tonic::Code;
use tonic_types::StatusExt;

use crate::client::{descriptor, packed, query, read};
use crate::server::{Server, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_query_answers_its_rows_in_the_announced_schema() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let batch = client.rows(query("SELECT 1 AS one, 'x' AS x, NULL AS n")).await.unwrap();
    assert_eq!(batch.num_rows(), 1);
    assert_eq!(batch.schema().field(1).data_type(), &DataType::Utf8);
    let table = client.query("SELECT 1 AS one").await.unwrap();
    assert_eq!(table, "+-----+\n| one |\n+-----+\n| 1   |\n+-----+");

    let info = client.info(query("SELECT 1")).await.unwrap();
    assert_eq!((info.total_records, info.total_bytes), (-1, -1));
    let echoed = info.flight_descriptor.unwrap();
    assert_eq!(echoed, descriptor(&query("SELECT 1")));
    assert_eq!(info.app_metadata.len(), 36, "the query id");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_comes_even_without_rows() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let batch = client.rows(query("SELECT 1 AS one WHERE false")).await.unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_works_once() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let info = client.info(query("SELECT 1")).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    read(client.get(ticket.clone()).await.unwrap()).await.unwrap();
    assert_eq!(client.get(ticket).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_works_for_its_user_only() {
    let server = Server::start().await;
    let mut root = server.client().await.with_authorization("Basic cm9vdDo=");
    let info = root.info(query("SELECT 1")).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut other = server.client().await.with_authorization("Basic ZXZlOg==");
    assert_eq!(other.get(ticket.clone()).await.unwrap_err().code(), Code::NotFound);
    let mut same = server.client().await.with_authorization("Basic cm9vdDo=");
    read(same.get(ticket).await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_run_exactly_once_and_answer_their_row_count() {
    let server = Server::start().await;
    let mut client = server.client().await;
    client.run("CREATE SCHEMA lake.s").await.unwrap();
    client.run("CREATE TABLE lake.s.t (a BIGINT)").await.unwrap();
    assert_eq!(client.run("INSERT INTO lake.s.t VALUES (1), (2), (3)").await.unwrap(), 3);
    assert_eq!(client.update("INSERT INTO lake.s.t VALUES (4)").await.unwrap(), 1);
    let rows = client.rows(query("SELECT a FROM lake.s.t ORDER BY a")).await.unwrap();
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().values(), &[1, 2, 3, 4]);

    let schema = descriptor(&query("INSERT INTO lake.s.t VALUES (5)"));
    let request = client.request(schema);
    client.flight.get_schema(request).await.unwrap();
    let count = client.query("SELECT count(*) AS n FROM lake.s.t").await.unwrap();
    assert!(count.contains("| 4 |"), "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_answers_rows_is_refused() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let refused = client.update("SELECT 1").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_tell_kind_and_place() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let syntax = client.query("SELECT 1,\n  2 + ) AS x").await.unwrap_err();
    assert_eq!(syntax.code(), Code::InvalidArgument, "{syntax}");
    let info = syntax.get_details_error_info().unwrap();
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("sqe", "INVALID_STATEMENT"));
    assert_eq!((&*info.metadata["line"], &*info.metadata["column"]), ("2", "7"));
    assert!(info.metadata.contains_key("query_id"));

    let missing = client.query("SELECT * FROM lake.s.nothing").await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound, "{missing}");
    let late = client.query("SELECT 1 / (a - a) FROM (VALUES (1)) AS t (a)").await.unwrap_err();
    assert_eq!(late.code(), Code::InvalidArgument, "{late}");
    let two = client.query("SELECT 1; SELECT 2").await.unwrap_err();
    assert_eq!(two.code(), Code::InvalidArgument, "{two}");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_above_the_limit_get_a_clear_error() {
    let options = CoordinatorOptions { max_statement_bytes: 1 << 20, ..open() };
    let server = Server::with(options).await;
    let mut client = server.client().await;
    let sql = format!("SELECT '{}'", "x".repeat(64 << 20));
    let refused = client.query(&sql).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("above the limit of 1048576"), "{refused}");
    client.query("SELECT 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn large_results_come_in_messages_every_client_accepts() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let sql = "SELECT value, repeat('x', 2000) AS text FROM generate_series(1, 20000)";
    let info = client.info(query(sql)).await.unwrap();
    let mut messages = client.get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    let (mut bytes, mut largest) = (0, 0);
    while let Some(message) = messages.message().await.unwrap() {
        bytes += message.encoded_len();
        largest = largest.max(message.encoded_len());
    }
    assert!(bytes > 40_000_000, "{bytes}");
    assert!(largest < 3 << 20, "{largest}");

    let row = client.query("SELECT repeat('x', 20000000) AS text").await.unwrap_err();
    assert_eq!(row.code(), Code::ResourceExhausted, "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_refused_and_not_ignored() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let transaction_id = Some("t".into());
    let command = CommandStatementQuery { query: "SELECT 1".into(), transaction_id };
    assert_eq!(client.info(command).await.unwrap_err().code(), Code::Unimplemented);
    let begin = arrow_flight::sql::ActionBeginTransactionRequest {};
    let refused = client.action("BeginTransaction", packed(&begin)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
