//! Names and passwords at a token endpoint that runs in the test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use sqe_engine::ErrorKind;
use sqe_iceberg::token::TokenSource;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{authenticate, connection, engine};
use crate::auth::client_credentials::ClientCredentials;
use crate::auth::credentials::Credentials;
use crate::auth::password::Password;
use crate::auth::provider::{LoggedIn, Provider};
use crate::auth::{Authenticator, Sessions};
use crate::options::{AuthOptions, Grant, SessionLimits, TokenEndpointOptions};

/// Answers with `answer`, in which `N` is the number of the request, when it has a permit; keeps the
/// requests.
struct Endpoint {
    answer: Mutex<(StatusCode, String)>,
    permits: Semaphore,
    requests: Mutex<Vec<String>>,
    asked: AtomicUsize,
    /// Ends when it is dropped.
    server: Mutex<JoinSet<std::io::Result<()>>>,
}

impl Endpoint {
    async fn start(status: StatusCode, body: &str) -> (Arc<Self>, TokenEndpointOptions) {
        let endpoint = Arc::new(Self {
            answer: Mutex::new((status, body.to_owned())),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
            requests: Mutex::default(),
            asked: AtomicUsize::new(0),
            server: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/oauth/tokens", listener.local_addr().unwrap());
        let app =
            Router::new().route("/v1/oauth/tokens", post(token)).with_state(Arc::clone(&endpoint));
        let server = axum::serve(listener, app).into_future();
        endpoint.server.lock().unwrap().spawn(server);
        let options = TokenEndpointOptions {
            url: url.parse().unwrap(),
            grant: Grant::ClientCredentials,
            client_id: Some("sqe".to_owned()),
            client_secret: Some("server-secret".into()),
            scope: Some("PRINCIPAL_ROLE:ALL".to_owned()),
        };
        (endpoint, options)
    }

    fn answer(&self, status: StatusCode, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    /// Lets no answer out until `go_on`.
    fn hold(&self) {
        self.permits.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn go_on(&self) {
        self.permits.add_permits(Semaphore::MAX_PERMITS);
    }

    fn last_request(&self) -> String {
        self.requests.lock().unwrap().last().unwrap().clone()
    }
}

async fn token(State(endpoint): State<Arc<Endpoint>>, body: String) -> axum::response::Response {
    endpoint.requests.lock().unwrap().push(body);
    let number = endpoint.asked.fetch_add(1, Ordering::Relaxed);
    let _permit = endpoint.permits.acquire().await.unwrap();
    let (status, body) = endpoint.answer.lock().unwrap().clone();
    let body = body.replace("N", &number.to_string());
    (status, [("content-type", "application/json")], body).into_response()
}

const LASTS: &str = r#"{"access_token":"tokenN","token_type":"bearer","expires_in":3600}"#;
const ENDS: &str =
    r#"{"access_token":"tokenN","token_type":"bearer","expires_in":0,"refresh_token":"refreshN"}"#;

fn basic() -> Credentials {
    Credentials::Basic { user: "ada".to_owned(), password: "s3cr3t&".into() }
}

async fn access(logged_in: &LoggedIn) -> String {
    let tokens = logged_in.tokens.as_ref().unwrap();
    tokens.token().await.unwrap().unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn name_and_password_are_id_and_secret_of_a_client() {
    let (endpoint, options) = Endpoint::start(StatusCode::OK, LASTS).await;
    let provider = ClientCredentials::new(&options).unwrap();
    let logged_in = provider.login(&basic()).await.unwrap().unwrap();
    assert_eq!(logged_in.user, "ada");
    let sent = endpoint.last_request();
    for part in ["grant_type=client_credentials", "client_id=ada", "client_secret=s3cr3t%26"] {
        assert!(sent.contains(part), "{sent}");
    }
    assert!(sent.contains("scope=PRINCIPAL_ROLE%3AALL"), "{sent}");
    // One request serves until the token ends, or is refused.
    assert_eq!(access(&logged_in).await, "token0");
    assert_eq!(access(&logged_in).await, "token0");
    let tokens = logged_in.tokens.as_ref().unwrap();
    let replaced = tokens.replace(&"token0".into()).await.unwrap().unwrap();
    assert_eq!(replaced.expose_secret(), "token1");
    let kept = tokens.replace(&"token0".into()).await.unwrap().unwrap();
    assert_eq!(kept.expose_secret(), "token1");
    assert!(!format!("{logged_in:?}").contains("token1"), "{logged_in:?}");
}

#[tokio::test]
async fn a_password_is_used_once_and_then_the_refresh_token() {
    let (endpoint, options) = Endpoint::start(StatusCode::OK, ENDS).await;
    let provider = Password::new(&options).unwrap();
    let logged_in = provider.login(&basic()).await.unwrap().unwrap();
    let sent = endpoint.last_request();
    for part in ["grant_type=password", "username=ada", "client_id=sqe", "client_secret=server"] {
        assert!(sent.contains(part), "{sent}");
    }
    endpoint.answer(StatusCode::OK, LASTS);
    assert_eq!(access(&logged_in).await, "token1");
    let sent = endpoint.last_request();
    assert!(sent.contains("refresh_token=refresh0") && !sent.contains("s3cr3t"), "{sent}");
    // The provider kept the refresh token, and so must the session.
    let tokens = logged_in.tokens.as_ref().unwrap();
    tokens.replace(&"token1".into()).await.unwrap();
    assert!(endpoint.last_request().contains("refresh_token=refresh0"));

    endpoint.answer(StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#);
    let error = tokens.replace(&"token2".into()).await.unwrap_err();
    assert_eq!(error.kind(), sqe_iceberg::ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn what_lasts_is_used_while_the_endpoint_is_down() {
    let (endpoint, options) = Endpoint::start(
        StatusCode::OK,
        r#"{"access_token":"tokenN","token_type":"bearer","expires_in":3}"#,
    )
    .await;
    let provider = ClientCredentials::new(&options).unwrap();
    let logged_in = provider.login(&basic()).await.unwrap().unwrap();
    endpoint.answer(StatusCode::BAD_GATEWAY, "");
    tokio::time::sleep(Duration::from_millis(2400)).await;
    assert_eq!(access(&logged_in).await, "token0");
    tokio::time::sleep(Duration::from_millis(800)).await;
    let error = logged_in.tokens.as_ref().unwrap().token().await.unwrap_err();
    assert_eq!(error.kind(), sqe_iceberg::ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_refresh_goes_on_when_the_statement_that_began_it_is_cancelled() {
    let (endpoint, options) = Endpoint::start(StatusCode::OK, ENDS).await;
    let provider = Password::new(&options).unwrap();
    let logged_in = provider.login(&basic()).await.unwrap().unwrap();
    endpoint.answer(
        StatusCode::OK,
        r#"{"access_token":"tokenN","token_type":"bearer","expires_in":3600,
            "refresh_token":"refreshN"}"#,
    );
    endpoint.hold();
    let cancelled = tokio::time::timeout(Duration::from_millis(300), access(&logged_in)).await;
    assert!(cancelled.is_err());
    endpoint.go_on();
    // The answer to the one refresh was kept, with the refresh token in it.
    assert_eq!(access(&logged_in).await, "token1");
    assert_eq!(endpoint.asked.load(Ordering::Relaxed), 2);
    logged_in.tokens.as_ref().unwrap().replace(&"token1".into()).await.unwrap();
    assert!(endpoint.last_request().contains("refresh_token=refresh1"));
}

#[tokio::test]
async fn all_who_wait_for_a_refresh_get_its_error() {
    let (endpoint, options) = Endpoint::start(StatusCode::OK, ENDS).await;
    let provider = Password::new(&options).unwrap();
    let logged_in = provider.login(&basic()).await.unwrap().unwrap();
    let tokens = logged_in.tokens.as_ref().unwrap();
    endpoint.answer(StatusCode::BAD_GATEWAY, "");
    for result in futures::future::join_all((0..5).map(|_| tokens.token())).await {
        assert_eq!(result.unwrap_err().kind(), sqe_iceberg::ErrorKind::Unavailable);
    }
    assert_eq!(endpoint.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn errors_say_whose_fault_it_is_and_nothing_of_the_answer() {
    let (endpoint, options) = Endpoint::start(StatusCode::OK, LASTS).await;
    let provider = ClientCredentials::new(&options).unwrap();
    let check = async |status, body: &str, kind, message: &str| {
        endpoint.answer(status, body);
        let error = provider.login(&basic()).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, message), "{body}");
    };
    let wrong = "the user name or the password is wrong";
    let (bad, denied) = (StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED);
    check(denied, r#"{"error":"unauthorized_client"}"#, ErrorKind::Unauthenticated, wrong).await;
    check(denied, r#"{"error":"invalid_client"}"#, ErrorKind::Unauthenticated, wrong).await;
    check(bad, r#"{"error":"invalid_grant"}"#, ErrorKind::Unauthenticated, wrong).await;
    check(
        bad,
        r#"{"error":"invalid_scope","error_description":"s3cr3t"}"#,
        ErrorKind::Unavailable,
        "the token endpoint refuses what the server asks: invalid_scope",
    )
    .await;
    check(
        StatusCode::OK,
        "<html>s3cr3t</html>",
        ErrorKind::Unavailable,
        "the token endpoint answers what is no answer to a login",
    )
    .await;
    check(
        StatusCode::BAD_GATEWAY,
        "s3cr3t",
        ErrorKind::Unavailable,
        "the identity provider answers with status 502 Bad Gateway",
    )
    .await;
}

#[tokio::test]
async fn a_connection_logs_in_once_and_wrong_logins_are_stopped() {
    let (endpoint, options) = Endpoint::start(StatusCode::OK, LASTS).await;
    let limits = SessionLimits::default();
    let sessions = Arc::new(Sessions::new(limits, CancellationToken::new()));
    let options = AuthOptions {
        token_endpoint: Some(options),
        failures_per_minute: 2,
        ..AuthOptions::default()
    };
    let auth = Authenticator::new(engine(), &options, sessions).unwrap();
    let first = connection(&auth);
    let header = Some("Basic YWRhOnNlY3JldA==");
    let session = authenticate(&auth, header, &first).await.unwrap();
    let again = authenticate(&auth, header, &first).await.unwrap();
    assert_eq!(session.id(), again.id());
    assert_eq!(endpoint.asked.load(Ordering::Relaxed), 1);
    // Another password of the same name is another login.
    authenticate(&auth, Some("Basic YWRhOm90aGVy"), &first).await.unwrap();
    assert_eq!(endpoint.asked.load(Ordering::Relaxed), 2);
    authenticate(&auth, None, &first).await.unwrap_err();

    endpoint.answer(StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#);
    let codes = async || authenticate(&auth, header, &connection(&auth)).await.unwrap_err().code();
    assert_eq!(codes().await, tonic::Code::Unauthenticated);
    assert_eq!(codes().await, tonic::Code::Unauthenticated);
    assert_eq!(codes().await, tonic::Code::ResourceExhausted);
    assert_eq!(endpoint.asked.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_session_by_password_expires_also_where_the_password_comes_with_each_call() {
    let (endpoint, options) = Endpoint::start(StatusCode::OK, LASTS).await;
    let absolute = Duration::from_secs(1);
    let limits = SessionLimits { absolute, ..SessionLimits::default() };
    let sessions = Arc::new(Sessions::new(limits, CancellationToken::new()));
    let options = AuthOptions { token_endpoint: Some(options), ..AuthOptions::default() };
    let auth = Authenticator::new(engine(), &options, sessions).unwrap();
    let connection = connection(&auth);
    let call = async || authenticate(&auth, Some("Basic YWRhOnNlY3JldA=="), &connection).await;
    let first = call().await.unwrap().id();
    // It is told once, because the settings of the session are gone, also after a sweep.
    for sweep in [false, true] {
        tokio::time::sleep(absolute).await;
        if sweep {
            auth.sessions.sweep(tokio::time::Instant::now());
        }
        let over = call().await.unwrap_err();
        assert_eq!(over.code(), tonic::Code::Unauthenticated);
        assert!(over.message().contains("expired"), "{over}");
        assert!(auth.sessions.by_id(first).is_none());
        assert_ne!(call().await.unwrap().id(), first);
    }
    assert_eq!(endpoint.asked.load(Ordering::Relaxed), 3);

    // The password was changed.
    endpoint.answer(StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#);
    call().await.unwrap();
    tokio::time::sleep(absolute).await;
    for _ in 0..2 {
        assert_eq!(call().await.unwrap_err().code(), tonic::Code::Unauthenticated);
    }
    assert_eq!(endpoint.asked.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_session_by_password_of_a_connection_ends_when_it_is_not_used() {
    let limits = SessionLimits::default();
    let idle = limits.idle;
    let sessions = Arc::new(Sessions::new(limits, CancellationToken::new()));
    let options = AuthOptions { allow_anonymous: true, ..AuthOptions::default() };
    let auth = Authenticator::new(engine(), &options, sessions).unwrap();
    let connection = connection(&auth);
    let by_password = authenticate(&auth, Some("Basic YWRhOg=="), &connection).await.unwrap();
    let nobody = authenticate(&auth, None, &connection).await.unwrap();
    auth.sessions.sweep(tokio::time::Instant::now() + idle);
    assert!(by_password.is_closed());
    // Who shows nothing has nothing to show again.
    assert!(!nobody.is_closed());
}

#[tokio::test]
async fn wrong_logins_are_stopped_also_when_they_come_all_at_once() {
    let refused = r#"{"error":"invalid_client"}"#;
    let (endpoint, options) = Endpoint::start(StatusCode::UNAUTHORIZED, refused).await;
    let auth = Authenticator::new(
        engine(),
        &AuthOptions {
            token_endpoint: Some(options),
            failures_per_minute: 3,
            ..AuthOptions::default()
        },
        Arc::new(Sessions::new(SessionLimits::default(), CancellationToken::new())),
    )
    .unwrap();
    let guess = async |n: usize| {
        let header = format!("Basic {}", STANDARD.encode(format!("ada:guess{n}")));
        authenticate(&auth, Some(&header), &connection(&auth)).await.unwrap_err().code()
    };
    let codes = futures::future::join_all((0..20).map(guess)).await;
    let wrong = codes.iter().filter(|code| **code == tonic::Code::Unauthenticated);
    assert_eq!(wrong.count(), 3, "{codes:?}");
    assert_eq!(endpoint.asked.load(Ordering::Relaxed), 3);
}
