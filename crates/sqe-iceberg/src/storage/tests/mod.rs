//! Tests against a server that does what it is told, also what no good one does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use object_store::{BackoffConfig, RetryConfig};

use super::{KeySource, Limits, Manners, S3Endpoint, S3Keys, S3Location, S3Scope, Storage};
use crate::{Error, Result};

pub(crate) mod fake;
mod faults;
mod files;
mod grants;
mod metrics;
mod renewal;
mod routing;
mod uploads;

use fake::FakeS3;

const RETRIES: usize = 3;
const STALL: Duration = Duration::from_millis(300);

fn keys(id: &str, expires_at: Option<SystemTime>) -> S3Keys {
    S3Keys {
        access_key_id: id.to_owned(),
        secret_access_key: format!("secret-of-{id}").into(),
        session_token: Some(format!("token-of-{id}").into()),
        expires_at,
    }
}

fn scope(fake: &FakeS3, prefix: &str, id: &str) -> S3Scope {
    let endpoint = S3Endpoint { url: Some(fake.url.clone()), region: None, path_style: true };
    S3Scope { prefix: prefix.to_owned(), endpoint, keys: keys(id, None) }
}

/// Gives keys with ids that are counted, or an error.
pub(crate) struct Source {
    scopes: Vec<S3Scope>,
    /// When the keys it gives end.
    ends_at: Option<SystemTime>,
    asked: AtomicUsize,
    failing: std::sync::Mutex<Option<Error>>,
}

impl Source {
    fn new(scopes: Vec<S3Scope>) -> Arc<Self> {
        Arc::new(Self {
            scopes,
            ends_at: None,
            asked: AtomicUsize::new(0),
            failing: std::sync::Mutex::default(),
        })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}

#[async_trait]
impl KeySource for Source {
    async fn renew(&self) -> Result<Vec<S3Scope>> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        // Others come while it takes its time.
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Some(error) = self.failing.lock().unwrap().as_ref() {
            return Err(Error::new(error.kind(), error.message()));
        }
        let with_keys = self.scopes.iter().cloned().map(|mut scope| {
            scope.keys = keys(&format!("{}{number}", scope.keys.access_key_id), self.ends_at);
            scope
        });
        Ok(with_keys.collect())
    }
}

/// Of somebody without patience.
fn manners() -> Manners {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(5),
        base: 2.,
    };
    Manners {
        limits: Limits { connect: Duration::from_secs(1), stall: STALL },
        retry: RetryConfig {
            backoff,
            max_retries: RETRIES,
            retry_timeout: Duration::from_secs(10),
        },
        ..Manners::default()
    }
}

fn storage(location: &str, scopes: Vec<S3Scope>, source: Arc<Source>) -> Storage {
    let location = S3Location::parse(location).unwrap();
    Storage::s3_with(super::new_id(), Some(location), scopes, source, manners()).unwrap()
}

/// One table with one scope of its own, whose first keys are `k`.
pub(crate) fn table(fake: &FakeS3) -> (Storage, Arc<Source>) {
    let scopes = vec![scope(fake, "s3://b/t", "k")];
    let source = Source::new(scopes.clone());
    (storage("s3://b/t", scopes, Arc::clone(&source)), source)
}

/// Fails if a text has anything of keys or of what a store said beyond its code.
pub(crate) fn check_clean(text: &str) {
    for secret in ["secret-of", "token-of", "TELLTALE", "Signature", "AWS4", "X-Amz", "http://"] {
        assert!(!text.contains(secret), "{secret} is in: {text}");
    }
}
