//! All open sessions, by token and by id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use sqe_engine::{Error, ErrorKind, Result, Session};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hash::{Hash, hash};
use super::provider::LoggedIn;
use super::revocation::Revocation;
use crate::options::SessionLimits;
use crate::session::ClientSession;

/// What tokens of our own begin with, so that none is ever taken for a token of somebody else.
pub(super) const OWN_TOKEN: &str = "sqe_";

/// The table of sessions. A session expires, unless its client has nothing to prove or proves it
/// with each call; one without a token of our own belongs to a connection, which closes it.
#[derive(Debug)]
pub(crate) struct Sessions {
    limits: SessionLimits,
    server_stop: CancellationToken,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    by_id: HashMap<Uuid, Entry>,
    by_token: HashMap<Hash, Uuid>,
}

struct Entry {
    session: Arc<ClientSession>,
    token: Option<Hash>,
    revocation: Option<Arc<Revocation>>,
}

/// Shows no tokens.
impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} sessions", self.by_id.len())
    }
}

impl Sessions {
    pub(crate) fn new(limits: SessionLimits, server_stop: CancellationToken) -> Self {
        Self { limits, server_stop, tables: Mutex::default() }
    }

    /// Adds a session that lives until it is closed, or until it `expires`.
    pub(crate) fn open(
        &self,
        engine: Session,
        principal: &str,
        expires: bool,
    ) -> Result<Arc<ClientSession>> {
        let mut limits = self.limits.clone();
        if !expires {
            (limits.idle, limits.absolute) = (Duration::MAX, Duration::MAX);
        }
        let stop = self.server_stop.clone();
        self.add(ClientSession::new(engine, principal, None, limits, stop), None, None)
    }

    /// Adds a session that is found by the token that comes with it, until it expires or its
    /// login ends.
    pub(super) fn open_with_token(
        &self,
        engine: Session,
        logged_in: LoggedIn,
    ) -> Result<(SecretString, Arc<ClientSession>)> {
        let token = new_token();
        let (limits, stop) = (self.limits.clone(), self.server_stop.clone());
        let LoggedIn { principal, ends, revocation, .. } = logged_in;
        let session = ClientSession::new(engine, &principal, ends, limits, stop);
        let session = self.add(session, Some(hash(&token)), revocation)?;
        Ok((token, session))
    }

    /// The session of a token, if its time is not over.
    pub(crate) fn by_token(&self, token: &SecretString) -> Option<Arc<ClientSession>> {
        let mut tables = self.lock();
        let id = *tables.by_token.get(&hash(token))?;
        tables.live(id)
    }

    /// How to learn whether the token that opened a session was revoked.
    pub(super) fn revocation(&self, id: Uuid) -> Option<Arc<Revocation>> {
        self.lock().by_id.get(&id)?.revocation.clone()
    }

    /// The session with an id, if its time is not over.
    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<ClientSession>> {
        self.lock().live(id)
    }

    /// Ends a session and everything it runs.
    pub(crate) fn close(&self, id: Uuid) {
        self.lock().remove(id);
    }

    /// Removes the sessions whose time is over at `now`.
    pub(crate) fn sweep(&self, now: Instant) {
        self.lock().sweep(now);
    }

    /// How many statements all sessions run.
    pub(crate) fn running(&self) -> usize {
        let tables = self.lock();
        let entries = tables.by_id.values();
        entries.map(|entry| entry.session.running()).sum()
    }

    fn add(
        &self,
        session: ClientSession,
        token: Option<Hash>,
        revocation: Option<Revocation>,
    ) -> Result<Arc<ClientSession>> {
        let mut tables = self.lock();
        let limit = self.limits.max_sessions;
        if tables.by_id.len() >= limit {
            tables.sweep(Instant::now());
        }
        if tables.by_id.len() >= limit {
            let message = format!("{limit} sessions are open, which is the limit");
            return Err(Error::new(ErrorKind::ResourceExhausted, message));
        }
        let session = Arc::new(session);
        if let Some(token) = token {
            tables.by_token.insert(token, session.id());
        }
        let revocation = revocation.map(Arc::new);
        let entry = Entry { session: Arc::clone(&session), token, revocation };
        tables.by_id.insert(session.id(), entry);
        Ok(session)
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn live(&mut self, id: Uuid) -> Option<Arc<ClientSession>> {
        let entry = self.by_id.get(&id)?;
        if entry.session.is_expired(Instant::now()) {
            self.remove(id);
            return None;
        }
        Some(Arc::clone(&entry.session))
    }

    fn remove(&mut self, id: Uuid) {
        if let Some(Entry { session, token, .. }) = self.by_id.remove(&id) {
            token.and_then(|token| self.by_token.remove(&token));
            session.close();
        }
    }

    fn sweep(&mut self, now: Instant) {
        let entries = self.by_id.iter();
        let over: Vec<Uuid> =
            entries.filter(|(_, entry)| entry.session.is_expired(now)).map(|(id, _)| *id).collect();
        for id in over {
            self.remove(id);
        }
    }
}

/// 244 random bits of the system's generator, behind the mark.
fn new_token() -> SecretString {
    format!("{OWN_TOKEN}{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()).into()
}
