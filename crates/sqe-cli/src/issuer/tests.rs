use std::sync::Mutex;

use super::*;
use crate::test_issuer::{Answer, CODE, CONFIGURATION_PATH, Issuer as Peer};

const TOKENS: &str = r#"{
    "access_token": "acc3ss", "token_type": "Bearer", "expires_in": 60, "refresh_token": "r3fresh"
}"#;
const PENDING: Answer = ("/token", 400, r#"{"error": "authorization_pending"}"#);

/// A login at a provider that answers with `answers`, and the pauses in seconds between questions.
async fn wait(peer: &Peer) -> (Result<Login>, Vec<u64>) {
    let issuer = Issuer::discover(&peer.url, "cli").await.expect("discovers");
    let code = issuer.device_code(" openid\toffline_access ").await.expect("a code");
    let pauses = Mutex::new(Vec::new());
    let login = issuer
        .wait_for(&code, |pause| {
            pauses.lock().expect("unpoisoned").push(pause.as_secs());
            std::future::ready(())
        })
        .await;
    (login, pauses.into_inner().expect("unpoisoned"))
}

#[track_caller]
fn check_error<T>(result: Result<T>, peer: &Peer, expected: &str) {
    let error = result.err().expect("fails");
    assert_eq!(error.exit_code(), 2);
    assert_eq!(error.to_string().replace(&peer.url, "ISSUER"), expected);
    assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
}

#[tokio::test]
async fn waits_as_long_as_the_provider_says() {
    let slow = ("/token", 400, r#"{"error": "slow_down"}"#);
    let answers = [("/device", 200, CODE), PENDING, slow, PENDING, ("/token", 200, TOKENS)];
    let peer = Peer::start(&answers);
    let (login, pauses) = wait(&peer).await;
    let login = login.expect("logs in");
    assert_eq!(pauses, [1, 6, 6]);
    assert_eq!(login.access_token.expose_secret(), "acc3ss");
    assert_eq!(login.refresh_token.as_ref().expect("one").expose_secret(), "r3fresh");
    assert_eq!((login.issuer.as_str(), login.client_id.as_str()), (peer.url.as_str(), "cli"));
    assert!((now() + 55..=now() + 60).contains(&login.expires_at));
    let requests = peer.requests();
    assert_eq!(requests[0], "POST /device scope=openid+offline_access&client_id=cli");
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    assert_eq!(requests[4], format!("POST /token {grant}&device_code=d3v1ce&client_id=cli"));
}

#[tokio::test]
async fn a_login_that_is_not_approved_fails() {
    let ended = "the code ended before the login was approved: run --login again";
    for (status, body, expected) in [
        (400, r#"{"error": "access_denied"}"#, "the login was denied"),
        (400, r#"{"error": "expired_token"}"#, ended),
        (
            400,
            r#"{"error": "invalid_client", "error_description": "no\u001b such client"}"#,
            "identity provider ISSUER: invalid_client: no\\u{1b} such client",
        ),
        (200, r#"{"s3cr3t": 1}"#, "identity provider ISSUER: its answer is not one of OAuth"),
        (503, "<html>s3cr3t", "identity provider ISSUER: its answer is not one of OAuth"),
        (302, "s3cr3t", "identity provider ISSUER: its answer is not one of OAuth"),
    ] {
        let peer = Peer::start(&[("/device", 200, CODE), PENDING, ("/token", status, body)]);
        check_error(wait(&peer).await.0, &peer, expected);
        assert_eq!(peer.requests().len(), 3, "redirections are not followed");
    }
    let code =
        r#"{"device_code": "d", "user_code": "u", "verification_uri": "ISSUER", "expires_in": 0}"#;
    let peer = Peer::start(&[("/device", 200, code)]);
    check_error(wait(&peer).await.0, &peer, ended);
}

#[tokio::test]
async fn providers_are_what_they_say_and_where_secrets_are_safe() {
    let check = async |status: u16, body: &'static str, expected: &str| {
        let peer = Peer::start(&[(CONFIGURATION_PATH, status, body)]);
        check_error(Issuer::discover(&peer.url, "cli").await, &peer, expected);
    };
    let page = "identity provider ISSUER: ISSUER/.well-known/openid-configuration is no OpenID \
                configuration (status ";
    check(200, "<html>s3cr3t", &format!("{page}200 OK)")).await;
    check(404, "{}", &format!("{page}404 Not Found)")).await;
    let other = r#"{"issuer": "http://evil", "token_endpoint": "ISSUER/token"}"#;
    check(200, other, "identity provider ISSUER: it calls itself http://evil").await;
    let elsewhere = r#"{"issuer": "ISSUER", "token_endpoint": "http://evil/token"}"#;
    let reason = "must be https, or http on loopback";
    check(200, elsewhere, &format!("identity provider ISSUER: http://evil/token {reason}")).await;

    let refused = Issuer::discover("http://issuer.example", "cli").await.err().expect("is refused");
    assert!(refused.to_string().ends_with(&format!("http://issuer.example {reason}")));
    // What an encrypted provider tells about itself does not make its tokens go in plain text.
    endpoint("https://issuer.example", "http://127.0.0.1/token", false).expect_err("is refused");
    endpoint("https://issuer.example", "file:///etc/passwd", false).expect_err("is refused");
}

#[tokio::test]
async fn a_provider_may_have_no_device_code_and_no_revocation() {
    let configuration = r#"{"issuer": "ISSUER", "token_endpoint": "ISSUER/token"}"#;
    let peer = Peer::start(&[(CONFIGURATION_PATH, 200, configuration), ("/token", 200, TOKENS)]);
    let issuer = Issuer::discover(&peer.url, "cli").await.expect("discovers");
    let expected = "identity provider ISSUER: it has no login by device code";
    check_error(issuer.device_code("").await, &peer, expected);
    let login = issuer.refresh(&"old".into()).await.expect("refreshes");
    issuer.revoke(&login).await.expect("has nothing to do");
    assert_eq!(peer.requests().len(), 1);
}

#[tokio::test]
async fn refreshes_and_revokes() {
    let without = r#"{"access_token": "n3w", "token_type": "bearer"}"#;
    let over = r#"{"error": "invalid_grant", "error_description": "Token is not active"}"#;
    let peer = Peer::start(&[
        ("/token", 200, without),
        ("/token", 200, TOKENS),
        ("/token", 400, over),
        ("/revoke", 200, ""),
        ("/revoke", 400, "s3cr3t"),
    ]);
    let issuer = Issuer::discover(&peer.url, "cli").await.expect("discovers");
    let old = SecretString::from("old");
    let kept = issuer.refresh(&old).await.expect("refreshes");
    assert_eq!(kept.access_token.expose_secret(), "n3w");
    assert_eq!(kept.refresh_token.as_ref().expect("the old one").expose_secret(), "old");
    let changed = issuer.refresh(&old).await.expect("refreshes");
    assert_eq!(changed.refresh_token.as_ref().expect("a new one").expose_secret(), "r3fresh");
    let expected = "identity provider ISSUER: invalid_grant: Token is not active";
    check_error(issuer.refresh(&old).await, &peer, expected);

    issuer.revoke(&changed).await.expect("revokes");
    let expected = "identity provider ISSUER: status 400 Bad Request of the revocation";
    check_error(issuer.revoke(&changed).await, &peer, expected);
    let requests = peer.requests();
    assert_eq!(requests[0], "POST /token grant_type=refresh_token&refresh_token=old&client_id=cli");
    let revocation = "POST /revoke token=r3fresh&token_type_hint=refresh_token&client_id=cli";
    assert_eq!(requests[3], revocation);
}
