//! Wrong logins are counted by name and address, and after too many of them nobody is asked any
//! more for a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqe_engine::{Error, ErrorKind, Result};
use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(60);
/// Whoever invents names fills the table no further.
const MAX_ENTRIES: usize = 100_000;

/// The wrong logins of the last minute.
#[derive(Debug)]
pub(super) struct Attempts {
    per_minute: u32,
    failures: Mutex<HashMap<Who, Failures>>,
}

/// A name and the address of the client, where it is known.
pub(super) type Who = (String, Option<IpAddr>);

#[derive(Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Attempts {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, failures: Mutex::default() }
    }

    /// Errors: `ResourceExhausted` where `who` was wrong too often.
    pub(super) fn check(&self, who: &Who, now: Instant) -> Result<()> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.get(who) {
            Some(failed) if failed.count >= self.per_minute && now < failed.since + WINDOW => {
                let message = format!("{} logins in a minute were wrong", failed.count);
                Err(Error::new(ErrorKind::ResourceExhausted, message)
                    .with_hint("wait for a minute and try again"))
            }
            _ => Ok(()),
        }
    }

    /// Counts a wrong login.
    pub(super) fn failed(&self, who: Who, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MAX_ENTRIES {
            failures.retain(|_, failed| now.duration_since(failed.since) < WINDOW);
        }
        if failures.len() >= MAX_ENTRIES && !failures.contains_key(&who) {
            return;
        }
        let failed = failures.entry(who).or_insert(Failures { since: now, count: 0 });
        if now.duration_since(failed.since) >= WINDOW {
            *failed = Failures { since: now, count: 0 };
        }
        failed.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_wrong_logins_are_stopped_for_a_minute() {
        let attempts = Attempts::new(2);
        let (who, now) = (|name: &str| (name.to_owned(), None), Instant::now());
        attempts.failed(who("ada"), now);
        attempts.check(&who("ada"), now).unwrap();
        attempts.failed(who("ada"), now);
        let error = attempts.check(&who("ada"), now).unwrap_err();
        assert_eq!(error.kind, ErrorKind::ResourceExhausted);
        attempts.check(&who("bob"), now).unwrap();
        attempts.check(&who("ada"), now + WINDOW).unwrap();
    }
}
