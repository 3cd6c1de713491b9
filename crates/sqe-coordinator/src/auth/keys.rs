//! The public keys of an issuer as they were read last, read again before they are too old and when
//! a token names a key that is not among them.
//!
//! Who knows the key of a token waits for nobody: what is known is locked for a moment only, and
//! keys are read beside it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use sqe_engine::{Error, ErrorKind, Result};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;
use tracing::debug;
use url::Url;

use super::issuer::Issuer;
use super::jwk::Key;
use super::tasks::Tasks;

/// Tokens with invented keys make no more requests than this.
const PAUSE: Duration = Duration::from_secs(10);
/// Keys that the issuer no longer publishes are believed for so long.
const LIFE: Duration = Duration::from_secs(3600);

/// What an issuer publishes.
pub(super) struct Published {
    pub(super) keys: HashMap<Option<String>, Key>,
    pub(super) introspection: Option<Url>,
}

/// The keys of one issuer.
pub(super) struct Keys {
    shared: Arc<Shared>,
    // Held while keys are read, so that they are read once for many requests.
    reading: Arc<AsyncMutex<()>>,
    reads: Tasks,
    pub(super) pause: Duration,
    pub(super) life: Duration,
}

struct Shared {
    issuer: Arc<Issuer>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// What was read last, and when.
    read: Option<(Instant, Published)>,
    /// When and why nothing could be read since.
    failed: Option<(Instant, Error)>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("issuer", &self.shared.issuer).finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn new(issuer: Arc<Issuer>) -> Self {
        let shared = Arc::new(Shared { issuer, known: Mutex::default() });
        let (reading, reads) = (Arc::default(), Tasks::default());
        Self { shared, reading, reads, pause: PAUSE, life: LIFE }
    }

    /// The key of an id, or the only key for tokens that name none.
    /// Errors: `Unavailable` where the key is not known and the issuer did not answer since.
    pub(super) async fn get(&self, id: Option<&str>) -> Result<Option<Key>> {
        let asked = Instant::now();
        let found = self.known().find(id, self.life);
        if found.is_some() {
            self.read_ahead();
            return Ok(found);
        }
        let reading = Arc::clone(&self.reading).lock_owned().await;
        // Who waited for others to read has the answer.
        if self.known().tried().is_none_or(|tried| tried < asked) && self.may_read() {
            let read = self.reads.run(Arc::clone(&self.shared).read(reading)).await;
            let broken = || Error::new(ErrorKind::Unavailable, "reading the keys broke off");
            read.ok_or_else(broken)?;
        }
        let known = self.known();
        match (known.find(id, self.life), &known.failed) {
            (None, Some((_, error))) => Err(error.clone()),
            (key, _) => Ok(key),
        }
    }

    /// Whether the issuer is to be asked about tokens.
    pub(super) fn introspects(&self) -> bool {
        self.shared.issuer.introspects()
    }

    /// Whether a token still holds, if the issuer is to be asked. Errors: `Unavailable`.
    pub(super) async fn is_active(&self, token: &SecretString) -> Result<bool> {
        let endpoint = self.known().read.as_ref().and_then(|(_, read)| read.introspection.clone());
        self.shared.issuer.is_active(endpoint, token).await
    }

    /// Reads keys that will be too old soon, while they still serve.
    fn read_ahead(&self) {
        let age = self.known().read.as_ref().map(|(read, _)| read.elapsed());
        if age.is_some_and(|age| age >= self.life / 2)
            && self.may_read()
            && let Ok(reading) = Arc::clone(&self.reading).try_lock_owned()
        {
            self.reads.spawn(Arc::clone(&self.shared).read(reading));
        }
    }

    /// Whether the last try is long enough ago. Where nothing was ever read everybody tries, one
    /// after the other.
    fn may_read(&self) -> bool {
        let known = self.known();
        known.read.is_none() || known.tried().is_none_or(|tried| tried.elapsed() >= self.pause)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.shared.known()
    }
}

impl Shared {
    async fn read(self: Arc<Self>, _reading: OwnedMutexGuard<()>) {
        let read = self.issuer.read().await;
        let now = Instant::now();
        let mut known = self.known();
        match read {
            Ok(published) => {
                *known = Known { read: Some((now, published)), failed: None };
            }
            Err(error) => {
                debug!(%error, "the keys of the issuer cannot be read");
                known.failed = Some((now, error));
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn find(&self, id: Option<&str>, life: Duration) -> Option<Key> {
        let (_, Published { keys, .. }) =
            self.read.as_ref().filter(|(read, _)| read.elapsed() < life)?;
        match id {
            Some(id) => keys.get(&Some(id.to_owned())).cloned(),
            None if keys.len() == 1 => keys.values().next().cloned(),
            None => None,
        }
    }

    /// When it was tried to read them last.
    fn tried(&self) -> Option<Instant> {
        let read = self.read.as_ref().map(|(read, _)| *read);
        read.max(self.failed.as_ref().map(|(failed, _)| *failed))
    }
}
