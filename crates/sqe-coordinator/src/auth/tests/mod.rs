use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use sqe_engine::EngineOptions;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use uuid::Uuid;

mod issuer;
mod logins;

use super::*;
use crate::options::SessionLimits;

fn engine() -> Engine {
    Engine::new(EngineOptions {
        catalogs: BTreeMap::new(),
        default_catalog: "catalog".into(),
        default_schema: "main".into(),
        memory_bytes: 64 << 20,
        spill_dir: None,
        spill_bytes: 64 << 20,
        statement_timeout: Duration::from_secs(60),
        manifest_cache_bytes: 1 << 20,
        file_access: Default::default(),
        cluster: None,
        operators: Vec::new(),
    })
    .unwrap()
}

fn authenticator(allow_anonymous: bool, limits: SessionLimits) -> Authenticator {
    let sessions = Arc::new(Sessions::new(limits, CancellationToken::new()));
    let options = AuthOptions { allow_anonymous, ..AuthOptions::default() };
    Authenticator::new(engine(), &options, sessions).unwrap()
}

fn request(header: Option<&str>, connection: &Arc<Connection>) -> (MetadataMap, Extensions) {
    let mut headers = MetadataMap::new();
    if let Some(header) = header {
        headers.insert("authorization", header.parse().unwrap());
    }
    let mut extensions = Extensions::new();
    extensions.insert(Arc::clone(connection));
    (headers, extensions)
}

fn connection(auth: &Authenticator) -> Arc<Connection> {
    Arc::new(Connection::new(Arc::clone(&auth.sessions), None))
}

async fn authenticate(
    auth: &Authenticator,
    header: Option<&str>,
    connection: &Arc<Connection>,
) -> Result<Arc<ClientSession>, Status> {
    let (headers, extensions) = request(header, connection);
    auth.authenticate(&headers, &extensions).await
}

async fn handshake(
    auth: &Authenticator,
    header: Option<&str>,
    connection: &Arc<Connection>,
) -> Result<String, Status> {
    let (headers, extensions) = request(header, connection);
    let token = auth.handshake(&headers, &extensions).await?;
    Ok(token.expose_secret().to_owned())
}

#[tokio::test]
async fn a_handshake_opens_a_session_that_its_token_finds() {
    let auth = authenticator(true, SessionLimits::default());
    let first = connection(&auth);
    let token = handshake(&auth, Some("Basic cm9vdDo"), &first).await.unwrap();
    let bearer = format!("Bearer {token}");

    let session = authenticate(&auth, Some(&bearer), &first).await.unwrap();
    assert_eq!(session.user(), "root");
    let same = authenticate(&auth, Some(&bearer), &connection(&auth)).await.unwrap();
    assert_eq!(session.id(), same.id());
    let repeated = handshake(&auth, Some(&bearer), &first).await.unwrap();
    assert_eq!(repeated, token);
}

#[tokio::test]
async fn calls_without_a_token_share_the_session_of_their_connection() {
    let auth = authenticator(true, SessionLimits::default());
    let (one, other) = (connection(&auth), connection(&auth));
    let id = async |connection, header| {
        let session = authenticate(&auth, header, connection).await.unwrap();
        (session.id(), session.user().to_owned())
    };
    assert_eq!(id(&one, None).await, id(&one, None).await);
    assert_eq!(id(&one, None).await.1, "anonymous");
    assert_ne!(id(&one, None).await, id(&other, None).await);
    let basic = Some("Basic cm9vdDo=");
    assert_eq!(id(&one, basic).await, id(&one, basic).await);
    assert_eq!(id(&one, basic).await.1, "root");

    let (gone, _) = id(&one, None).await;
    drop(one);
    assert!(auth.sessions.by_id(gone).is_none());
}

#[tokio::test]
async fn a_closed_session_is_not_found_again() {
    let auth = authenticator(true, SessionLimits::default());
    let connection = connection(&auth);
    let token = handshake(&auth, None, &connection).await.unwrap();
    let bearer = format!("Bearer {token}");
    let session = authenticate(&auth, Some(&bearer), &connection).await.unwrap();
    auth.sessions.close(session.id());

    assert!(session.is_closed());
    let refused = authenticate(&auth, Some(&bearer), &connection).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn an_own_token_is_never_passed_on_as_if_it_were_of_a_user() {
    let sessions = Arc::new(Sessions::new(SessionLimits::default(), CancellationToken::new()));
    let options = AuthOptions { opaque_bearer: true, ..AuthOptions::default() };
    let auth = Authenticator::new(engine(), &options, sessions).unwrap();
    let connection = connection(&auth);
    let token = handshake(&auth, Some("Bearer users-own"), &connection).await.unwrap();
    let basic = |token: &str| format!("Basic {}", STANDARD.encode(format!("token:{token}")));
    let mut ids = Vec::new();
    for header in [format!("Bearer {token}"), basic(&token)] {
        ids.push(authenticate(&auth, Some(&header), &connection).await.unwrap().id());
        assert_eq!(handshake(&auth, Some(&header), &connection).await.unwrap(), token);
    }
    assert_eq!(ids[0], ids[1]);

    auth.sessions.close(ids[0]);
    for over in [token.as_str(), "sqe_never-given-out"] {
        for header in [format!("Bearer {over}"), basic(over)] {
            let refused = authenticate(&auth, Some(&header), &connection).await.unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated, "{header}");
            let refused = handshake(&auth, Some(&header), &connection).await.unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated, "{header}");
        }
    }
    authenticate(&auth, Some("Bearer users-own"), &connection).await.unwrap();
}

#[tokio::test]
async fn who_may_not_come_in_is_unauthenticated() {
    let auth = authenticator(false, SessionLimits::default());
    let connection = connection(&auth);
    let headers = [None, Some("Basic cm9vdDo="), Some("Bearer x"), Some("Basic ?")];
    for header in headers {
        let refused = authenticate(&auth, header, &connection).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{header:?}");
        let refused = handshake(&auth, header, &connection).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{header:?}");
    }
}

#[tokio::test]
async fn sessions_expire_when_idle_but_not_while_they_run_something() {
    let limits = SessionLimits::default();
    let (idle, absolute) = (limits.idle, limits.absolute);
    let auth = authenticator(true, limits);
    let token = handshake(&auth, None, &connection(&auth)).await.unwrap().into();
    let session = auth.sessions.by_token(&token).unwrap();
    let check = |after, expired| {
        assert_eq!(session.is_expired(Instant::now() + after), expired);
    };
    check(idle / 2, false);
    check(idle, true);
    let running = session.start(Uuid::new_v4());
    check(idle, false);
    check(absolute, true);
    drop(running);
    check(idle, true);

    auth.sessions.sweep(Instant::now() + idle / 2);
    assert!(auth.sessions.by_token(&token).is_some());
    auth.sessions.sweep(Instant::now() + idle);
    assert!(auth.sessions.by_token(&token).is_none());
}

#[tokio::test]
async fn the_number_of_sessions_is_bounded_and_expired_ones_make_room() {
    let limits = SessionLimits {
        max_sessions: 2,
        idle: Duration::from_millis(500),
        ..SessionLimits::default()
    };
    let idle = limits.idle;
    let auth = authenticator(true, limits);
    let connection = connection(&auth);
    let open = || handshake(&auth, None, &connection);
    open().await.unwrap();
    open().await.unwrap();
    assert_eq!(open().await.unwrap_err().code(), Code::ResourceExhausted);
    tokio::time::sleep(idle).await;
    open().await.unwrap();
}
