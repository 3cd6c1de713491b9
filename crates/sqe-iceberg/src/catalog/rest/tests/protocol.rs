//! What goes over the wire: addresses, tokens, pages, keys of repeated requests.

use std::collections::HashMap;

use serde_json::json;

use super::*;
use crate::catalog::Catalog;
use crate::{Error, ErrorKind};

fn no_such_namespace() -> Reply {
    error_reply(404, "NoSuchNamespaceException", "no")
}

#[tokio::test]
async fn the_prefix_is_taken_as_it_is() {
    let check = async |config: Value, expected: &str| {
        let server = Server::start(config, |_| json_reply(200, json!({}))).await;
        server.catalog().namespace_properties(&space()).await.unwrap();
        assert_eq!(server.requests(), [format!("GET /api/v1/{expected}namespaces/s")]);
    };
    check(json!({"defaults": {}, "overrides": {}}), "").await;
    check(json!({"overrides": {"prefix": "test_warehouse"}}), "test_warehouse/").await;
    check(json!({"defaults": {"prefix": "main%7Cw"}}), "main%7Cw/").await;
    check(json!({"defaults": {"prefix": "a"}, "overrides": {"prefix": "b/c"}}), "b/c/").await;
    check(json!({"overrides": {"prefix": "my warehouse?"}}), "my%20warehouse%3F/").await;
}

#[tokio::test]
async fn names_are_encoded() {
    let check = async |config: Value, levels: &[&str], name: &str, expected: &str| {
        let server = Server::start(config, |_| empty(204)).await;
        let namespace = NamespaceIdent::from_strs(levels).unwrap();
        let ident = TableIdent::new(namespace, name.to_owned());
        assert!(server.catalog().table_exists(&ident).await.unwrap());
        assert_eq!(server.requests(), [format!("HEAD /api/v1/namespaces/{expected}")]);
    };
    check(json!({}), &["a", "b", "c"], "t", "a%1Fb%1Fc/tables/t").await;
    let dotted = json!({"overrides": {"namespace-separator": "%2E"}});
    check(dotted, &["a.b", "c"], "t", "a.b%2Ec/tables/t").await;
    check(json!({}), &["ä/b"], "a ?#%+&", "%C3%A4%2Fb/tables/a%20%3F%23%25%2B%26").await;

    let server = Server::start(json!({}), |_| empty(204)).await;
    for (namespace, name) in [("s", ".."), ("s", ""), (".", "t")] {
        let ident = TableIdent::new(NamespaceIdent::new(namespace.into()), name.into());
        let error = server.catalog().table_exists(&ident).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn the_address_may_move() {
    let there = Server::start(json!({}), |_| json_reply(200, json!({}))).await;
    let config = json!({"overrides": {"uri": there.uri.as_str()}});
    let here = Server::start(config, |_| empty(500)).await;
    here.catalog().namespace_properties(&space()).await.unwrap();
    assert_eq!(there.requests(), ["GET /api/v1/namespaces/s"]);
    assert!(here.requests().is_empty());
}

#[tokio::test]
async fn all_pages_of_all_levels_are_listed() {
    let replies = |seen: &Seen| {
        let answer = match seen.path.trim_start_matches("/api/v1/namespaces") {
            "" => json!({"namespaces": [["b"]], "next-page-token": "1 &"}),
            "?pageToken=1+%26" => json!({"namespaces": [["a"]], "next-page-token": null}),
            "?parent=a" => json!({"namespaces": [["a", "x/y"], ["a", "denied"]]}),
            "?parent=b" => json!({"namespaces": [["b"]]}),
            "?parent=a%1Fx%2Fy" => return no_such_namespace(),
            "?parent=a%1Fdenied" => return error_reply(403, "ForbiddenException", "no"),
            other => panic!("{other}"),
        };
        json_reply(200, answer)
    };
    let server = Server::start(json!({}), replies).await;
    let listed = server.catalog().list_namespaces().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|namespace| namespace.join("|")).collect();
    assert_eq!(listed, ["a", "a|denied", "a|x/y", "b"]);

    let same = json!({"identifiers": [], "next-page-token": "again"});
    let server = Server::start(json!({}), move |_| json_reply(200, same.clone())).await;
    let error = server.catalog().list_tables(&space()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadAnswer, "{error}");
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let check = async |accepted: &'static str, expected: Result<(), ErrorKind>| {
        let replies = move |seen: &Seen| match seen.header("authorization") == Some(accepted) {
            true => json_reply(200, json!({})),
            false => empty(401),
        };
        let server = Server::start(json!({}), replies).await;
        let result = server.catalog().namespace_properties(&space()).await;
        assert_eq!(result.map(drop).map_err(|error: Error| error.kind()), expected);
        server.requests().len()
    };
    assert_eq!(check("Bearer ann-1", Ok(())).await, 1);
    assert_eq!(check("Bearer ann-2", Ok(())).await, 2);
    assert_eq!(check("Bearer ann-3", Err(ErrorKind::Unauthenticated)).await, 2);
}

#[tokio::test]
async fn a_change_is_repeated_only_with_a_key() {
    let check = async |config: Value, requests: usize, expected: Result<(), ErrorKind>| {
        let replies = |seen: &Seen| match (seen.method.as_str(), seen.repetition) {
            ("POST", 0) => empty(500),
            ("POST", _) => json_reply(200, json!({})),
            _ => no_such_namespace(),
        };
        let server = Server::start(config, replies).await;
        let result = server.catalog().create_namespace(&space(), HashMap::new()).await;
        assert_eq!(result.map_err(|error| error.kind()), expected);
        let seen = server.seen.lock().unwrap().clone();
        let posts = seen.iter().filter(|seen| seen.method == Method::POST);
        let keys: Vec<_> = posts.map(|post| post.header("idempotency-key")).collect();
        assert_eq!(keys.len(), requests);
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        keys[0].is_some()
    };
    let keyed = json!({"idempotency-key-lifetime": "PT30M"});
    assert!(check(keyed, 2, Ok(())).await);
    assert!(!check(json!({}), 1, Err(ErrorKind::Unavailable)).await);
}

#[tokio::test]
async fn what_the_server_does_not_have_is_not_asked_for() {
    let config = json!({"endpoints": [
        "GET /v1/{prefix}/namespaces",
        "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    ]});
    let server = Server::start(config, |_| json_reply(200, json!({"identifiers": []}))).await;
    let catalog = server.catalog();
    let unsupported = |result: Result<()>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    };
    unsupported(catalog.rename_table(&ident(), &ident()).await);
    unsupported(catalog.register_table(&ident(), "s3://b/m.json").await);
    let change = crate::catalog::conformance::change(&ident(), vec![], vec![]);
    unsupported(catalog.commit_tables(vec![change.clone(), change]).await);
    let error = catalog.load_view(&ident()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(server.requests().is_empty());
    assert!(catalog.list_views(&space()).await.unwrap().is_empty());
    assert_eq!(server.requests(), ["GET /api/v1/namespaces/s"]);
}
