use bytes::Bytes;
use tonic::Code;

use crate::server::Server;
use sqe_coordinator::CoordinatorOptions;

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_answers_a_token_in_header_and_payload() {
    let server = Server::start().await;
    for header in [None, Some("Basic cm9vdDpzZWNyZXQ="), Some("Basic cm9vdDpzZWNyZXQ")] {
        let mut client = server.client().await;
        client.authorization = header.map(str::to_owned);
        let (headers, payload) = client.handshake().await.unwrap();
        let bearer = headers.get("authorization").unwrap().to_str().unwrap().to_owned();
        assert_eq!(bearer.strip_prefix("Bearer ").unwrap().as_bytes(), payload);

        // The token works on another connection, and in another handshake.
        let mut other = server.client().await.with_authorization(bearer);
        let user = other.query("SELECT current_user AS u").await.unwrap();
        let expected = if header.is_some() { "root" } else { "anonymous" };
        assert!(user.contains(expected), "{user}");
        assert_eq!(other.handshake().await.unwrap().1, payload);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_session_takes_its_token_along() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let (headers, _) = client.handshake().await.unwrap();
    client.authorization = Some(headers.get("authorization").unwrap().to_str().unwrap().into());
    client.query("SELECT 1").await.unwrap();
    let closed = client.action("CloseSession", Bytes::new()).await.unwrap().unwrap();
    assert_eq!(closed, [8, 1].as_slice(), "field 1, CLOSED");
    let refused = client.query("SELECT 1").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_last_as_long_as_the_connection_or_the_token() {
    let server = Server::start().await;
    let mut one = server.client().await;
    one.run("CREATE SCHEMA lake.mine").await.unwrap();
    one.run("USE lake.mine").await.unwrap();
    let mut other = server.client().await;
    let current = "SELECT current_schema() AS s";
    assert!(one.query(current).await.unwrap().contains("mine"));
    assert!(!other.query(current).await.unwrap().contains("mine"));

    let options = one.action("GetSessionOptions", Bytes::new()).await.unwrap().unwrap();
    let options = String::from_utf8_lossy(&options).into_owned();
    for part in ["catalog", "lake", "schema", "mine"] {
        assert!(options.contains(part), "{options}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_refused_where_nobody_may_come_in() {
    let server = Server::with(CoordinatorOptions::default()).await;
    for header in [None, Some("Basic cm9vdDpzZWNyZXQ="), Some("Bearer made-up")] {
        let mut client = server.client().await;
        client.authorization = header.map(str::to_owned);
        let refused = [
            client.handshake().await.unwrap_err(),
            client.query("SELECT 1").await.unwrap_err(),
            client.update("SELECT 1").await.unwrap_err(),
            client.get(arrow_flight::Ticket::new("x")).await.unwrap_err(),
            client.action("CloseSession", Bytes::new()).await.unwrap_err(),
        ];
        for status in refused {
            assert_eq!(status.code(), Code::Unauthenticated, "{header:?}: {status}");
        }
    }
}
