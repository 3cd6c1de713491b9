//! From the headers of a request to the session it belongs to.
//!
//! Only this module reads the `authorization` header. A handshake turns credentials into a token
//! of our own, which stands for a session; calls with other credentials belong to the session that
//! these opened on their connection. Who may come in is decided by a chain of providers, one file
//! each.

mod anonymous;
mod attempts;
mod client_credentials;
mod credentials;
mod hash;
mod http;
mod issuer;
mod jwk;
mod jwt;
mod keys;
mod opaque;
mod password;
mod provider;
mod revocation;
mod sessions;
mod tasks;
mod token_endpoint;
mod user_tokens;

use std::sync::Arc;

use secrecy::SecretString;
use sqe_engine::{Engine, Error, ErrorKind, Result};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Status};
use tracing::debug;

use self::attempts::Attempts;
use self::credentials::Credentials;
pub(crate) use self::hash::{Hash, hash};
use self::hash::{hash_of_login, hex};
use self::provider::{LoggedIn, Provider};
pub(crate) use self::sessions::Sessions;
pub(crate) use self::user_tokens::UserTokens;
use crate::connection::{Connection, Held};
use crate::flight::status;
use crate::options::AuthOptions;
use crate::session::ClientSession;

/// Decides who may come in.
#[derive(Debug)]
pub(crate) struct Authenticator {
    engine: Engine,
    chain: Vec<Arc<dyn Provider>>,
    attempts: Attempts,
    sessions: Arc<Sessions>,
}

impl Authenticator {
    /// Errors: a way to log in that cannot be set up.
    pub(crate) fn new(
        engine: Engine,
        options: &AuthOptions,
        sessions: Arc<Sessions>,
    ) -> Result<Self> {
        let chain = provider::chain(options)?;
        let attempts = Attempts::new(options.failures_per_minute);
        Ok(Self { engine, chain, attempts, sessions })
    }

    /// The session of a call.
    pub(crate) async fn authenticate(
        &self,
        headers: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<Arc<ClientSession>, Status> {
        let credentials = credentials::of(headers)?;
        let session = match credentials.own_token() {
            Some(token) => self.of_own_token(token).await,
            None => self.of_connection(&credentials, extensions).await,
        };
        let session = session.map_err(|error| status::of(&error, None))?;
        session.touch();
        Ok(session)
    }

    /// The token that a client may send from now on.
    pub(crate) async fn handshake(
        &self,
        headers: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<SecretString, Status> {
        let credentials = credentials::of(headers)?;
        if let Some(token) = credentials.own_token() {
            let session =
                self.of_own_token(token).await.map_err(|error| status::of(&error, None))?;
            session.touch();
            return Ok(token.clone());
        }
        let opened = async {
            let logged_in = self.log_in(&credentials, Connection::of(extensions)).await?;
            let session = self.engine.session(logged_in.identity());
            self.sessions.open_with_token(session, logged_in)
        };
        let (token, session) = opened.await.map_err(|error| status::of(&error, None))?;
        debug!(user = session.user(), session = %session.id(), "session opened");
        Ok(token)
    }

    /// The session that a token of our own stands for. Errors: `Unauthenticated` where it is over:
    /// no provider is asked about such a token, because one that can only pass tokens on would;
    /// `Unavailable` where nobody can say whether the user's own token was revoked.
    async fn of_own_token(&self, token: &SecretString) -> Result<Arc<ClientSession>> {
        let session = self.sessions.by_token(token).ok_or_else(unknown_token)?;
        if let Some(revocation) = self.sessions.revocation(session.id())
            && !revocation.holds().await?
        {
            self.sessions.close(session.id());
            return Err(unknown_token());
        }
        Ok(session)
    }

    async fn of_connection(
        &self,
        credentials: &Credentials,
        extensions: &Extensions,
    ) -> Result<Arc<ClientSession>> {
        let connection = Connection::of(extensions)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "the request has no connection"))?;
        // A token ends, also one that comes as a password, so that it is looked at again and again.
        if let Some(token) = credentials.token() {
            let token = hash(token);
            if let Some(session) = connection.verified(&token) {
                return Ok(session);
            }
            let logged_in = self.log_in(credentials, Some(connection)).await?;
            let login = logged_in.principal.clone();
            let session = self.session_of(logged_in, login, false, connection).await?;
            connection.verify(token, &session);
            return Ok(session);
        }
        let login = match credentials {
            Credentials::Basic { user, password } => {
                format!("basic {}", hex(&hash_of_login(user, password)))
            }
            Credentials::Absent | Credentials::Bearer(_) => "nobody".to_owned(),
        };
        if let Some(held) = connection.held(&login)? {
            return Ok(held.session);
        }
        let logged_in = self.log_in(credentials, Some(connection)).await?;
        // A password is looked at once, and may be changed.
        let expires = matches!(credentials, Credentials::Basic { .. });
        self.session_of(logged_in, login, expires, connection).await
    }

    async fn session_of(
        &self,
        logged_in: LoggedIn,
        login: String,
        expires: bool,
        connection: &Arc<Connection>,
    ) -> Result<Arc<ClientSession>> {
        if let Some(held) = connection.held(&login)? {
            // A client that renews its token goes on in its session.
            if let (Some(held), Some(brought)) = (&held.tokens, &logged_in.tokens) {
                held.take_over(brought).await;
            }
            return Ok(held.session);
        }
        let session = self.engine.session(logged_in.identity());
        let session = self.sessions.open(session, &logged_in.principal, expires)?;
        let opened = Held { session, tokens: logged_in.tokens };
        Ok(connection.hold(login, opened).session)
    }

    /// Asks the providers. Errors: `Unauthenticated`, `Unavailable`, and `ResourceExhausted` after
    /// too many wrong logins.
    async fn log_in(
        &self,
        credentials: &Credentials,
        connection: Option<&Arc<Connection>>,
    ) -> Result<LoggedIn> {
        let attempt = match credentials {
            // Nobody guesses a token, and all tokens come under one name.
            Credentials::Basic { user, .. } if credentials.token().is_none() => {
                let peer = connection.and_then(|connection| connection.peer());
                Some(self.attempts.begin(user, peer).await?)
            }
            Credentials::Absent | Credentials::Basic { .. } | Credentials::Bearer(_) => None,
        };
        let asked = self.ask(credentials).await;
        let wrong = asked.as_ref().is_err_and(|error| error.kind == ErrorKind::Unauthenticated);
        if let Some(attempt) = attempt.filter(|_| !wrong) {
            attempt.excuse();
        }
        if let Some(logged_in) = asked? {
            return Ok(logged_in);
        }
        Err(match credentials {
            Credentials::Bearer(_) => unknown_token(),
            Credentials::Absent | Credentials::Basic { .. } => {
                Error::new(ErrorKind::Unauthenticated, "a login is required")
            }
        })
    }

    /// The answer of the first provider that reads such credentials.
    async fn ask(&self, credentials: &Credentials) -> Result<Option<LoggedIn>> {
        for provider in &self.chain {
            if let Some(logged_in) = provider.login(credentials).await? {
                return Ok(Some(logged_in));
            }
        }
        Ok(None)
    }
}

fn unknown_token() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the token is unknown or expired")
}

#[cfg(test)]
mod tests;
