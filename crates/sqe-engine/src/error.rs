//! What can go wrong with a statement, with the place in its text and a hint where there are any.

use std::fmt;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a client can do about an error; each kind has one gRPC code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Syntax, planning or type errors.
    InvalidStatement,
    /// A catalog, schema, table, column or function that is not there.
    NotFound,
    /// A schema, table or view that is there already.
    AlreadyExists,
    /// Something that is not built.
    Unsupported,
    /// Nobody knows who the user is, or the login is over.
    Unauthenticated,
    /// The user may not do that.
    PermissionDenied,
    /// Somebody else changed the table first.
    Conflict,
    /// A limit of memory, disk or queries.
    ResourceExhausted,
    /// The client or an operator cancelled it.
    Cancelled,
    /// The statement ran out of time.
    DeadlineExceeded,
    /// The object store or a catalog did not do its part; trying again may help.
    Unavailable,
    /// The data of a table is not what its format demands.
    DataCorrupt,
    /// A value that the statement computed or wrote is not possible, such as a division by zero.
    Execution,
    /// A defect of this program.
    Internal,
}

/// A place in the text of a statement; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

/// An error of a statement.
#[derive(Debug, Clone)]
pub struct Error {
    /// What a client can do about it.
    pub kind: ErrorKind,
    /// Lowercase, no final dot.
    pub message: String,
    /// Where in the statement.
    pub location: Option<Location>,
    /// What to do instead, such as the nearest known name.
    pub hint: Option<String>,
}

impl Error {
    /// An error without place and hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), location: None, hint: None }
    }

    /// The same error with its place.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(Location { line, column }) = self.location {
            write!(f, " at line {line}, column {column}")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
