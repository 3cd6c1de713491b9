//! What went wrong in a store, without what must not be shown.
//!
//! Errors of `object_store` carry whole addresses and bodies of answers. None of them leaves this
//! folder: all become a [`Fault`] first, which names the place and the store's own code.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use object_store::client::HttpError;

use super::location::S3Location;
use crate::{Error, ErrorKind};

/// Why a request to S3 failed.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The store answered with a status that is no success, or with a success that is none.
    Refused { status: u16, code: Option<String> },
    /// The place is outside of all prefixes that there are keys for.
    Outside,
    /// There are no keys to sign a request with.
    NoKeys(Arc<Error>),
    /// A body ended early.
    Truncated { received: u64, expected: u64 },
    /// The store could not be reached, or the answer did not come in time or not to its end.
    NoAnswer(String),
    /// The store answered something that S3 does not.
    Malformed,
}

/// Codes that say that keys are over, or are not known yet where the request went.
const OLD_KEYS: [&str; 6] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "InvalidTokenId",
    "TokenRefreshRequired",
];

impl Fault {
    /// The fault behind an error of `object_store`.
    pub(super) fn of(error: &object_store::Error) -> Self {
        if let Some(fault) = find::<Self>(error) {
            return fault.clone();
        }
        match find::<HttpError>(error) {
            Some(error) => Self::no_answer(error),
            None => Self::Malformed,
        }
    }

    /// Takes the innermost cause alone: those around it have the address of the request.
    pub(super) fn no_answer(error: &HttpError) -> Self {
        let mut cause: &dyn StdError = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Self::NoAnswer(cause.to_string())
    }

    /// Whether other keys may help. A `HEAD` is answered without a code.
    pub(super) fn is_of_old_keys(&self) -> bool {
        match self {
            Self::Refused { status: 400 | 401 | 403, code: None } => true,
            Self::Refused { code: Some(code), .. } => OLD_KEYS.contains(&code.as_str()),
            _ => false,
        }
    }

    /// Whether the same request may succeed a little later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Refused { status: 408 | 429 | 500 | 502 | 503 | 504, .. })
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { status: 401, .. } => ErrorKind::Unauthenticated,
            Self::Refused { status: 403, .. } | Self::Outside => ErrorKind::Forbidden,
            Self::Refused { status: 404, .. } => ErrorKind::NotFound,
            Self::Refused { status: 409 | 412, .. } => ErrorKind::AlreadyExists,
            Self::Refused { status: 507, .. } => ErrorKind::ResourceExhausted,
            Self::Refused { .. } if self.is_passing() => ErrorKind::Unavailable,
            Self::Refused { .. } if self.is_of_old_keys() => ErrorKind::Forbidden,
            Self::NoKeys(error) => error.kind(),
            Self::NoAnswer(_) => ErrorKind::Unavailable,
            Self::Refused { .. } | Self::Truncated { .. } | Self::Malformed => ErrorKind::BadAnswer,
        }
    }

    /// As `object_store` would have put it.
    pub(super) fn at(self, place: &S3Location) -> object_store::Error {
        use object_store::Error as Store;
        let (kind, path) = (self.kind(), place.to_string());
        let passing = matches!(self, Self::Refused { status: 412, .. });
        let source = Box::new(Fallen { fault: self, place: place.to_string() });
        match kind {
            ErrorKind::Unauthenticated => Store::Unauthenticated { path, source },
            ErrorKind::Forbidden => Store::PermissionDenied { path, source },
            ErrorKind::NotFound => Store::NotFound { path, source },
            ErrorKind::AlreadyExists if passing => Store::Precondition { path, source },
            ErrorKind::AlreadyExists => Store::AlreadyExists { path, source },
            _ => Store::Generic { store: "S3", source },
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, code: Some(code) } => {
                write!(f, "the store answered {status} {code}")
            }
            Self::Refused { status, code: None } => write!(f, "the store answered {status}"),
            Self::Outside => f.write_str("it is outside of what there are keys for"),
            Self::NoKeys(error) => write!(f, "there are no keys for it: {error}"),
            Self::Truncated { received, expected } => {
                write!(f, "the store sent {received} bytes of {expected}")
            }
            Self::NoAnswer(cause) => write!(f, "the store did not answer: {cause}"),
            Self::Malformed => f.write_str("the store gave an answer that S3 does not have"),
        }
    }
}

impl StdError for Fault {}

/// A fault and where it happened.
#[derive(Debug)]
struct Fallen {
    fault: Fault,
    place: String,
}

impl fmt::Display for Fallen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)
    }
}

impl StdError for Fallen {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.fault)
    }
}

/// What a caller can do about an error of an S3 store, and the words for it; `None` for an error of
/// another store.
pub fn describe(error: &object_store::Error) -> Option<(ErrorKind, String)> {
    let fallen = find::<Fallen>(error)?;
    Some((fallen.fault.kind(), fallen.to_string()))
}

/// What a caller can do about an error that has one of a store somewhere below it.
pub(crate) fn kind_below(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    if let Some(error) = find::<Error>(error) {
        return Some(error.kind());
    }
    let error = find::<object_store::Error>(error)?;
    Some(describe(error).map_or_else(|| plain_kind(error), |(kind, _)| kind))
}

/// The kind of an error that is not of this folder.
pub(crate) fn plain_kind(error: &object_store::Error) -> ErrorKind {
    match error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::AlreadyExists { .. } => ErrorKind::AlreadyExists,
        object_store::Error::PermissionDenied { .. } => ErrorKind::Forbidden,
        _ if crate::error::is_storage_full(error) => ErrorKind::ResourceExhausted,
        _ => ErrorKind::Unavailable,
    }
}

fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut error = Some(error);
    while let Some(current) = error {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        error = match current.downcast_ref::<std::io::Error>() {
            // Its `source` would skip the error that it wraps.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => current.source(),
        };
    }
    None
}

/// The code in the body of an answer; of nothing else in it anything is kept.
pub(super) fn code_in(body: &[u8]) -> Option<String> {
    let body = String::from_utf8_lossy(body);
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_code = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_code && !code.is_empty()).then(|| code.to_owned())
}

/// The status that goes with a code where the answer as a whole is a success.
pub(super) fn status_of(code: Option<&str>) -> u16 {
    match code {
        Some("AccessDenied") => 403,
        Some("NoSuchKey" | "NoSuchUpload") => 404,
        Some("PreconditionFailed") => 412,
        Some("SlowDown" | "ServiceUnavailable") => 503,
        Some("InternalError") | None => 500,
        Some(_) => 400,
    }
}
