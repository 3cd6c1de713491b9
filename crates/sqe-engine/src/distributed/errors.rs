//! Errors on their way between nodes: they keep kind, message and hint. The place in the statement
//! is known to the coordinator alone, where errors with a place arise.

use datafusion::error::DataFusionError;
use sqe_exchange::{Errors, RemoteError};

use crate::{Error, ErrorKind};

/// The numbers of the kinds on the wire are their places here.
const KINDS: [ErrorKind; 14] = [
    ErrorKind::Internal,
    ErrorKind::InvalidStatement,
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::Unsupported,
    ErrorKind::Unauthenticated,
    ErrorKind::PermissionDenied,
    ErrorKind::Conflict,
    ErrorKind::ResourceExhausted,
    ErrorKind::Cancelled,
    ErrorKind::DeadlineExceeded,
    ErrorKind::Unavailable,
    ErrorKind::DataCorrupt,
    ErrorKind::Execution,
];

/// How errors of the engine travel.
#[derive(Debug)]
pub(super) struct EngineErrors;

/// A query that lost a worker, which may succeed on those that are left.
#[derive(Debug, Clone)]
pub(crate) struct LostWorker(pub(crate) Error);

impl std::fmt::Display for LostWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for LostWorker {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn remote(kind: ErrorKind, message: String, is_lost_worker: bool) -> RemoteError {
    let kind = KINDS.iter().position(|known| *known == kind).unwrap_or_default() as u32;
    RemoteError { kind, message, hint: None, is_lost_worker }
}

impl Errors for EngineErrors {
    fn to_remote(&self, error: &DataFusionError) -> RemoteError {
        let is_lost_worker = is_lost_worker(error);
        let error = Error::from_shared(error);
        RemoteError { hint: error.hint, ..remote(error.kind, error.message, is_lost_worker) }
    }

    fn to_local(&self, error: RemoteError) -> DataFusionError {
        let kind = KINDS.get(error.kind as usize).copied().unwrap_or(ErrorKind::Internal);
        let local = Error { hint: error.hint, ..Error::new(kind, error.message) };
        match error.is_lost_worker {
            true => DataFusionError::External(Box::new(LostWorker(local))),
            false => local.into(),
        }
    }

    fn lost_worker(&self, worker: &str, why: &str) -> RemoteError {
        remote(ErrorKind::Unavailable, format!("worker {worker} is lost: {why}"), true)
    }

    fn busy(&self, why: &str) -> RemoteError {
        remote(ErrorKind::ResourceExhausted, format!("a worker takes no task: {why}"), true)
    }

    fn broken(&self, what: &str) -> RemoteError {
        remote(ErrorKind::Internal, format!("exchange between nodes: {what}"), false)
    }

    fn timed_out(&self, what: &str) -> RemoteError {
        remote(ErrorKind::Cancelled, what.to_owned(), false)
    }
}

/// Whether a worker was lost, which says nothing about the query.
pub(super) fn is_lost_worker(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<LostWorker>() {
            return true;
        }
        next = match error.downcast_ref::<DataFusionError>() {
            // These hide what they hold from `source`.
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            _ => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_error_comes_back_as_it_was() {
        let check = |error: DataFusionError, kind, message: &str, lost| {
            let travelled = EngineErrors.to_local(EngineErrors.to_remote(&error));
            assert_eq!(is_lost_worker(&travelled), lost);
            let error = Error::from(travelled);
            assert_eq!((error.kind, error.message.as_str()), (kind, message));
        };
        let own = Error::new(ErrorKind::PermissionDenied, "no").with_hint("ask");
        check(own.into(), ErrorKind::PermissionDenied, "no", false);
        let exhausted = DataFusionError::ResourcesExhausted("full".to_owned());
        let kind = Error::from_shared(&exhausted).kind;
        let message = Error::from_shared(&exhausted).message;
        check(exhausted, kind, &message, false);
        let lost = || EngineErrors.to_local(EngineErrors.lost_worker("w:1", "gone"));
        check(lost(), ErrorKind::Unavailable, "worker w:1 is lost: gone", true);
        let shared = DataFusionError::Shared(Arc::new(lost().context("somewhere")));
        check(shared, ErrorKind::Unavailable, "worker w:1 is lost: gone", true);
    }

    #[test]
    fn every_kind_has_a_number() {
        for (number, kind) in KINDS.into_iter().enumerate() {
            let error = Error::new(kind, "x").into();
            assert_eq!(EngineErrors.to_remote(&error).kind, number as u32);
        }
    }
}
