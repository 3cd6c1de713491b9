//! Keys that are renewed before they end.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use secrecy::ExposeSecret;

use super::counters;
use super::credentials::{KeySource, S3Keys, S3Scope};
use super::fault::Fault;
use super::location::S3Location;
use crate::{Error, ErrorKind, Result};

/// Keys are renewed so long before their end, or a fifth of their life if that is shorter.
const MARGIN: Duration = Duration::from_secs(300);

/// New keys are used for so long whatever is said of their end: clocks differ.
const LEAST_USE: Duration = Duration::from_secs(5);

/// After a renewal that failed, old keys that still hold are used for so long.
const PAUSE: Duration = Duration::from_secs(5);

/// The time of day; another one in tests.
pub(super) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The keys of all scopes of one table for one user. One renewal is for all of them.
pub(super) struct KeyRing {
    source: Arc<dyn KeySource>,
    clock: Clock,
    held: Mutex<Held>,
    /// Held by who renews.
    renewing: tokio::sync::Mutex<()>,
}

struct Held {
    keys: Vec<Key>,
    /// Renewals so far, those that failed included.
    attempts: u64,
    /// What the last renewal failed with.
    failure: Option<Arc<Error>>,
}

struct Key {
    prefix: S3Location,
    credential: Option<Arc<AwsCredential>>,
    renew_at: Option<SystemTime>,
    ends_at: Option<SystemTime>,
}

enum State {
    Fresh(Arc<AwsCredential>),
    /// To be renewed, but good until then.
    Due(Arc<AwsCredential>),
    Ended,
}

impl Key {
    fn new(prefix: S3Location, keys: &S3Keys, now: SystemTime, least_use: Duration) -> Self {
        let credential = (!keys.access_key_id.is_empty()).then(|| {
            Arc::new(AwsCredential {
                key_id: keys.access_key_id.clone(),
                secret_key: keys.secret_access_key.expose_secret().to_owned(),
                token: keys.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
            })
        });
        let life = keys.expires_at.map(|end| end.duration_since(now).unwrap_or_default());
        let after = |life: Duration| now + life.max(least_use);
        Self {
            prefix,
            credential,
            renew_at: life.map(|life| after(life - MARGIN.min(life / 5))),
            ends_at: life.map(after),
        }
    }

    fn state(&self, now: SystemTime) -> State {
        let is_past = |moment: Option<SystemTime>| moment.is_some_and(|moment| now >= moment);
        match &self.credential {
            Some(keys) if !is_past(self.renew_at) => State::Fresh(Arc::clone(keys)),
            Some(keys) if !is_past(self.ends_at) => State::Due(Arc::clone(keys)),
            _ => State::Ended,
        }
    }
}

