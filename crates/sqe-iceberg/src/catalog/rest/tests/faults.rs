//! Servers that fail, stall, or answer something else.

use std::io;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use futures::stream;
use serde_json::json;

use super::*;
use crate::catalog::Catalog;
use crate::{Error, ErrorKind};

const NAMESPACE: &str = r#"{"namespace": ["s"], "properties": {"a": "1"}}"#;

fn fine() -> Reply {
    reply(200, "application/json", NAMESPACE)
}

fn short() -> Limits {
    Limits {
        request_timeout: Duration::from_millis(300),
        total_timeout: Duration::from_secs(5),
        max_answer_bytes: 1 << 10,
    }
}

/// Asks for the properties of a namespace with the user's token `ann-1`.
async fn ask(replies: impl Fn(usize) -> Reply + Send + Sync + 'static) -> (Server, Result<()>) {
    let server = Server::start(json!({}), move |seen| replies(seen.repetition)).await;
    let result = server.limited(short()).namespace_properties(&space()).await;
    let result = result.map(|properties| assert_eq!(properties["a"], "1"));
    (server, result)
}

async fn check(
    replies: impl Fn(usize) -> Reply + Send + Sync + 'static,
    requests: usize,
    expected: Result<(), (ErrorKind, &str)>,
) {
    let (server, result) = ask(replies).await;
    let shown = result.as_ref().map_err(ToString::to_string);
    let expected = expected.map_err(|(kind, message)| (kind, format!("namespace s: {message}")));
    match (&result, &expected) {
        (Err(error), Err((kind, message))) => {
            assert_eq!(error.kind(), *kind, "{shown:?}");
            assert!(error.to_string().starts_with(message), "{shown:?} does not begin {message:?}");
        }
        _ => assert_eq!(result.is_ok(), expected.is_ok(), "{shown:?}"),
    }
    assert_eq!(server.requests().len(), requests, "{shown:?}");
}

fn fails_first(first: impl Fn() -> Reply + Send + Sync + 'static) -> impl Fn(usize) -> Reply {
    move |repetition| if repetition == 0 { first() } else { fine() }
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    check(fails_first(|| error_reply(500, "Oops", "later")), 2, Ok(())).await;
    check(fails_first(|| reply(502, "text/html", "<html>")), 2, Ok(())).await;
    check(fails_first(|| empty(429)), 2, Ok(())).await;
    check(fails_first(cut), 2, Ok(())).await;
    check(fails_first(stalled), 2, Ok(())).await;
}

#[tokio::test]
async fn what_stays_is_given_up() {
    let unavailable = |message| Err((ErrorKind::Unavailable, message));
    let always = |_| error_reply(500, "Oops", "never");
    check(always, 4, unavailable("catalog lake answered 500: never")).await;
    let html = |_| reply(503, "text/html", "<html>");
    check(html, 4, unavailable("catalog lake answered 503: Service Unavailable")).await;
    check(|_| cut(), 4, unavailable("catalog lake broke off the connection")).await;
    check(|_| stalled(), 4, unavailable("catalog lake did not answer in ")).await;
}

#[tokio::test]
async fn what_cannot_pass_is_not_tried_again() {
    let refused = |kind, message| Err((kind, message));
    let denied = |_| error_reply(403, "ForbiddenException", "ann may not");
    let forbidden = "catalog lake answered 403: ann may not";
    check(denied, 1, refused(ErrorKind::Forbidden, forbidden)).await;
    let nessie = |_| error_reply(500, "AccessCheckException", "not ann");
    let forbidden = "catalog lake answered 500: not ann";
    check(nessie, 1, refused(ErrorKind::Forbidden, forbidden)).await;
    let missing = |_| error_reply(404, "NoSuchNamespaceException", "no s");
    check(missing, 1, refused(ErrorKind::NotFound, "catalog lake answered 404: no s")).await;
    let unsupported = |_| error_reply(406, "UnsupportedOperationException", "no");
    check(unsupported, 1, refused(ErrorKind::Unsupported, "catalog lake answered 406: no")).await;
}

