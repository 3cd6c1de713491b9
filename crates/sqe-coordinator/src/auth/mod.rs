//! From the headers of a request to the session it belongs to.
//!
//! Only this module reads the `authorization` header. A handshake turns credentials into a token
//! of our own, which stands for a session; calls without a token belong to the session of their
//! connection.

mod credentials;
mod sessions;

use std::sync::Arc;

use sqe_engine::{Engine, Error, ErrorKind, Identity, Result};
use tonic::{Extensions, Request, Status};
use tracing::debug;

use crate::connection::Connection;
use crate::flight::status;
use crate::options::AuthOptions;
use crate::session::ClientSession;
use credentials::Credentials;
pub(crate) use sessions::Sessions;

/// Who a client is that gives no name.
const ANONYMOUS: &str = "anonymous";

/// Decides who may come in.
#[derive(Debug)]
pub(crate) struct Authenticator {
    engine: Engine,
    options: AuthOptions,
    sessions: Arc<Sessions>,
}

impl Authenticator {
    pub(crate) fn new(engine: Engine, options: AuthOptions, sessions: Arc<Sessions>) -> Self {
        Self { engine, options, sessions }
    }

    /// The session of a call.
    pub(crate) fn authenticate<T>(
        &self,
        request: &Request<T>,
    ) -> Result<Arc<ClientSession>, Status> {
        let session = match credentials::of(request.metadata())? {
            Credentials::Bearer(token) => self.by_token(&token)?,
            Credentials::Basic { user } => self.of_connection(&user, request.extensions())?,
            Credentials::Absent => self.of_connection(ANONYMOUS, request.extensions())?,
        };
        session.touch();
        Ok(session)
    }

    /// The token that a client may send from now on.
    pub(crate) fn handshake<T>(&self, request: &Request<T>) -> Result<String, Status> {
        let user = match credentials::of(request.metadata())? {
            Credentials::Bearer(token) => {
                self.by_token(&token)?.touch();
                return Ok(token);
            }
            Credentials::Basic { user } => user,
            Credentials::Absent => ANONYMOUS.to_owned(),
        };
        let identity = self.identity(&user)?;
        let opened = self.sessions.open_with_token(self.engine.session(identity));
        let (token, session) = opened.map_err(|error| status::of(&error, None))?;
        debug!(user, session = %session.id(), "session opened");
        Ok(token)
    }

    fn by_token(&self, token: &str) -> Result<Arc<ClientSession>, Status> {
        self.sessions
            .by_token(token)
            .ok_or_else(|| status::unauthenticated("the token is unknown or expired"))
    }

    fn of_connection(
        &self,
        user: &str,
        extensions: &Extensions,
    ) -> Result<Arc<ClientSession>, Status> {
        let identity = self.identity(user)?;
        let session = match Connection::of(extensions) {
            Some(connection) => {
                connection.session(user, || self.sessions.open(self.engine.session(identity)))
            }
            None => Err(Error::new(ErrorKind::Internal, "the request has no connection")),
        };
        session.map_err(|error| status::of(&error, None))
    }

    fn identity(&self, user: &str) -> Result<Identity, Status> {
        if !self.options.allow_anonymous {
            return Err(status::unauthenticated("a login is required"));
        }
        Ok(Identity { user: user.to_owned() })
    }
}

#[cfg(test)]
mod tests;
