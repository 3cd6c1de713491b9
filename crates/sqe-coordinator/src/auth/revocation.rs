//! Whether the token that opened a session was revoked since.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use sqe_engine::Result;
use tokio::time::Instant;

use super::keys::Keys;
use crate::connection::VERIFIED;

/// A token whose issuer is asked again and again, as it is for one that comes with each call.
#[derive(Debug)]
pub(super) struct Revocation {
    keys: Arc<Keys>,
    token: SecretString,
    /// When it was asked last whether the token holds, and it did.
    held: Mutex<Instant>,
}

impl Revocation {
    /// Of a token that the issuer was just asked about.
    pub(super) fn new(keys: Arc<Keys>, token: SecretString) -> Self {
        Self { keys, token, held: Mutex::new(Instant::now()) }
    }

    /// Whether the token still holds. Errors: `Unavailable`.
    pub(super) async fn holds(&self) -> Result<bool> {
        if self.held().elapsed() < VERIFIED {
            return Ok(true);
        }
        let asked = Instant::now();
        let holds = self.keys.is_active(&self.token).await?;
        if holds {
            *self.held() = asked;
        }
        Ok(holds)
    }

    fn held(&self) -> MutexGuard<'_, Instant> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
