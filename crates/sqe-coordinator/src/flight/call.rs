//! A call whose caller is known.

use std::sync::Arc;

use arrow_flight::sql::{Any, Command};
use prost::Message;
use sqe_engine::{Error, ErrorKind, Result};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Status};
use uuid::Uuid;

use super::deadline::Deadline;
use super::handle::Handle;
use super::run::Run;
use super::{Service, status};
use crate::session::ClientSession;

/// What every command gets.
pub(super) struct Call {
    pub(super) service: Arc<Service>,
    /// The caller's session.
    pub(super) session: Arc<ClientSession>,
    pub(super) deadline: Deadline,
}

impl Call {
    /// Authenticates a request. Errors: `UNAUTHENTICATED`, `UNAVAILABLE`, `RESOURCE_EXHAUSTED`.
    pub(super) async fn enter(
        service: &Arc<Service>,
        headers: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<Self, Status> {
        Ok(Self {
            service: Arc::clone(service),
            session: service.authenticator.authenticate(headers, extensions).await?,
            deadline: Deadline::of(headers),
        })
    }

    /// Starts a new statement.
    pub(super) fn start(&self) -> Run {
        self.start_in(&self.session)
    }

    /// Starts a new statement in a session of the caller.
    pub(super) fn start_in(&self, session: &Arc<ClientSession>) -> Run {
        Run::new(session.start(Uuid::new_v4()), self.deadline)
    }

    /// The session that owns what `handle` names. It may be another one of the same user, so that
    /// a second connection can fetch or cancel what the first one started. Errors: `NotFound`,
    /// also for handles of others, who are not told that they exist.
    pub(super) fn owner(&self, handle: &[u8]) -> Result<(Arc<ClientSession>, Uuid)> {
        let handle = Handle::decode(handle).ok_or_else(unknown_statement)?;
        if handle.session == self.session.id() {
            return Ok((Arc::clone(&self.session), handle.statement));
        }
        let session = self.service.sessions.by_id(handle.session);
        let own = session.filter(|session| session.principal() == self.session.principal());
        Ok((own.ok_or_else(unknown_statement)?, handle.statement))
    }
}

/// The error for handles and tickets that name nothing.
pub(super) fn unknown_statement() -> Error {
    let message = "the statement is unknown, was closed, or its result was fetched already";
    Error::new(ErrorKind::NotFound, message)
}

/// A command of Flight SQL. Errors: `INVALID_ARGUMENT`.
pub(super) fn decode_command(bytes: &[u8]) -> Result<Command, Status> {
    let any = Any::decode(bytes);
    let any = any.map_err(|_| status::malformed("the request holds no Flight SQL command"))?;
    Command::try_from(any)
        .map_err(|error| status::malformed(format!("the command cannot be decoded: {error}")))
}

/// The error for a command that `call` does not know.
pub(super) fn unknown_command(command: &Command, call: &str) -> Status {
    let url = command.type_url();
    let name = url.rsplit('.').next().unwrap_or(url);
    status::unsupported(format!("{call} of {name} is not supported"))
}

/// Errors: `Unsupported`, if a command belongs to a transaction.
pub(super) fn refuse_transaction(transaction_id: Option<&[u8]>) -> Result<()> {
    match transaction_id {
        None | Some([]) => Ok(()),
        Some(_) => Err(Error::new(ErrorKind::Unsupported, "transactions are not supported yet")),
    }
}