impl KeyRing {
    /// `scopes`: each with its prefix, in the order in which they are asked for.
    pub(super) fn new(
        scopes: &[(S3Location, S3Scope)],
        source: Arc<dyn KeySource>,
        clock: Clock,
    ) -> Self {
        let now = clock();
        let key = |(prefix, scope): &(S3Location, S3Scope)| {
            Key::new(prefix.clone(), &scope.keys, now, Duration::ZERO)
        };
        let keys = scopes.iter().map(key).collect();
        let held = Mutex::new(Held { keys, attempts: 0, failure: None });
        Self { source, clock, held, renewing: tokio::sync::Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // It is changed by whole values only.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys of a scope, renewed if it is time.
    async fn get(&self, scope: usize) -> Result<Arc<AwsCredential>, Arc<Error>> {
        let (state, attempts) = {
            let held = self.held();
            (held.keys[scope].state((self.clock)()), held.attempts)
        };
        let _renewing = match &state {
            State::Fresh(keys) => return Ok(Arc::clone(keys)),
            State::Due(keys) => match self.renewing.try_lock() {
                Ok(guard) => guard,
                Err(_) => return Ok(Arc::clone(keys)),
            },
            State::Ended => self.renewing.lock().await,
        };
        // Somebody else may have done it meanwhile, or have failed.
        {
            let held = self.held();
            if let State::Fresh(keys) = held.keys[scope].state((self.clock)()) {
                return Ok(keys);
            }
            if let Some(failure) = held.failure.as_ref().filter(|_| held.attempts > attempts) {
                return Err(Arc::clone(failure));
            }
        }
        let renewed = self.source.renew().await.and_then(with_prefixes);
        counters::renewal(renewed.is_ok());
        let now = (self.clock)();
        let mut held = self.held();
        held.attempts += 1;
        match renewed {
            Ok(scopes) => {
                held.failure = None;
                held.keys.iter_mut().for_each(|key| replace(key, &scopes, now));
                match held.keys[scope].state(now) {
                    State::Fresh(keys) | State::Due(keys) => Ok(keys),
                    State::Ended => Err(Arc::new(none_for(&held.keys[scope].prefix))),
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                held.failure = Some(Arc::clone(&error));
                match state {
                    State::Due(keys) => {
                        tracing::debug!(%error, "keys of a store are not renewed yet");
                        held.keys[scope].renew_at = Some(now + PAUSE);
                        Ok(keys)
                    }
                    _ => Err(error),
                }
            }
        }
    }

    /// The keys of a scope with their end, renewed if it is time. Errors: those of a renewal.
    pub(super) async fn fresh(&self, scope: usize) -> Result<S3Keys> {
        let given = self.get(scope).await.map_err(|error| {
            Error::new(error.kind(), format!("there are no keys to hand on: {}", error.message()))
        })?;
        let held = self.held();
        let key = &held.keys[scope];
        let keys = key.credential.as_ref().unwrap_or(&given);
        Ok(S3Keys {
            access_key_id: keys.key_id.clone(),
            secret_access_key: keys.secret_key.as_str().into(),
            session_token: keys.token.as_deref().map(Into::into),
            expires_at: key.ends_at,
        })
    }

    /// The keys of a scope as they are.
    pub(super) fn current(&self, scope: usize) -> Option<Arc<AwsCredential>> {
        self.held().keys[scope].credential.clone()
    }

    /// The store no longer takes `refused`: the next request gets others.
    pub(super) fn refuse(&self, scope: usize, refused: Option<&Arc<AwsCredential>>) {
        let key = &mut self.held().keys[scope];
        if key.credential.as_ref().zip(refused).is_some_and(|(own, other)| Arc::ptr_eq(own, other))
        {
            key.credential = None;
        }
    }
}

pub(super) fn with_prefixes(scopes: Vec<S3Scope>) -> Result<Vec<(S3Location, S3Scope)>> {
    scopes.into_iter().map(|scope| Ok((S3Location::parse(&scope.prefix)?, scope))).collect()
}

/// Takes the new keys of the same prefix or of the longest around it; keys that there are no new
/// ones for stay until their end.
fn replace(key: &mut Key, scopes: &[(S3Location, S3Scope)], now: SystemTime) {
    let around = scopes.iter().filter(|(prefix, _)| prefix.contains(&key.prefix));
    let nearest = around.max_by_key(|(prefix, _)| prefix.key.as_ref().len());
    match nearest {
        Some((_, scope)) => *key = Key::new(key.prefix.clone(), &scope.keys, now, LEAST_USE),
        None => key.renew_at = key.renew_at.map(|at| at.max(now + PAUSE)),
    }
}

fn none_for(prefix: &S3Location) -> Error {
    let message = format!("the catalog no longer gives keys for {prefix}");
    Error::new(ErrorKind::Forbidden, message)
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("source", &self.source).finish_non_exhaustive()
    }
}

/// The keys of one scope, as `object_store` asks for them before each request.
#[derive(Debug, Clone)]
pub(super) struct ScopeKeys {
    pub(super) ring: Arc<KeyRing>,
    /// Which one of the ring.
    pub(super) scope: usize,
}

#[async_trait]
impl CredentialProvider for ScopeKeys {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        self.ring.get(self.scope).await.map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: Box::new(Fault::NoKeys(error)),
        })
    }
}
