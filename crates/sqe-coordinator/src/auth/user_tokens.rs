//! The tokens of a session, renewed before they end. A renewal goes on when the statement that began
//! it is cancelled: a provider that gives a new refresh token takes back the old one, so that an
//! answer which nobody reads would end the login.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sqe_engine::{Error, ErrorKind, Result};
use sqe_iceberg::token::TokenSource;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;
use tracing::debug;

use super::tasks::Tasks;
use super::token_endpoint::{Granted, Login, TokenEndpoint};

/// A token that is used for less than this is renewed before: requests take time, and clocks differ.
const MARGIN: Duration = Duration::from_secs(30);

/// The tokens of one user.
#[derive(Debug)]
pub(crate) struct UserTokens {
    /// Where tokens come from; `None` for one that the client brought.
    origin: Option<Arc<Origin>>,
    // Held while tokens are renewed, so that many requests at once renew them once.
    current: Arc<Mutex<Current>>,
    renewals: Tasks,
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
    /// When and why they could not be renewed, if it was tried.
    failed: Option<(Instant, Error)>,
}

impl Current {
    fn of(granted: Granted) -> Self {
        let now = Instant::now();
        let times = |life: Duration| (now + life.saturating_sub(MARGIN.min(life / 4)), now + life);
        Self {
            access: granted.access,
            refresh: granted.refresh,
            renew_and_end: granted.life.map(times),
            failed: None,
        }
    }

    fn is_due(&self) -> bool {
        self.renew_and_end.is_some_and(|(renew, _)| renew <= Instant::now())
    }

    fn is_over(&self) -> bool {
        self.renew_and_end.is_some_and(|(_, end)| end <= Instant::now())
    }

    fn is(&self, access: &SecretString) -> bool {
        self.access.expose_secret() == access.expose_secret()
    }

    fn failed_since(&self, asked: Instant) -> bool {
        self.failed.as_ref().is_some_and(|(failed, _)| *failed >= asked)
    }
}

impl Origin {
    async fn renew(&self, current: &mut Current) {
        let granted = match (&current.refresh, &self.login) {
            (Some(refresh), _) => self.endpoint.refresh(refresh).await,
            (None, Some(login)) => self.endpoint.log_in(login).await,
            (None, None) => return,
        };
        match granted {
            Ok(mut granted) => {
                // A provider that keeps the refresh token does not repeat it.
                granted.refresh = granted.refresh.or_else(|| current.refresh.take());
                *current = Current::of(granted);
            }
            Err(error) => {
                debug!(%error, "the tokens of a session cannot be renewed");
                current.failed = Some((Instant::now(), error));
            }
        }
    }
}

impl UserTokens {
    /// The tokens of a login. Errors: `Unauthenticated` for a wrong one, `Unavailable`.
    pub(super) async fn log_in(endpoint: Arc<TokenEndpoint>, login: Login) -> Result<Self> {
        let granted = endpoint.log_in(&login).await?;
        // A password is not kept: what it is worth ends with the provider's session.
        let login = Some(login).filter(|login| matches!(login, Login::ClientCredentials { .. }));
        Ok(Self::new(Some(Origin { endpoint, login }), granted))
    }

    /// A token that the client brought, which nobody here can renew.
    pub(super) fn of_bearer(token: SecretString, life: Option<Duration>) -> Self {
        Self::new(None, Granted { access: token, life, refresh: None })
    }

    fn new(origin: Option<Origin>, granted: Granted) -> Self {
        let current = Arc::new(Mutex::new(Current::of(granted)));
        Self { origin: origin.map(Arc::new), current, renewals: Tasks::default() }
    }

    /// Takes over the token of `newer`, which the same user brought later.
    pub(super) async fn take_over(&self, newer: &Self) {
        let newer = newer.current.lock().await;
        let mut current = self.current.lock().await;
        if !current.is(&newer.access) {
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

    /// The tokens, renewed where `is_due` says so and it can be done. What still lasts is used as
    /// long as it does. Errors: those of [`TokenSource::token`].
    async fn renewed(
        &self,
        is_due: impl Fn(&Current) -> bool,
    ) -> sqe_iceberg::Result<OwnedMutexGuard<Current>> {
        let asked = Instant::now();
        let mut current = Arc::clone(&self.current).lock_owned().await;
        let Some(origin) = self.origin.as_ref().filter(|_| is_due(&current)) else {
            return Ok(current);
        };
        // Who waited for a renewal that failed has the answer.
        if !current.failed_since(asked) {
            let origin = Arc::clone(origin);
            let renewal = self.renewals.run(async move {
                origin.renew(&mut current).await;
                current
            });
            let broken = || unavailable("the renewal of the login broke off");
            current = renewal.await.ok_or_else(broken)?;
        }
        match &current.failed {
            Some((_, error)) if error.kind == ErrorKind::Unauthenticated => Err(over()),
            Some((_, error)) if current.is_over() => Err(unavailable(&error.message)),
            _ => Ok(current),
        }
    }
}

fn over() -> sqe_iceberg::Error {
    let message = "the login is over; log in again";
    sqe_iceberg::Error::new(sqe_iceberg::ErrorKind::Unauthenticated, message)
}

fn unavailable(message: &str) -> sqe_iceberg::Error {
    sqe_iceberg::Error::new(sqe_iceberg::ErrorKind::Unavailable, message)
}

#[async_trait]
impl TokenSource for UserTokens {
    async fn token(&self) -> sqe_iceberg::Result<Option<SecretString>> {
        let current = self.renewed(Current::is_due).await?;
        match current.is_over() {
            true => Err(over()),
            false => Ok(Some(current.access.clone())),
        }
    }

    async fn replace(&self, refused: &SecretString) -> sqe_iceberg::Result<Option<SecretString>> {
        let current = self.renewed(|current| current.is(refused)).await?;
        Ok((!current.is(refused)).then(|| current.access.clone()))
    }
}
