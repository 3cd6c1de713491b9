use std::time::Duration;

use sqe_coordinator::CoordinatorOptions;
use tokio::time::timeout;
use tonic::Code;

use crate::cancel::ENDLESS;
use crate::client::{Client, query, read};
use crate::server::{Server, open};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn running_statements_finish_and_then_the_server_ends() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    let sql = "SELECT value, repeat('x', 1000) AS text FROM generate_series(1, 50000)";
    let info = client.info(query(sql)).await.unwrap();
    let mut messages = client.get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    messages.message().await.unwrap().expect("the schema");
    server.shutdown.cancel();

    let refused = async {
        while tokio::net::TcpStream::connect(server.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, refused).await.unwrap();
    let (mut last, mut bytes) = (messages, 0);
    while let Some(message) = last.message().await.unwrap() {
        bytes += message.data_body.len();
    }
    assert!(bytes > 50_000_000, "{bytes}");
    drop(client);
    timeout(SOON, server.ended()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_still_runs_after_the_drain_timeout_is_cancelled() {
    let options = CoordinatorOptions { drain_timeout: Duration::from_millis(200), ..open() };
    let mut server = Server::with(options).await;
    let mut client: Client = server.client().await;
    let info = client.info(query(ENDLESS)).await.unwrap();
    let messages = client.get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    server.shutdown.cancel();
    let ended = timeout(SOON, read(messages)).await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    timeout(SOON, server.ended()).await.unwrap();
}
