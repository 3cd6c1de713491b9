use std::collections::BTreeMap;
use std::time::Duration;

use sqe_engine::EngineOptions;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use uuid::Uuid;

use super::*;
use crate::options::SessionLimits;

fn engine() -> Engine {
    Engine::new(EngineOptions {
        catalogs: BTreeMap::new(),
        default_catalog: "catalog".into(),
        memory_bytes: 64 << 20,
        spill_dir: None,
        spill_bytes: 64 << 20,
        statement_timeout: Duration::from_secs(60),
        manifest_cache_bytes: 1 << 20,
        file_access: Default::default(),
    })
    .unwrap()
}

fn authenticator(allow_anonymous: bool, limits: SessionLimits) -> Authenticator {
    let sessions = Arc::new(Sessions::new(limits, CancellationToken::new()));
    Authenticator::new(engine(), AuthOptions { allow_anonymous }, sessions)
}

fn request(header: Option<&str>, connection: &Arc<Connection>) -> Request<()> {
    let mut request = Request::new(());
    if let Some(header) = header {
        let value = header.parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request.extensions_mut().insert(Arc::clone(connection));
    request
}

fn connection(auth: &Authenticator) -> Arc<Connection> {
    Arc::new(Connection::new(Arc::clone(&auth.sessions)))
}

#[tokio::test]
async fn a_handshake_opens_a_session_that_its_token_finds() {
    let auth = authenticator(true, SessionLimits::default());
    let first = connection(&auth);
    let token = auth.handshake(&request(Some("Basic cm9vdDo"), &first)).unwrap();
    let bearer = format!("Bearer {token}");

    let session = auth.authenticate(&request(Some(&bearer), &first)).unwrap();
    assert_eq!(session.user(), "root");
    let again = connection(&auth);
    let same = auth.authenticate(&request(Some(&bearer), &again)).unwrap();
    assert_eq!(session.id(), same.id());
    let repeated = auth.handshake(&request(Some(&bearer), &first)).unwrap();
    assert_eq!(repeated, token);
}

#[tokio::test]
async fn calls_without_a_token_share_the_session_of_their_connection() {
    let auth = authenticator(true, SessionLimits::default());
    let (one, other) = (connection(&auth), connection(&auth));
    let id = |connection, header| {
        let session = auth.authenticate(&request(header, connection)).unwrap();
        (session.id(), session.user().to_owned())
    };
    assert_eq!(id(&one, None), id(&one, None));
    assert_eq!(id(&one, None).1, "anonymous");
    assert_ne!(id(&one, None), id(&other, None));
    let basic = Some("Basic cm9vdDo=");
    assert_eq!(id(&one, basic), id(&one, basic));
    assert_eq!(id(&one, basic).1, "root");

    let (gone, _) = id(&one, None);
    drop(one);
    assert!(auth.sessions.by_id(gone).is_none());
}

#[tokio::test]
async fn a_closed_session_is_not_found_again() {
    let auth = authenticator(true, SessionLimits::default());
    let connection = connection(&auth);
    let token = auth.handshake(&request(None, &connection)).unwrap();
    let bearer = format!("Bearer {token}");
    let session = auth.authenticate(&request(Some(&bearer), &connection)).unwrap();
    auth.sessions.close(session.id());

    assert!(session.is_closed());
    let refused = auth.authenticate(&request(Some(&bearer), &connection));
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn who_may_not_come_in_is_unauthenticated() {
    let auth = authenticator(false, SessionLimits::default());
    let connection = connection(&auth);
    let headers = [None, Some("Basic cm9vdDo="), Some("Bearer x"), Some("Basic ?")];
    for header in headers {
        let refused = auth.authenticate(&request(header, &connection)).unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{header:?}");
        let refused = auth.handshake(&request(header, &connection)).unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{header:?}");
    }
}

#[tokio::test]
async fn sessions_expire_when_idle_but_not_while_they_run_something() {
    let limits = SessionLimits::default();
    let (idle, absolute) = (limits.idle, limits.absolute);
    let auth = authenticator(true, limits);
    let token = auth.handshake(&request(None, &connection(&auth))).unwrap();
    let session = auth.by_token(&token).unwrap();
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
    assert!(auth.by_token(&token).is_ok());
    auth.sessions.sweep(Instant::now() + idle);
    assert!(auth.by_token(&token).is_err());
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
    let open = || auth.handshake(&request(None, &connection));
    open().unwrap();
    open().unwrap();
    assert_eq!(open().unwrap_err().code(), Code::ResourceExhausted);
    tokio::time::sleep(idle).await;
    open().unwrap();
}
