//! Tokens of an issuer that runs in the test, with keys of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Router, response::IntoResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};
use sqe_engine::ErrorKind;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{authenticate, connection, engine, handshake};
use crate::auth::credentials::Credentials;
use crate::auth::jwt::JwtBearer;
use crate::auth::provider::Provider;
use crate::auth::{Authenticator, Sessions};
use crate::connection::VERIFIED;
use crate::options::{AuthOptions, IssuerOptions, SessionLimits};

/// What the issuer publishes, and how often it was asked for its keys.
#[derive(Default)]
struct Published {
    keys: Mutex<Vec<Jwk>>,
    asked: AtomicUsize,
    down: AtomicBool,
    slow: AtomicBool,
    revoked: AtomicBool,
    asked_about_tokens: AtomicUsize,
}

struct Issuer {
    url: String,
    published: Arc<Published>,
    /// Ends when it is dropped.
    _server: JoinSet<std::io::Result<()>>,
}

impl Issuer {
    async fn start() -> Self {
        let published = Arc::new(Published::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/realm", listener.local_addr().unwrap());
        let configuration = json!({
            "issuer": url, "jwks_uri": format!("{url}/keys"),
            "introspection_endpoint": format!("{url}/introspection"),
        });
        let configuration = configuration.to_string();
        let app = Router::new()
            .route("/realm/.well-known/openid-configuration", get(async move || configuration))
            .route("/realm/keys", get(keys))
            .route("/realm/introspection", post(introspection))
            .with_state(Arc::clone(&published));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await });
        Self { url, published, _server: server }
    }

    /// Publishes a new key beside those that are there.
    fn add_key(&self, id: &str) -> EncodingKey {
        let key = new_key();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(id.to_owned());
        self.published.keys.lock().unwrap().push(jwk);
        key
    }

    fn provider(&self) -> JwtBearer {
        JwtBearer::new(&self.options()).unwrap()
    }

    fn options(&self) -> IssuerOptions {
        IssuerOptions {
            issuer: self.url.clone(),
            audience: Some("lake".to_owned()),
            user_claim: None,
            clock_skew: Duration::from_secs(5),
            introspection: None,
            login_client_id: None,
            login_scope: None,
        }
    }

    /// Claims that are accepted, changed by `change`.
    fn claims(&self, change: Value) -> Value {
        let now = get_current_timestamp();
        let mut claims = json!({
            "iss": self.url, "aud": ["lake"], "sub": "42", "preferred_username": "ada",
            "exp": now + 60, "nbf": now - 1,
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }
}

async fn keys(State(published): State<Arc<Published>>) -> axum::response::Response {
    published.asked.fetch_add(1, Ordering::Relaxed);
    if published.slow.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    if published.down.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let keys = published.keys.lock().unwrap().clone();
    serde_json::to_string(&JwkSet { keys }).unwrap().into_response()
}

async fn introspection(State(published): State<Arc<Published>>) -> axum::response::Response {
    published.asked_about_tokens.fetch_add(1, Ordering::Relaxed);
    if published.down.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let active = !published.revoked.load(Ordering::Relaxed);
    json!({ "active": active }).to_string().into_response()
}

fn new_key() -> EncodingKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap()
}

fn signed(claims: &Value, key: &EncodingKey, id: &str) -> String {
    let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::ES256) };
    encode(&header, claims, key).unwrap()
}

/// The user of a token, or the kind of error and its message.
async fn login(provider: &JwtBearer, token: &str) -> Result<String, (ErrorKind, String)> {
    match provider.login(&Credentials::Bearer(token.into())).await {
        Ok(logged_in) => Ok(logged_in.unwrap().user),
        Err(error) => {
            assert!(!error.to_string().contains(token), "{error}");
            Err((error.kind, error.message))
        }
    }
}

