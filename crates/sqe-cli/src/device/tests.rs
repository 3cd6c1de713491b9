use clap::Parser;
use tempfile::TempDir;

use super::*;
use crate::args::Args;
use crate::logins::now;
use crate::test_issuer::Issuer as Peer;

const NEW: &str = r#"{
    "access_token": "n3w", "token_type": "Bearer", "expires_in": 300, "refresh_token": "n3xt"
}"#;

/// A login at `peer` whose access token lasts `life` seconds, in a file of its own.
async fn login(peer: &Peer, life: u64) -> (TempDir, KeptLogin) {
    let home = tempfile::tempdir().expect("a directory");
    let logins = Logins::new(home.path().to_owned());
    let address = Address::of(&Args::parse_from(["sqe-cli"]));
    let login = Login {
        issuer: peer.url.clone(),
        client_id: "cli".to_owned(),
        access_token: "s3cr3t-old".into(),
        expires_at: now() + life,
        refresh_token: Some("s3cr3t-refresh".into()),
    };
    let mut locked = logins.lock().await.expect("locks");
    locked.put(&address.url(), login.clone()).expect("puts");
    let kept = KeptLogin::new(logins, &address, login).expect("a token");
    (home, kept)
}

#[track_caller]
fn check(bearer: Result<Bearer>, expected: &str) {
    assert_eq!(bearer.expect("a bearer"), format!("Bearer {expected}").as_str());
}

#[tokio::test]
async fn a_token_that_lasts_is_used_as_it_is() {
    let peer = Peer::start(&[]);
    let (_home, mut kept) = login(&peer, 300).await;
    check(kept.bearer().await, "s3cr3t-old");
    assert!(peer.requests().is_empty());
}

#[tokio::test]
async fn one_of_several_runs_refreshes_for_all() {
    let peer = Peer::start(&[("/token", 200, NEW)]);
    let (_home, mut kept) = login(&peer, 20).await;
    let address = Address::of(&Args::parse_from(["sqe-cli"]));
    let mut other =
        KeptLogin::new(kept.logins.clone(), &address, kept.login.clone()).expect("a token");
    let (first, second) = tokio::join!(kept.bearer(), other.bearer());
    check(first, "n3w");
    check(second, "n3w");
    check(kept.bearer().await, "n3w");
    assert_eq!(peer.requests().len(), 1);
    let stored = kept.logins.get(&kept.server).expect("reads").expect("is there");
    assert_eq!(stored.refresh_token.expect("a new one").expose_secret(), "n3xt");
}

#[tokio::test]
async fn a_refresh_goes_on_when_nobody_waits() {
    let peer = Peer::start(&[("/token", 200, NEW)]);
    let (_home, mut kept) = login(&peer, 0).await;
    let impatient = tokio::time::timeout(Duration::ZERO, kept.bearer()).await;
    assert!(impatient.is_err(), "the provider cannot have answered yet");
    check(kept.bearer().await, "n3w");
    assert_eq!(peer.requests().len(), 1);
}

#[tokio::test]
async fn a_provider_that_is_down_ends_a_login_with_its_token() {
    let peer = Peer::start(&[]);
    let (_home, mut kept) = login(&peer, 20).await;
    check(kept.bearer().await, "s3cr3t-old");
    assert_eq!(peer.requests().len(), 1);
    let (_home, mut kept) = login(&peer, 0).await;
    let error = kept.bearer().await.expect_err("has ended");
    let text = error.to_string();
    let expected = "the login to http://localhost:50051 has ended: log in again with --login (";
    assert!(text.starts_with(expected) && !format!("{error:?}").contains("s3cr3t"), "{error:?}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn a_user_is_told_where_to_go() {
    let code = r#"{"device_code": "s3cr3t", "user_code": "AB\u001b", "verification_uri": "https://i/v",
        "verification_uri_complete": "https://i/v?c=AB", "expires_in": 90}"#;
    let code: StandardDeviceAuthorizationResponse = serde_json::from_str(code).expect("valid");
    let address = Address::of(&Args::parse_from(["sqe-cli"]));
    assert_eq!(
        instructions(&address, "https://i", &code),
        "To log in to localhost:50051 at https://i, open\n  https://i/v\nand enter the code\n  \
         AB\\u{1b}\nor open\n  https://i/v?c=AB\nwithin 2 min."
    );
}

#[test]
fn a_token_is_a_header_without_being_shown() {
    assert!(!format!("{:?}", bearer("s3cr3t")).contains("s3cr3t"));
    let error = bearer("s3cr3t\n").expect_err("is no header");
    assert!(!format!("{error:?}").contains("s3cr3t"));
}
