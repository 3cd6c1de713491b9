//! Keys: where they stand in an answer, and what a store is opened with.

use std::time::UNIX_EPOCH;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::super::keys::*;
use super::*;
use crate::ErrorKind;
use crate::storage::{KeySource, S3Keys, S3Scope};

fn options() -> RestOptions {
    RestOptions {
        name: "lake".to_owned(),
        uri: Url::parse("http://127.0.0.1:1/api").unwrap(),
        warehouse: None,
        endpoint: S3Endpoint { region: Some("here".to_owned()), ..S3Endpoint::default() },
        static_keys: None,
        allow_local_files: false,
        request_timeout: Duration::from_secs(1),
        table_cache_bytes: 0,
    }
}

fn key(id: &str) -> Value {
    json!({"s3.access-key-id": id, "s3.secret-access-key": "secret"})
}

fn vended(config: Value, credentials: Value) -> Vended {
    Vended {
        config: serde_json::from_value(config).unwrap(),
        credentials: serde_json::from_value(credentials).unwrap(),
    }
}

fn scopes_of(options: &RestOptions, vended: &Vended) -> Result<Vec<S3Scope>> {
    let ident = TableIdent::from_strs(["s", "t"]).unwrap();
    let locations = ["s3://b/w/t", "s3://other/data"].map(str::to_owned);
    scopes(options, &ident, &locations, vended)
}

#[test]
fn keys_are_taken_from_where_they_stand() {
    let check = |config: Value, credentials: Value, expected: &[(&str, &str)]| {
        let scopes = scopes_of(&options(), &vended(config, credentials)).unwrap();
        let found = scopes.iter().map(|scope| {
            assert_eq!(scope.keys.secret_access_key.expose_secret(), "secret");
            (scope.prefix.as_str(), scope.keys.access_key_id.as_str())
        });
        assert_eq!(found.collect::<Vec<_>>(), expected);
    };
    let own = json!([{"prefix": "s3://b/w/t", "config": key("own")}]);
    check(key("config"), json!([]), &[("s3://b", "config"), ("s3://other", "config")]);
    check(key("config"), own, &[("s3://b/w/t", "own")]);
    let scheme = json!([{"prefix": "s3", "config": key("all")}]);
    check(json!({}), scheme, &[("s3://b", "all"), ("s3://other", "all")]);
    let elsewhere = json!([
        {"prefix": "s3://b/w/t2", "config": key("else")},
        {"prefix": "gs://b/w/t", "config": {"gcs.oauth2.token": "x"}},
    ]);
    let expected = [("s3://b/w/t2", "else"), ("s3://b", "config"), ("s3://other", "config")];
    check(key("config"), elsewhere, &expected);
}

#[test]
fn the_catalog_says_where_the_store_is() {
    let config = json!({
        "s3.access-key-id": "a", "s3.secret-access-key": "b", "s3.session-token": "c",
        "s3.session-token-expires-at-ms": "1700000000000",
        "s3.endpoint": "http://store", "s3.path-style-access": "true",
    });
    let scopes = scopes_of(&options(), &vended(config, json!([]))).unwrap();
    let (url, region) = (Some("http://store".to_owned()), Some("here".to_owned()));
    assert_eq!(scopes[0].endpoint, S3Endpoint { url, region, path_style: true });
    let ends = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    assert_eq!(scopes[0].keys.expires_at, Some(ends));
    assert_eq!(scopes[0].keys.session_token.as_ref().unwrap().expose_secret(), "c");
}

#[test]
fn without_keys_there_is_no_access() {
    let check = |config: Value, options: &RestOptions, expected: Result<&str, &str>| {
        let result = scopes_of(options, &vended(config, json!([])));
        match (result, expected) {
            (Ok(scopes), Ok(id)) => assert_eq!(scopes[0].keys.access_key_id, id),
            (Err(error), Err(text)) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(error.to_string().contains(text), "{error}");
            }
            (result, _) => panic!("{result:?}"),
        }
    };
    let keys = S3Keys {
        access_key_id: "static".to_owned(),
        secret_access_key: "x".into(),
        session_token: None,
        expires_at: None,
    };
    let fixed = RestOptions { static_keys: Some(keys), ..options() };
    let signing = json!({"s3.remote-signing-enabled": "true"});
    check(json!({}), &options(), Err("no others are configured"));
    check(json!({}), &fixed, Ok("static"));
    check(key("vended"), &fixed, Ok("vended"));
    check(signing.clone(), &options(), Err("wants to sign every request"));
    check(signing, &fixed, Err("wants to sign every request"));
}

#[tokio::test]
async fn keys_are_renewed_where_the_table_says() {
    let credentials =
        json!({"storage-credentials": [{"prefix": "s3://b/w/t", "config": key("new")}]});
    let answer = loaded(&metadata("s3://b/w/t"), key("table"));
    let check = async |server_config: Value, config: Value, expected: &str, id: &str| {
        let (credentials, answer) = (credentials.clone(), answer.clone());
        let replies = move |seen: &Seen| match seen.path.ends_with("credentials") {
            true => json_reply(200, credentials.clone()),
            false => json_reply(200, answer.clone()),
        };
        let server = Server::start(server_config, replies).await;
        let (catalog, locations) = (server.catalog().connection, vec!["s3://b/w/t".to_owned()]);
        let vended = vended(config, json!([]));
        let keys = TableKeys::of_table(&catalog, &ident(), locations, &vended).await.unwrap();
        let scopes = keys.renew().await.unwrap();
        assert_eq!(scopes[0].keys.access_key_id, id);
        assert_eq!(
            scopes[0].endpoint.url.as_deref(),
            vended.config.get("s3.endpoint").map(|s| &**s)
        );
        assert_eq!(server.requests(), [format!("GET /api/v1/{expected}")]);
    };
    let table = "namespaces/s/tables/t";
    check(json!({}), json!({}), table, "table").await;
    let there = json!({
        "client.refresh-credentials-endpoint": "v1/some/credentials", "s3.endpoint": "http://store",
    });
    check(json!({}), there, "some/credentials", "new").await;
    let listed = "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials";
    let listed = json!({"endpoints": [listed]});
    check(listed, json!({}), &format!("{table}/credentials"), "new").await;
}

#[tokio::test]
async fn a_token_does_not_go_to_another_server() {
    let server = Server::start(json!({}), |_| empty(500)).await;
    let elsewhere = json!({"client.refresh-credentials-endpoint": "http://127.0.0.1:1/keys"});
    let vended = vended(elsewhere, json!([]));
    let catalog = server.catalog().connection;
    let error = TableKeys::of_table(&catalog, &ident(), vec![], &vended).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadAnswer, "{error}");
}