#[tokio::test]
async fn an_answer_that_is_none_is_named() {
    let bad = |message| Err((ErrorKind::BadAnswer, message));
    let page = |_| reply(200, "text/html", "<html>secret</html>");
    let message = "catalog lake answered 200 with something that is not JSON (at line 1 column 1)";
    check(page, 1, bad(message)).await;
    let wrong = |_| json_reply(200, json!({"properties": "key-1"}));
    let message = "catalog lake answered 200 with JSON that its protocol does not allow (at";
    check(wrong, 1, bad(message)).await;
    let page = |_| reply(404, "text/html", "<html>");
    check(page, 1, bad("catalog lake answered 404: no error of an Iceberg catalog")).await;
    let elsewhere = |_| {
        let builder = Response::builder().status(302).header("location", "http://127.0.0.1:1/");
        builder.body(Body::empty()).unwrap()
    };
    check(elsewhere, 1, bad("catalog lake answered 302: no error of an Iceberg catalog")).await;
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let bad = |message| Err((ErrorKind::BadAnswer, message));
    let message = "catalog lake answered more than 1024 bytes";
    check(|_| reply(200, "application/json", " ".repeat(2000)), 1, bad(message)).await;
    let endless = |_| {
        let chunks = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[b' '; 100])));
        reply(200, "application/json", Body::from_stream(chunks))
    };
    check(endless, 1, bad(message)).await;
    let long = |_| error_reply(400, "BadRequestException", &"long\nmessage ".repeat(5000));
    let (_server, result) = ask(long).await;
    let message = result.unwrap_err().to_string();
    assert!(message.len() < 600 && !message.contains('\n'), "{message}");
}

#[tokio::test]
async fn the_server_says_when() {
    let wait = |seconds: &'static str| {
        move || {
            let builder = Response::builder().status(503).header("retry-after", seconds);
            builder.body(Body::empty()).unwrap()
        }
    };
    let server = Server::start(json!({}), {
        let replies = fails_first(wait("1"));
        move |seen| replies(seen.repetition)
    });
    let server = server.await;
    let started = Instant::now();
    server.catalog().namespace_properties(&space()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());

    // Longer than anybody here may wait.
    let message = "catalog lake answered 503: Service Unavailable";
    check(fails_first(wait("60")), 1, Err((ErrorKind::Unavailable, message))).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let server = Server::start(json!({}), |_| fine()).await;
    let mut options = server.options();
    options.uri.set_port(Some(1)).unwrap();
    let catalog = open(&RestSource::new(options).unwrap(), "ann");
    let error = catalog.namespace_properties(&space()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let message = error.to_string();
    assert!(message.starts_with("warehouse the warehouse: catalog lake cannot be reached: "));
    assert!(!message.contains("?warehouse"), "{message}");
}

#[tokio::test]
async fn no_error_shows_a_token_or_a_key() {
    let echo = |_| error_reply(400, "BadRequestException", "bad token ann-1 in Bearer ann-1");
    let (_server, result) = ask(echo).await;
    let shown = |error: Error| format!("{error} {error:?}");
    let message = shown(result.unwrap_err());
    assert!(message.contains("bad token *** in Bearer ***"), "{message}");
    assert!(!message.contains("ann-1"), "{message}");

    let keys = json!({"metadata": 7, "config": {"s3.secret-access-key": ["hidden"]}});
    let server = Server::start(json!({}), move |_| json_reply(200, keys.clone())).await;
    let error = server.catalog().load_table(&ident()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadAnswer);
    let message = shown(error);
    assert!(!message.contains("hidden"), "{message}");
    assert!(!format!("{:?}", server.catalog()).contains("ann-1"));
}

/// A body that ends before its length.
fn cut() -> Reply {
    let chunks = [Ok(Bytes::from_static(b"{\"name")), Err(io::Error::other("cut"))];
    reply(200, "application/json", Body::from_stream(stream::iter(chunks)))
}

/// A body that never comes.
fn stalled() -> Reply {
    reply(200, "application/json", Body::from_stream(stream::pending::<io::Result<Bytes>>()))
}
