use arrow_flight::{Action, Criteria, Empty, FlightDescriptor, Ticket};
use futures::{TryStreamExt, stream};
use tonic::Code;

use crate::client::{descriptor, query};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_built_is_unimplemented() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let action = client.action("Dance", "").await.unwrap_err();
    assert_eq!(action.code(), Code::Unimplemented, "{action}");
    let poll = client.flight.poll_flight_info(descriptor(&query("SELECT 1"))).await.unwrap_err();
    assert_eq!(poll.code(), Code::Unimplemented);
    let ingest = arrow_flight::sql::CommandStatementIngest::default();
    let ingest = client.put(&ingest, Vec::new()).await.unwrap_err();
    assert_eq!(ingest.code(), Code::Unimplemented);
    assert!(ingest.message().contains("CommandStatementIngest"), "{ingest}");
    let substrait = arrow_flight::sql::CommandStatementSubstraitPlan::default();
    assert_eq!(client.info(substrait).await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_an_invalid_argument() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let nonsense = FlightDescriptor::new_cmd("SELECT 1");
    let info = client.flight.get_flight_info(nonsense).await.unwrap_err();
    assert_eq!(info.code(), Code::InvalidArgument);
    let path = FlightDescriptor::new_path(vec!["a".into()]);
    let info = client.flight.get_flight_info(path).await.unwrap_err();
    assert!(matches!(info.code(), Code::InvalidArgument | Code::Unimplemented), "{info}");
    assert_eq!(client.get(Ticket::new("x")).await.unwrap_err().code(), Code::InvalidArgument);
    let empty = client.flight.do_put(stream::empty()).await.unwrap_err();
    assert_eq!(empty.code(), Code::InvalidArgument);
    let action = Action::new("CreatePreparedStatement", "x");
    let action = client.flight.do_action(action).await.unwrap_err();
    assert_eq!(action.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listed_action_is_known() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let actions = client.flight.list_actions(Empty {}).await.unwrap().into_inner();
    let actions: Vec<_> = actions.try_collect().await.unwrap();
    assert!(actions.len() >= 6);
    for action in actions {
        if let Err(status) = client.action(&action.r#type, "").await {
            assert_ne!(status.code(), Code::Unimplemented, "{}", action.r#type);
        }
    }
    let flights = client.flight.list_flights(Criteria::default()).await.unwrap().into_inner();
    assert!(flights.try_collect::<Vec<_>>().await.unwrap().is_empty());
}
