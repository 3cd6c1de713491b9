use std::time::Duration;

use arrow_flight::sql::ActionCancelQueryRequest;
use arrow_flight::{CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo};
use bytes::Bytes;
use prost::Message;
use tokio::time::{Instant, timeout};
use tonic::Code;

use crate::client::{Client, packed, query, read};
use crate::server::Server;

/// Takes hours.
pub(crate) const ENDLESS: &str =
    "SELECT count(*) AS n FROM generate_series(1, 100000000000000) AS t (x) WHERE x % 7 = 3";
const SOON: Duration = Duration::from_secs(10);

async fn cancel(client: &mut Client, info: &FlightInfo) -> Result<i32, tonic::Status> {
    let request = CancelFlightInfoRequest::new(info.clone()).encode_to_vec();
    let body = client.action("CancelFlightInfo", request).await?.unwrap();
    Ok(CancelFlightInfoResult::decode(body).unwrap().status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_statement_is_cancelled_from_another_connection() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let info = client.info(query(ENDLESS)).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut messages = client.get(ticket).await.unwrap();
    messages.message().await.unwrap().expect("the schema");

    let mut other = server.client().await;
    let status = cancel(&mut other, &info).await.unwrap();
    assert_eq!(status, i32::from(CancelStatus::Cancelled));
    let ended = timeout(SOON, read(messages)).await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Cancelled);
    assert_eq!(cancel(&mut other, &info).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_is_cancelled_too() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let info = client.info(query("SELECT 1")).await.unwrap();
    let mut stranger = server.client().await.with_authorization("Basic ZXZlOg==");
    assert_eq!(cancel(&mut stranger, &info).await.unwrap_err().code(), Code::NotFound);

    let request = ActionCancelQueryRequest { info: info.encode_to_vec().into() };
    client.action("CancelQuery", packed(&request)).await.unwrap().unwrap();
    let gone = client.get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_the_statement() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let info = client.info(query(ENDLESS)).await.unwrap();
    let mut request = client.request(info.endpoint[0].ticket.clone().unwrap());
    // The header alone: a client that enforced it would not see what the server does.
    request.metadata_mut().insert("grpc-timeout", "300m".parse().unwrap());
    let begin = Instant::now();
    let messages = client.flight.do_get(request).await;
    let ended = match messages {
        Ok(messages) => read(messages.into_inner()).await.unwrap_err(),
        Err(status) => status,
    };
    assert_eq!(ended.code(), Code::DeadlineExceeded, "{ended}");
    assert!(begin.elapsed() < SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_session_ends_what_it_runs() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let info = client.info(query(ENDLESS)).await.unwrap();
    let messages = client.get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    client.action("CloseSession", Bytes::new()).await.unwrap();
    let ended = timeout(SOON, read(messages)).await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_stream_frees_its_place() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let info = client.info(query(ENDLESS)).await.unwrap();
    let mut messages = client.get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    messages.message().await.unwrap().expect("the schema");
    drop(messages);

    let gone = async {
        while cancel(&mut client, &info).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, gone).await.unwrap();
}
