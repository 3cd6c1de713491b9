//! The tokens of a session, renewed before they end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sqe_engine::Result;
use sqe_iceberg::token::TokenSource;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::debug;

use super::token_endpoint::{Granted, Login, TokenEndpoint};

/// A token that is used for less than this is renewed before: requests take time, and clocks differ.
const MARGIN: Duration = Duration::from_secs(30);

/// The tokens of one user.
#[derive(Debug)]
pub(crate) struct UserTokens {
    /// Where tokens come from; `None` for one that the client brought.
    origin: Option<Origin>,
    // Held while tokens are renewed, so that many requests at once renew them once.
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Origin {
    endpoint: Arc<TokenEndpoint>,
    /// A login that can be repeated.
    login: Option<Login>,
}

#[derive(Debug)]
struct Current {
    access: SecretString,
    refresh: Option<SecretString>,
    /// From when on the token shall be renewed, and when it ends.
    renew_and_end: Option<(Instant, Instant)>,
}

impl Current {
    fn of(granted: Granted) -> Self {
        let now = Instant::now();
        let times = |life: Duration| (now + life.saturating_sub(MARGIN.min(life / 4)), now + life);
        Self {
            access: granted.access,
            refresh: granted.refresh,
            renew_and_end: granted.life.map(times),
        }
    }

    fn is_due(&self) -> bool {
        self.renew_and_end.is_some_and(|(renew, _)| renew <= Instant::now())
    }

    fn is_over(&self) -> bool {
        self.renew_and_end.is_some_and(|(_, end)| end <= Instant::now())
    }
}

impl UserTokens {
    /// The tokens of a login. Errors: `Unauthenticated` for a wrong one, `Unavailable`.
    pub(super) async fn log_in(endpoint: Arc<TokenEndpoint>, login: Login) -> Result<Self> {
        let current = Mutex::new(Current::of(endpoint.log_in(&login).await?));
        // A password is not kept: what it is worth ends with the provider's session.
        let login = Some(login).filter(|login| matches!(login, Login::ClientCredentials { .. }));
        Ok(Self { origin: Some(Origin { endpoint, login }), current })
    }

    /// A token that the client brought, which nobody here can renew.
    pub(super) fn of_bearer(token: SecretString, life: Option<Duration>) -> Self {
        let current = Current::of(Granted { access: token, life, refresh: None });
        Self { origin: None, current: Mutex::new(current) }
    }

    /// Takes over the token of `newer`, which the same user brought later.
    pub(super) async fn take_over(&self, newer: &Self) {
        let newer = newer.current.lock().await;
        let mut current = self.current.lock().await;
        if current.access.expose_secret() != newer.access.expose_secret() {
            current.access = newer.access.clone();
            current.renew_and_end = newer.renew_and_end;
        }
    }

    /// What an access token that came from the provider itself says, if it is a JWT.
    pub(super) async fn claims(&self) -> Map<String, Value> {
        let current = self.current.lock().await;
        let claims =
            jsonwebtoken::dangerous::insecure_decode_claims(current.access.expose_secret());
        claims.unwrap_or_default()
    }

    async fn renew(&self, current: &mut Current) -> sqe_iceberg::Result<()> {
        let Some(origin) = &self.origin else { return Ok(()) };
        let granted = match (&current.refresh, &origin.login) {
            (Some(refresh), _) => origin.endpoint.refresh(refresh).await,
            (None, Some(login)) => origin.endpoint.log_in(login).await,
            (None, None) => return Ok(()),
        };
        match granted {
            Ok(mut granted) => {
                // A provider that keeps the refresh token does not repeat it.
                granted.refresh = granted.refresh.or_else(|| current.refresh.take());
                *current = Current::of(granted);
                Ok(())
            }
            // What still lasts is used as long as it does.
            Err(error)
                if error.kind != sqe_engine::ErrorKind::Unauthenticated && !current.is_over() =>
            {
                debug!(%error, "the tokens of a session cannot be renewed yet");
                Ok(())
            }
            Err(error) if error.kind == sqe_engine::ErrorKind::Unauthenticated => Err(over()),
            Err(error) => {
                Err(sqe_iceberg::Error::new(sqe_iceberg::ErrorKind::Unavailable, error.message))
            }
        }
    }
}

fn over() -> sqe_iceberg::Error {
    let message = "the login is over; log in again";
    sqe_iceberg::Error::new(sqe_iceberg::ErrorKind::Unauthenticated, message)
}

#[async_trait]
impl TokenSource for UserTokens {
    async fn token(&self) -> sqe_iceberg::Result<Option<SecretString>> {
        let mut current = self.current.lock().await;
        if current.is_due() {
            self.renew(&mut current).await?;
        }
        match current.is_over() {
            true => Err(over()),
            false => Ok(Some(current.access.clone())),
        }
    }

    async fn replace(&self, refused: &SecretString) -> sqe_iceberg::Result<Option<SecretString>> {
        let mut current = self.current.lock().await;
        if current.access.expose_secret() == refused.expose_secret() {
            self.renew(&mut current).await?;
        }
        let replaced = current.access.expose_secret() != refused.expose_secret();
        Ok(replaced.then(|| current.access.clone()))
    }
}
