//! The only place where an error becomes a gRPC status.
//!
//! | kind | code |
//! |---|---|
//! | `InvalidStatement`, `Execution` | `INVALID_ARGUMENT` |
//! | `NotFound`, `AlreadyExists`, `PermissionDenied` | the same names |
//! | `Unsupported` | `UNIMPLEMENTED` |
//! | `Conflict` | `ABORTED` |
//! | `ResourceExhausted`, `Cancelled`, `DeadlineExceeded`, `Unavailable` | the same names |
//! | `DataCorrupt` | `DATA_LOSS` |
//! | `Internal` | `INTERNAL`, with the query id instead of the message, which is logged |
//!
//! Most clients show nothing but the status message, so that one is complete: the message, the
//! place and the hint. Clients that want to lay them out find them apart in a
//! `google.rpc.ErrorInfo` with the domain `sqe`, the kind in `UPPER_SNAKE` as its reason, and in
//! its metadata `message` (without place and hint), `line`, `column`, `hint` and `query_id`, each
//! where there is one. All of it travels in headers, of which clients read 8 to 16 KiB: long parts
//! are cut.

use std::collections::HashMap;

use sqe_engine::{Error, ErrorKind};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tracing::{debug, error, warn};
use uuid::Uuid;

const DOMAIN: &str = "sqe";
const MAX_MESSAGE_BYTES: usize = 1024;
const MAX_HINT_BYTES: usize = 512;

/// The status of `error`; `query_id` is the one of the statement that failed, if it was one.
pub(crate) fn of(error: &Error, query_id: Option<Uuid>) -> Status {
    let (code, reason) = code_and_reason(error.kind);
    log(error, query_id);
    let shown = match error.kind {
        ErrorKind::Internal => Error::new(ErrorKind::Internal, internal_message(query_id)),
        _ => Error {
            kind: error.kind,
            message: shortened(&error.message, MAX_MESSAGE_BYTES),
            location: error.location,
            hint: error.hint.as_deref().map(|hint| shortened(hint, MAX_HINT_BYTES)),
        },
    };
    let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata(&shown, query_id));
    Status::with_error_details(code, shown.to_string(), details)
}

/// The status of a login that failed. `message` must not hold any part of the credentials.
pub(crate) fn unauthenticated(message: &str) -> Status {
    let details = ErrorDetails::with_error_info("UNAUTHENTICATED", DOMAIN, HashMap::new());
    Status::with_error_details(Code::Unauthenticated, message, details)
}

/// The status of a request that is not what the protocol demands.
pub(crate) fn malformed(message: impl Into<String>) -> Status {
    of(&Error::new(ErrorKind::InvalidStatement, message), None)
}

/// The status of something that is not built.
pub(crate) fn unsupported(message: impl Into<String>) -> Status {
    of(&Error::new(ErrorKind::Unsupported, message), None)
}

fn code_and_reason(kind: ErrorKind) -> (Code, &'static str) {
    match kind {
        ErrorKind::InvalidStatement => (Code::InvalidArgument, "INVALID_STATEMENT"),
        ErrorKind::NotFound => (Code::NotFound, "NOT_FOUND"),
        ErrorKind::AlreadyExists => (Code::AlreadyExists, "ALREADY_EXISTS"),
        ErrorKind::Unsupported => (Code::Unimplemented, "UNSUPPORTED"),
        ErrorKind::Unauthenticated => (Code::Unauthenticated, "UNAUTHENTICATED"),
        ErrorKind::PermissionDenied => (Code::PermissionDenied, "PERMISSION_DENIED"),
        ErrorKind::Conflict => (Code::Aborted, "CONFLICT"),
        ErrorKind::ResourceExhausted => (Code::ResourceExhausted, "RESOURCE_EXHAUSTED"),
        ErrorKind::Cancelled => (Code::Cancelled, "CANCELLED"),
        ErrorKind::DeadlineExceeded => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        ErrorKind::Unavailable => (Code::Unavailable, "UNAVAILABLE"),
        ErrorKind::DataCorrupt => (Code::DataLoss, "DATA_CORRUPT"),
        ErrorKind::Execution => (Code::InvalidArgument, "EXECUTION"),
        ErrorKind::Internal => (Code::Internal, "INTERNAL"),
    }
}

/// Messages may quote SQL, so that those a user can cause stay at debug.
fn log(error: &Error, query_id: Option<Uuid>) {
    let query_id = query_id.map(tracing::field::display);
    match error.kind {
        ErrorKind::Internal => error!(query_id, %error, "internal error"),
        ErrorKind::DataCorrupt | ErrorKind::Unavailable => warn!(query_id, %error, "call failed"),
        kind => debug!(query_id, ?kind, %error, "call failed"),
    }
}

fn internal_message(query_id: Option<Uuid>) -> String {
    match query_id {
        Some(id) => format!("internal error in query {id}; the log of the server tells more"),
        None => "internal error; the log of the server tells more".to_owned(),
    }
}

fn metadata(error: &Error, query_id: Option<Uuid>) -> HashMap<String, String> {
    let parts = [
        ("message", Some(error.message.clone())),
        ("line", error.location.map(|place| place.line.to_string())),
        ("column", error.location.map(|place| place.column.to_string())),
        ("hint", error.hint.clone()),
        ("query_id", query_id.map(|id| id.to_string())),
    ];
    let present = parts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    present.collect()
}

/// `text`, or as much of its beginning as fits into `limit` bytes, with an ellipsis.
fn shortened(text: &str, limit: usize) -> String {
    const ELLIPSIS: &str = "…";
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit - ELLIPSIS.len());
    format!("{}{ELLIPSIS}", &text[..end])
}

#[cfg(test)]
mod tests {
    use sqe_engine::Location;

    use super::*;

    fn info(status: &Status) -> (String, HashMap<String, String>) {
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.domain, DOMAIN);
        (info.reason, info.metadata)
    }

    #[test]
    fn place_and_hint_are_in_the_message_and_apart() {
        let error = Error::new(ErrorKind::NotFound, "table a.b not found")
            .at(Location { line: 2, column: 7 })
            .with_hint("did you mean a.c?");
        let id = Uuid::new_v4();
        let status = of(&error, Some(id));
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), error.to_string());
        let (reason, metadata) = info(&status);
        assert_eq!(reason, "NOT_FOUND");
        let id = id.to_string();
        let expected = [
            ("message", "table a.b not found"),
            ("line", "2"),
            ("column", "7"),
            ("hint", "did you mean a.c?"),
            ("query_id", &id),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(metadata, HashMap::from(expected));
    }

    #[test]
    fn internal_errors_tell_the_query_id_and_nothing_else() {
        let id = Uuid::new_v4();
        let status = of(&Error::new(ErrorKind::Internal, "secret detail"), Some(id));
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains(&id.to_string()));
        let (_, metadata) = info(&status);
        assert!(!status.message().contains("secret"));
        assert!(!metadata["message"].contains("secret"));
    }

    #[test]
    fn long_messages_keep_their_place_and_fit_into_headers() {
        let error = Error::new(ErrorKind::InvalidStatement, "é".repeat(50_000))
            .at(Location { line: 1, column: 9 })
            .with_hint("x".repeat(50_000));
        let status = of(&error, None);
        assert!(status.message().contains("… at line 1, column 9"));
        assert!(status.message().len() < 2048);
        assert!(status.details().len() < 4096);
    }
}
