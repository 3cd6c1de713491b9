//! One error type: a kind a caller can act on, a message, and the cause.

use std::fmt;

use crate::storage;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A namespace, table, view or snapshot that is not there.
    NotFound,
    /// A namespace, table or view that is there already.
    AlreadyExists,
    /// Somebody else changed the table first; the statement can be tried again.
    Conflict,
    /// The table or the statement needs something that is not built.
    Unsupported,
    /// The statement asks for something that makes no sense.
    InvalidArgument,
    /// A file that does not hold what its format demands.
    Corrupt,
    /// The catalog or the store does not know who the user is.
    Unauthenticated,
    /// The user may not do that.
    Forbidden,
    /// The object store or the catalog did not do its part.
    Unavailable,
    /// A catalog or a store answered what its protocol does not allow.
    BadAnswer,
    /// A limit of memory or disk.
    ResourceExhausted,
    /// A defect of this program.
    Internal,
}

/// An error of this crate.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with `message`: lowercase, no final dot, naming the thing and the value.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Something the table or the statement needs and that is not built.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Something the statement asks for and that makes no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// Something that is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// A file that does not hold what its format demands.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// The same error with its cause.
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without its causes.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

/// Whether a full disk is at the bottom of an error.
pub(crate) fn is_storage_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut error = Some(error);
    while let Some(current) = error {
        error = match current.downcast_ref::<std::io::Error>() {
            Some(io) if io.kind() == std::io::ErrorKind::StorageFull => return true,
            // Its `source` would skip the error that it wraps.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static)),
            None => current.source(),
        };
    }
    false
}

impl From<Error> for datafusion::error::DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<iceberg::Error> for Error {
    fn from(error: iceberg::Error) -> Self {
        use iceberg::ErrorKind as Theirs;
        let kind = match error.kind() {
            Theirs::DataInvalid => ErrorKind::Corrupt,
            Theirs::FeatureUnsupported => ErrorKind::Unsupported,
            Theirs::TableNotFound | Theirs::NamespaceNotFound => ErrorKind::NotFound,
            Theirs::TableAlreadyExists | Theirs::NamespaceAlreadyExists => ErrorKind::AlreadyExists,
            Theirs::CatalogCommitConflicts => ErrorKind::Conflict,
            _ => ErrorKind::Internal,
        };
        let kind = match kind {
            _ if is_storage_full(&error) => ErrorKind::ResourceExhausted,
            // Everything that goes wrong in a store is unexpected to them.
            ErrorKind::Internal => storage::kind_below(&error).unwrap_or(kind),
            kind => kind,
        };
        // Their context may hold anything, the message alone does not.
        Self::new(kind, error.message())
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        match storage::describe(&error) {
            Some((kind, message)) => Self::new(kind, message),
            None => Self::new(storage::plain_kind(&error), "object store").with_source(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_full_disk_is_found_below_other_errors() {
        let check = |kind: io::ErrorKind, expected| {
            let store = || object_store::Error::Generic {
                store: "LocalFileSystem",
                source: Box::new(io::Error::from(kind)),
            };
            assert_eq!(Error::from(store()).kind(), expected);
            let wrapped = io::Error::other(store());
            assert_eq!(is_storage_full(&wrapped), expected == ErrorKind::ResourceExhausted);
        };
        check(io::ErrorKind::StorageFull, ErrorKind::ResourceExhausted);
        check(io::ErrorKind::BrokenPipe, ErrorKind::Unavailable);
    }
}
