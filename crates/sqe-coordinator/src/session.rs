//! The session of a client: the engine's session plus the statements the client holds handles to.
//!
//! A statement is *prepared* (it may run any number of times), *pending* (planned, its ticket was
//! handed out and may be used once) or *running*. Cancelling is by token: the one of a running
//! statement is a child of its session's, which is a child of the server's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqe_engine::{Error, ErrorKind, Prepared, Result, Session};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::options::SessionLimits;

/// A client's session.
#[derive(Debug)]
pub(crate) struct ClientSession {
    id: Uuid,
    engine: Session,
    principal: String,
    ends: Option<Instant>,
    limits: SessionLimits,
    started: Instant,
    server_stop: CancellationToken,
    closed: CancellationToken,
    // A std mutex: nothing is awaited while it is held.
    statements: Mutex<Statements>,
}

#[derive(Debug)]
struct Statements {
    last_used: Instant,
    prepared: HashMap<Uuid, Prepared>,
    pending: HashMap<Uuid, Pending>,
    running: HashMap<Uuid, CancellationToken>,
}

#[derive(Debug)]
struct Pending {
    prepared: Prepared,
    since: Instant,
}

impl ClientSession {
    /// A session that ends with `server_stop` at the latest.
    pub(crate) fn new(
        engine: Session,
        principal: &str,
        ends: Option<Instant>,
        limits: SessionLimits,
        server_stop: CancellationToken,
    ) -> Self {
        let now = Instant::now();
        Self {
            id: Uuid::new_v4(),
            engine,
            principal: principal.to_owned(),
            ends,
            limits,
            started: now,
            closed: server_stop.child_token(),
            server_stop,
            statements: Mutex::new(Statements {
                last_used: now,
                prepared: HashMap::new(),
                pending: HashMap::new(),
                running: HashMap::new(),
            }),
        }
    }

    /// Names the session in handles; it is no credential.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// The engine's side of it.
    pub(crate) fn engine(&self) -> &Session {
        &self.engine
    }

    /// What tells its user from all others, whatever their names are.
    pub(crate) fn principal(&self) -> &str {
        &self.principal
    }

    /// The user it belongs to.
    pub(crate) fn user(&self) -> &str {
        &self.engine.identity().user
    }

    /// Notes that the client is still there.
    pub(crate) fn touch(&self) {
        self.lock().last_used = Instant::now();
    }

    /// Whether its time is over at `now`.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        let statements = self.lock();
        let unused = now.duration_since(statements.last_used);
        let idle = statements.running.is_empty() && unused >= self.limits.idle;
        let login = self.ends.is_some_and(|ends| ends <= now);
        idle || login || now.duration_since(self.started) >= self.limits.absolute
    }

    /// Whether it ended; its statements ended with it.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Ends it and everything it runs.
    pub(crate) fn close(&self) {
        self.closed.cancel();
        let mut statements = self.lock();
        statements.prepared.clear();
        statements.pending.clear();
    }

    /// How many statements it runs.
    pub(crate) fn running(&self) -> usize {
        self.lock().running.len()
    }

    /// Keeps `prepared` under a new id until it is closed.
    pub(crate) fn add_prepared(&self, prepared: Prepared) -> Result<Uuid> {
        let mut statements = self.lock();
        self.check_room(statements.prepared.len(), "prepared statements")?;
        let id = Uuid::new_v4();
        statements.prepared.insert(id, prepared);
        Ok(id)
    }

    /// The prepared statement `id`.
    pub(crate) fn prepared(&self, id: Uuid) -> Option<Prepared> {
        self.lock().prepared.get(&id).cloned()
    }

    /// Forgets the prepared statement `id`; runs of it that have begun go on.
    pub(crate) fn close_prepared(&self, id: Uuid) {
        self.lock().prepared.remove(&id);
    }

    /// Keeps `prepared` until its ticket is used, for the lifetime of tickets at most.
    pub(crate) fn add_pending(&self, query_id: Uuid, prepared: Prepared) -> Result<()> {
        let mut statements = self.lock();
        let lifetime = self.limits.ticket_lifetime;
        statements.pending.retain(|_, pending| pending.since.elapsed() < lifetime);
        self.check_room(statements.pending.len(), "results to fetch")?;
        let since = Instant::now();
        statements.pending.insert(query_id, Pending { prepared, since });
        Ok(())
    }

    /// Takes the pending statement `query_id` and marks it running.
    pub(crate) fn start_pending(self: &Arc<Self>, query_id: Uuid) -> Option<(Prepared, Running)> {
        let mut statements = self.lock();
        let pending = statements.pending.remove(&query_id)?;
        if pending.since.elapsed() >= self.limits.ticket_lifetime {
            return None;
        }
        let running = self.mark_running(&mut statements, query_id);
        Some((pending.prepared, running))
    }

    /// Marks a statement running until the guard is dropped.
    pub(crate) fn start(self: &Arc<Self>, query_id: Uuid) -> Running {
        self.mark_running(&mut self.lock(), query_id)
    }

    /// Cancels a pending or running statement; false if there is no such one.
    pub(crate) fn cancel(&self, query_id: Uuid) -> bool {
        let mut statements = self.lock();
        let pending = statements.pending.remove(&query_id).is_some();
        let running = statements.running.get(&query_id);
        running.inspect(|token| token.cancel()).is_some() || pending
    }

    fn mark_running(self: &Arc<Self>, statements: &mut Statements, query_id: Uuid) -> Running {
        let cancel = self.closed.child_token();
        statements.running.insert(query_id, cancel.clone());
        Running { session: Arc::clone(self), query_id, cancel }
    }

    fn check_room(&self, held: usize, what: &str) -> Result<()> {
        let limit = self.limits.max_statements;
        if held < limit {
            return Ok(());
        }
        let message = format!("the session holds {held} {what}, the limit is {limit}");
        Err(Error::new(ErrorKind::ResourceExhausted, message).with_hint("close some of them"))
    }

    fn lock(&self) -> MutexGuard<'_, Statements> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds a statement's place among the running ones of its session.
#[derive(Debug)]
pub(crate) struct Running {
    session: Arc<ClientSession>,
    query_id: Uuid,
    cancel: CancellationToken,
}

impl Running {
    /// Names the statement to users and in logs.
    pub(crate) fn query_id(&self) -> Uuid {
        self.query_id
    }

    /// The session it runs in.
    pub(crate) fn session(&self) -> &Arc<ClientSession> {
        &self.session
    }

    /// Waits until the statement is to end early, and says why.
    pub(crate) async fn cancelled(&self) -> Error {
        self.cancel.cancelled().await;
        if self.session.server_stop.is_cancelled() {
            Error::new(ErrorKind::Unavailable, "the server is shutting down")
        } else if self.session.is_closed() {
            Error::new(ErrorKind::Cancelled, "the session was closed")
        } else {
            Error::new(ErrorKind::Cancelled, "the statement was cancelled")
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut statements = self.session.lock();
        statements.running.remove(&self.query_id);
        statements.last_used = Instant::now();
    }
}