#[tokio::test]
async fn only_tokens_of_the_issuer_for_this_server_at_this_time_are_accepted() {
    let issuer = Issuer::start().await;
    let key = issuer.add_key("one");
    let provider = issuer.provider();
    let now = get_current_timestamp();
    let check = async |change: Value, expected: Result<&str, &str>| {
        let token = signed(&issuer.claims(change.clone()), &key, "one");
        let expected = expected
            .map(str::to_owned)
            .map_err(|message| (ErrorKind::Unauthenticated, message.to_owned()));
        assert_eq!(login(&provider, &token).await, expected, "{change}");
    };
    check(json!({}), Ok("ada")).await;
    check(json!({ "preferred_username": null }), Ok("42")).await;
    check(json!({ "aud": "lake" }), Ok("ada")).await;
    check(json!({ "exp": now - 3 }), Ok("ada")).await;
    check(json!({ "exp": now - 60 }), Err("the token has expired")).await;
    check(json!({ "nbf": now + 60 }), Err("the token is not valid yet")).await;
    check(json!({ "aud": ["other"] }), Err("the token is not accepted")).await;
    check(json!({ "aud": null }), Err("the token is not accepted")).await;
    check(json!({ "exp": null }), Err("the token is not accepted")).await;
    check(json!({ "iss": "http://127.0.0.1/realm" }), Err("the token is not accepted")).await;
    check(json!({ "sub": null, "preferred_username": "" }), Err("the token is not accepted")).await;
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let issuer = Issuer::start().await;
    let key = issuer.add_key("one");
    let provider = issuer.provider();
    let claims = issuer.claims(json!({}));
    let good = signed(&claims, &key, "one");
    let parts: Vec<&str> = good.split('.').collect();
    let none = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    let secret = EncodingKey::from_secret(b"public");
    let critical = Header {
        kid: Some("one".to_owned()),
        crit: Some(vec!["exp".to_owned()]),
        ..Header::new(Algorithm::ES256)
    };
    let symmetric = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
    let forged = [
        signed(&claims, &new_key(), "one"),
        signed(&claims, &key, "two"),
        none,
        encode(&critical, &claims, &key).unwrap(),
        encode(&symmetric, &claims, &secret).unwrap(),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}x.{}", parts[0], parts[1], parts[2]),
        "no token".to_owned(),
        "a".repeat(20_000),
    ];
    for token in forged {
        let refused = (ErrorKind::Unauthenticated, "the token is not accepted".to_owned());
        assert_eq!(login(&provider, &token).await, Err(refused), "{token}");
    }
    assert_eq!(login(&provider, &good).await, Ok("ada".to_owned()));
}

#[tokio::test]
async fn a_key_that_is_for_something_else_verifies_no_token() {
    let issuer = Issuer::start().await;
    let check = async |change: fn(&mut Jwk), accepted: bool| {
        issuer.published.keys.lock().unwrap().clear();
        let key = issuer.add_key("one");
        change(&mut issuer.published.keys.lock().unwrap()[0]);
        let token = signed(&issuer.claims(json!({})), &key, "one");
        assert_eq!(login(&issuer.provider(), &token).await.is_ok(), accepted);
    };
    check(|_| {}, true).await;
    check(|jwk| jwk.common.key_algorithm = None, true).await;
    check(|jwk| jwk.common.key_algorithm = Some(KeyAlgorithm::ES384), false).await;
    check(|jwk| jwk.common.public_key_use = Some(PublicKeyUse::Signature), true).await;
    check(|jwk| jwk.common.public_key_use = Some(PublicKeyUse::Encryption), false).await;
    check(|jwk| jwk.common.key_operations = Some(vec![KeyOperations::Verify]), true).await;
    check(|jwk| jwk.common.key_operations = Some(vec![KeyOperations::Encrypt]), false).await;
}

