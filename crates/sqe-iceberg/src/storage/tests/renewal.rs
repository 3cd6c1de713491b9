//! Keys that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use object_store::CredentialProvider;

use super::fake::{FakeS3, Reply, content};
use super::{Source, check_clean, keys, scope, storage, table};
use crate::storage::keys::{KeyRing, ScopeKeys};
use crate::storage::location::S3Location;
use crate::storage::{S3Endpoint, S3Scope};
use crate::{Error, ErrorKind};

/// Keys of one scope that end after a life of so many seconds; the time stands still.
struct Ring {
    keys: ScopeKeys,
    source: Arc<Source>,
    now: Arc<AtomicU64>,
}

impl Ring {
    fn new(id: &str, life: Option<u64>) -> Self {
        Self::with_next(id, life, None)
    }

    /// The keys after the first end at `next`.
    fn with_next(id: &str, life: Option<u64>, next: Option<SystemTime>) -> Self {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let first = S3Scope {
            prefix: "s3://b/t".to_owned(),
            endpoint: S3Endpoint::default(),
            keys: keys(id, life.map(|life| at(start + life))),
        };
        let renewed =
            S3Scope { keys: keys("k", None), prefix: "s3://b".to_owned(), ..first.clone() };
        let source = Arc::new(Source {
            scopes: vec![renewed],
            ends_at: next,
            asked: Default::default(),
            failing: Default::default(),
        });
        let now = Arc::new(AtomicU64::new(start));
        let clock = Arc::clone(&now);
        let clock = Arc::new(move || at(clock.load(Ordering::Relaxed)));
        let prefix = S3Location::parse(&first.prefix).unwrap();
        let ring = KeyRing::new(&[(prefix, first)], Arc::clone(&source) as _, clock);
        Self { keys: ScopeKeys { ring: Arc::new(ring), scope: 0 }, source, now }
    }

    async fn id(&self) -> Result<String, Error> {
        let keys = self.keys.get_credential().await;
        keys.map(|keys| keys.key_id.clone()).map_err(|error| {
            let fault = crate::storage::fault::Fault::of(&error);
            fault.at(&S3Location::parse("s3://b/t").unwrap()).into()
        })
    }

    fn after(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    fn fails(&self, error: Option<Error>) {
        *self.source.failing.lock().unwrap() = error;
    }
}

#[tokio::test]
async fn keys_are_renewed_before_they_end() {
    let check = async |life: u64, fresh: u64| {
        let ring = Ring::new("old", Some(life));
        ring.after(fresh - 1);
        assert_eq!((ring.id().await.unwrap().as_str(), ring.source.asked()), ("old", 0));
        ring.after(2);
        assert_eq!((ring.id().await.unwrap().as_str(), ring.source.asked()), ("k1", 1));
        assert_eq!((ring.id().await.unwrap().as_str(), ring.source.asked()), ("k1", 1));
    };
    check(3600, 3300).await;
    check(100, 80).await;
    let lasting = Ring::new("old", None);
    lasting.after(1 << 30);
    assert_eq!(lasting.id().await.unwrap(), "old");
}

#[tokio::test]
async fn keys_without_id_or_time_are_renewed_first_and_once_for_all() {
    for ring in [Ring::new("", None), Ring::new("old", Some(0))] {
        let ids = futures::future::join_all((0..20).map(|_| ring.id())).await;
        assert!(ids.into_iter().all(|id| id.unwrap() == "k1"));
        assert_eq!(ring.source.asked(), 1);
    }
}

#[tokio::test]
async fn while_one_renews_others_use_what_still_holds() {
    let ring = Ring::new("old", Some(100));
    ring.after(90);
    let ids = futures::future::join_all((0..3).map(|_| ring.id())).await;
    let ids: Vec<String> = ids.into_iter().map(|id| id.unwrap()).collect();
    assert_eq!(ids, ["k1", "old", "old"]);
    assert_eq!(ring.source.asked(), 1);
}

#[tokio::test]
async fn a_renewal_that_fails_matters_only_once_keys_have_ended() {
    let ring = Ring::new("old", Some(100));
    ring.fails(Some(Error::new(ErrorKind::Unavailable, "no catalog")));
    ring.after(90);
    assert_eq!(ring.id().await.unwrap(), "old");
    assert_eq!(ring.id().await.unwrap(), "old");
    assert_eq!(ring.source.asked(), 1);
    ring.after(20);
    let errors = futures::future::join_all((0..3).map(|_| ring.id())).await;
    for error in errors {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("no catalog"), "{error}");
    }
    assert_eq!(ring.source.asked(), 2);
    ring.fails(None);
    assert_eq!(ring.id().await.unwrap(), "k3");
}

#[tokio::test]
async fn new_keys_are_used_whatever_the_clock_says() {
    let ring = Ring::with_next("old", Some(0), Some(UNIX_EPOCH));
    for expected in ["k1", "k1", "k2", "k2"] {
        assert_eq!(ring.id().await.unwrap(), expected);
        ring.after(3);
    }
}

#[tokio::test]
async fn a_request_with_old_keys_is_made_once_more() {
    let fake = FakeS3::start().await;
    let (storage, source) = table(&fake);
    fake.will([Reply::Error(403, "ExpiredToken"), Reply::Content]);
    assert_eq!(storage.read("s3://b/t/f").await.unwrap(), content());
    let asked = fake.asked();
    let signed: Vec<&str> = asked.iter().map(|asked| asked.signed_by()).collect();
    assert_eq!((signed, source.asked()), (vec!["k", "k1"], 1));

    fake.always(Reply::Error(400, "ExpiredToken"));
    let error = storage.read("s3://b/t/f").await.unwrap_err();
    assert_eq!((error.kind(), fake.asked().len()), (ErrorKind::Forbidden, 2));
    assert!(error.to_string().contains("400 ExpiredToken"), "{error}");
    check_clean(&error.to_string());

    fake.always(Reply::Error(403, "AccessDenied"));
    storage.read("s3://b/t/f").await.unwrap_err();
    assert_eq!((source.asked(), fake.asked().len()), (2, 1));
}

#[tokio::test]
async fn no_keys_means_no_request() {
    let fake = FakeS3::start().await;
    let mut first = scope(&fake, "s3://b/t", "k");
    first.keys.access_key_id.clear();
    let source = Source::new(Vec::new());
    let storage = storage("s3://b/t", vec![first], Arc::clone(&source));
    let error = storage.read("s3://b/t/f").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    *source.failing.lock().unwrap() = Some(Error::new(ErrorKind::Unauthenticated, "login is over"));
    let error = storage.read("s3://b/t/f").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("login is over"), "{error}");
    assert!(fake.asked().is_empty());
}
