//! Errors that keep what they are on their way through other nodes.

use std::fmt;

use datafusion::error::DataFusionError;

use crate::message::ErrorMessage;

/// An error as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteError {
    /// What it is, as a number that [`Errors`] gives it.
    pub kind: u32,
    /// Lowercase, no final dot.
    pub message: String,
    /// What to do instead.
    pub hint: Option<String>,
    /// A worker is gone: the same query may succeed on those that are left.
    pub is_lost_worker: bool,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RemoteError {}

/// How the program's own errors become [`RemoteError`]s and come back.
pub trait Errors: fmt::Debug + Send + Sync {
    /// What travels of an error of the engine.
    fn to_remote(&self, error: &DataFusionError) -> RemoteError;

    /// The error of the engine that a travelled one was.
    fn to_local(&self, error: RemoteError) -> DataFusionError;

    /// A worker that cannot be reached, or stopped to answer.
    fn lost_worker(&self, worker: &str, why: &str) -> RemoteError;

    /// A worker that refuses a task because of what it is doing, or is about to stop.
    fn busy(&self, why: &str) -> RemoteError;

    /// What breaks the rules of the exchange, which no user can cause.
    fn broken(&self, what: &str) -> RemoteError;

    /// Something that waited too long.
    fn timed_out(&self, what: &str) -> RemoteError;
}

impl From<RemoteError> for ErrorMessage {
    fn from(error: RemoteError) -> Self {
        let RemoteError { kind, message, hint, is_lost_worker } = error;
        Self { kind, message, hint, is_lost_worker }
    }
}

impl From<ErrorMessage> for RemoteError {
    fn from(error: ErrorMessage) -> Self {
        let ErrorMessage { kind, message, hint, is_lost_worker } = error;
        Self { kind, message, hint, is_lost_worker }
    }
}