#[tokio::test]
async fn new_keys_are_read_but_not_for_every_invented_one() {
    let issuer = Issuer::start().await;
    let provider = issuer.provider();
    let first = issuer.add_key("one");
    let claims = issuer.claims(json!({}));
    assert!(login(&provider, &signed(&claims, &first, "one")).await.is_ok());
    for invented in ["two", "three", "four"] {
        assert!(login(&provider, &signed(&claims, &first, invented)).await.is_err());
    }
    assert_eq!(issuer.published.asked.load(Ordering::Relaxed), 1);

    // Another server, which has not asked lately.
    let provider = issuer.provider();
    let second = issuer.add_key("two");
    assert!(login(&provider, &signed(&claims, &second, "two")).await.is_ok());
    assert!(login(&provider, &signed(&claims, &first, "one")).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_is_down_is_no_fault_of_the_token() {
    let issuer = Issuer::start().await;
    let key = issuer.add_key("one");
    let provider = issuer.provider();
    let token = signed(&issuer.claims(json!({})), &key, "one");
    issuer.published.down.store(true, Ordering::Relaxed);
    let (kind, message) = login(&provider, &token).await.unwrap_err();
    assert_eq!(kind, ErrorKind::Unavailable, "{message}");
    issuer.published.down.store(false, Ordering::Relaxed);
    assert_eq!(login(&provider, &token).await, Ok("ada".to_owned()));
}

#[tokio::test]
async fn an_unknown_key_is_no_fault_of_the_token_until_the_keys_were_read_again() {
    let issuer = Issuer::start().await;
    let key = issuer.add_key("one");
    let mut provider = issuer.provider();
    Arc::get_mut(&mut provider.keys).unwrap().pause = Duration::from_millis(500);
    let wait = async || tokio::time::sleep(Duration::from_millis(600)).await;
    let claims = issuer.claims(json!({}));
    let (known, unknown) = (signed(&claims, &key, "one"), signed(&claims, &key, "two"));
    assert!(login(&provider, &known).await.is_ok());
    wait().await;
    issuer.published.down.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(login(&provider, &unknown).await.unwrap_err().0, ErrorKind::Unavailable);
        assert!(login(&provider, &known).await.is_ok());
    }
    assert_eq!(issuer.published.asked.load(Ordering::Relaxed), 2);
    wait().await;
    issuer.published.down.store(false, Ordering::Relaxed);
    assert_eq!(login(&provider, &unknown).await.unwrap_err().0, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn keys_that_could_not_be_read_for_too_long_are_not_believed() {
    let issuer = Issuer::start().await;
    let key = issuer.add_key("one");
    let mut provider = issuer.provider();
    let keys = Arc::get_mut(&mut provider.keys).unwrap();
    (keys.pause, keys.life) = (Duration::ZERO, Duration::from_secs(1));
    let token = signed(&issuer.claims(json!({})), &key, "one");
    assert!(login(&provider, &token).await.is_ok());
    issuer.published.down.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        assert_eq!(login(&provider, &token).await.unwrap_err().0, ErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn known_keys_serve_while_others_are_read() {
    let issuer = Issuer::start().await;
    let key = issuer.add_key("one");
    let mut provider = issuer.provider();
    Arc::get_mut(&mut provider.keys).unwrap().pause = Duration::ZERO;
    let claims = issuer.claims(json!({}));
    let (known, unknown) = (signed(&claims, &key, "one"), signed(&claims, &key, "two"));
    assert!(login(&provider, &known).await.is_ok());
    issuer.published.slow.store(true, Ordering::Relaxed);
    let served = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(login(&provider, &known).await.is_ok());
        }
    };
    tokio::select! {
        answer = login(&provider, &unknown) => panic!("{answer:?}"),
        served = tokio::time::timeout(Duration::from_secs(5), served) => served.unwrap(),
    }
}

#[tokio::test]
async fn keys_are_read_ahead_of_their_end_and_nobody_waits_for_it() {
    let issuer = Issuer::start().await;
    let key = issuer.add_key("one");
    let mut provider = issuer.provider();
    let keys = Arc::get_mut(&mut provider.keys).unwrap();
    (keys.pause, keys.life) = (Duration::ZERO, Duration::from_secs(4));
    let token = signed(&issuer.claims(json!({})), &key, "one");
    assert!(login(&provider, &token).await.is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Only a key that is known already can be found without the answer of the issuer.
    issuer.published.slow.store(true, Ordering::Relaxed);
    let login = tokio::time::timeout(Duration::from_secs(1), login(&provider, &token));
    assert!(login.await.unwrap().is_ok());
    while issuer.published.asked.load(Ordering::Relaxed) < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_token_may_come_as_a_password() {
    let issuer = Issuer::start().await;
    let key = issuer.add_key("one");
    let provider = issuer.provider();
    let token = signed(&issuer.claims(json!({})), &key, "one");
    let basic = |user: &str, password: &str| Credentials::Basic {
        user: user.to_owned(),
        password: password.into(),
    };
    let logged_in = provider.login(&basic("token", &token)).await.unwrap().unwrap();
    assert_eq!((logged_in.user.as_str(), logged_in.principal.as_str()), ("ada", "jwt 42"));
    assert!(provider.login(&basic("ada", &token)).await.unwrap().is_none());
    assert!(provider.login(&basic("token", "secret")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_ends_also_where_it_comes_with_each_call() {
    let issuer = Issuer::start().await;
    let key = issuer.add_key("one");
    let options = AuthOptions { issuer: Some(issuer.options()), ..AuthOptions::default() };
    let stop = CancellationToken::new();
    let sessions = Arc::new(Sessions::new(SessionLimits::default(), stop));
    let auth = Authenticator::new(engine(), &options, sessions).unwrap();
    let connection = connection(&auth);
    // Two seconds are left of it, with the five by which clocks may differ.
    let claims = issuer.claims(json!({ "exp": get_current_timestamp() - 3 }));
    let token = signed(&claims, &key, "one");
    let basic = format!("Basic {}", STANDARD.encode(format!("token:{token}")));
    let headers = [format!("Bearer {token}"), basic];
    for header in &headers {
        let session = authenticate(&auth, Some(header), &connection).await.unwrap();
        assert_eq!(session.user(), "ada");
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    for header in &headers {
        let refused = authenticate(&auth, Some(header), &connection).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_the_session_of_its_handshake() {
    let issuer = Issuer::start().await;
    let key = issuer.add_key("one");
    let introspection = Some(("sqe".to_owned(), "server-secret".into()));
    let options = IssuerOptions { introspection, ..issuer.options() };
    let options = AuthOptions { issuer: Some(options), ..AuthOptions::default() };
    let sessions = Arc::new(Sessions::new(SessionLimits::default(), CancellationToken::new()));
    let auth = Authenticator::new(engine(), &options, sessions).unwrap();
    let connection = connection(&auth);
    let bearer = format!("Bearer {}", signed(&issuer.claims(json!({})), &key, "one"));
    let own = format!("Bearer {}", handshake(&auth, Some(&bearer), &connection).await.unwrap());
    let call = async || authenticate(&auth, Some(&own), &connection).await;
    for _ in 0..3 {
        call().await.unwrap();
    }
    let session = call().await.unwrap();
    assert_eq!(issuer.published.asked_about_tokens.load(Ordering::Relaxed), 1);

    tokio::time::sleep(VERIFIED).await;
    issuer.published.down.store(true, Ordering::Relaxed);
    assert_eq!(call().await.unwrap_err().code(), tonic::Code::Unavailable);
    issuer.published.down.store(false, Ordering::Relaxed);
    assert_eq!(call().await.unwrap().id(), session.id());
    tokio::time::sleep(VERIFIED).await;
    issuer.published.revoked.store(true, Ordering::Relaxed);
    assert_eq!(call().await.unwrap_err().code(), tonic::Code::Unauthenticated);
    assert!(session.is_closed());
}
