//! Errors of the layers below as errors of a statement: a kind, a plain message, a place, a hint.

use std::io;

use arrow::error::ArrowError;
use datafusion::common::{Diagnostic, SchemaError};
use datafusion::error::DataFusionError;
use sqe_iceberg::storage;

use crate::distributed::LostWorker;
use crate::memory;
use crate::parse::syntax_error;
use crate::suggest::nearest;
use crate::{Error, ErrorKind, Location};

impl From<sqe_iceberg::Error> for Error {
    fn from(error: sqe_iceberg::Error) -> Self {
        from_iceberg(&error)
    }
}

/// An error of the rows that a statement writes is the error of its query.
fn from_iceberg(error: &sqe_iceberg::Error) -> Error {
    use std::error::Error as _;
    match error.source().and_then(|source| source.downcast_ref::<DataFusionError>()) {
        Some(query) => from_ref(query),
        None => Error::new(iceberg_kind(error.kind()), error.to_string()),
    }
}

/// Errors travel through DataFusion as external ones and come out as they went in.
impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        use DataFusionError as E;
        match error {
            E::Diagnostic(diagnostic, inner) => with_diagnostic(Self::from(*inner), &diagnostic),
            E::Context(_, inner) => Self::from(*inner),
            E::Shared(inner) => from_ref(&inner),
            E::Collection(errors) => match errors.into_iter().next() {
                Some(first) => Self::from(first),
                None => Self::new(ErrorKind::Internal, "an empty list of errors"),
            },
            E::External(inner) => from_external(&*inner),
            E::ArrowError(inner, _) => from_arrow(&inner),
            E::SQL(inner, _) => syntax_error(*inner),
            E::SchemaError(inner, _) => from_schema_error(&inner),
            E::Plan(message) => plan_error(&message),
            E::Configuration(message) => Self::new(ErrorKind::InvalidStatement, message),
            E::NotImplemented(message) => unsupported(&message),
            E::ResourcesExhausted(message) => exhausted(&message),
            E::Execution(message) => Self::new(ErrorKind::Execution, message),
            E::IoError(error) => from_io(&error),
            E::ObjectStore(error) => from_external(&*error),
            E::ParquetError(error) => from_external(&*error),
            other => Self::new(ErrorKind::Internal, other.strip_backtrace()),
        }
    }
}

impl Error {
    /// The same for an error that several readers share.
    pub(crate) fn from_shared(error: &DataFusionError) -> Self {
        from_ref(error)
    }
}

fn from_ref(error: &DataFusionError) -> Error {
    use DataFusionError as E;
    match error {
        E::Diagnostic(diagnostic, inner) => with_diagnostic(from_ref(inner), diagnostic),
        E::Context(_, inner) => from_ref(inner),
        E::Shared(inner) => from_ref(inner),
        E::External(inner) => from_external(&**inner),
        E::ArrowError(inner, _) => from_arrow(inner),
        E::Plan(message) => plan_error(message),
        E::NotImplemented(message) => unsupported(message),
        E::ResourcesExhausted(message) => exhausted(message),
        E::Execution(message) => Error::new(ErrorKind::Execution, message),
        E::IoError(error) => from_io(error),
        E::ObjectStore(error) => from_external(&**error),
        E::ParquetError(error) => from_external(&**error),
        E::SchemaError(inner, _) => from_schema_error(inner),
        other => Error::new(ErrorKind::Internal, other.strip_backtrace()),
    }
}

/// An error that came from below DataFusion, perhaps wrapped several times.
fn from_external(error: &(dyn std::error::Error + 'static)) -> Error {
    if let Some(error) = error.downcast_ref::<Error>() {
        return error.clone();
    }
    if let Some(LostWorker(error)) = error.downcast_ref() {
        return error.clone();
    }
    if let Some(error) = error.downcast_ref::<sqe_iceberg::Error>() {
        return from_iceberg(error);
    }
    if let Some(error) = error.downcast_ref::<DataFusionError>() {
        return from_ref(error);
    }
    if let Some(error) = error.downcast_ref::<ArrowError>() {
        return from_arrow(error);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return from_io(error);
    }
    if let Some(error) = error.downcast_ref::<object_store::Error>() {
        if let Some((kind, message)) = storage::describe(error) {
            let kind = match kind {
                // A file that a table names.
                sqe_iceberg::ErrorKind::NotFound => ErrorKind::DataCorrupt,
                kind => iceberg_kind(kind),
            };
            return Error::new(kind, message);
        }
        let kind = match error {
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => ErrorKind::PermissionDenied,
            object_store::Error::NotFound { .. } => ErrorKind::DataCorrupt,
            _ if is_storage_full(error) => ErrorKind::ResourceExhausted,
            _ => ErrorKind::Unavailable,
        };
        return Error::new(kind, error.to_string());
    }
    // Parquet wraps the errors of its reader; what is left is about the file itself.
    match error.source() {
        Some(source) if source.downcast_ref::<Error>().is_some() => from_external(source),
        Some(source) if source.downcast_ref::<sqe_iceberg::Error>().is_some() => {
            from_external(source)
        }
        Some(source) if source.downcast_ref::<object_store::Error>().is_some() => {
            from_external(source)
        }
        _ => Error::new(ErrorKind::DataCorrupt, error.to_string()),
    }
}

fn iceberg_kind(kind: sqe_iceberg::ErrorKind) -> ErrorKind {
    use sqe_iceberg::ErrorKind as Theirs;
    match kind {
        Theirs::NotFound => ErrorKind::NotFound,
        Theirs::AlreadyExists => ErrorKind::AlreadyExists,
        Theirs::Conflict => ErrorKind::Conflict,
        Theirs::Unsupported => ErrorKind::Unsupported,
        Theirs::InvalidArgument => ErrorKind::InvalidStatement,
        Theirs::Corrupt => ErrorKind::DataCorrupt,
        Theirs::Unauthenticated => ErrorKind::Unauthenticated,
        Theirs::Forbidden => ErrorKind::PermissionDenied,
        Theirs::Unavailable | Theirs::BadAnswer => ErrorKind::Unavailable,
        Theirs::ResourceExhausted => ErrorKind::ResourceExhausted,
        Theirs::Internal => ErrorKind::Internal,
    }
}

fn from_arrow(error: &ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(inner) => from_external(&**inner),
        ArrowError::IoError(_, error) => from_io(error),
        ArrowError::NotYetImplemented(message) => Error::new(ErrorKind::Unsupported, message),
        ArrowError::ParquetError(message) => Error::new(ErrorKind::DataCorrupt, message),
        ArrowError::ArithmeticOverflow(message) => {
            let operation = message.strip_prefix("Overflow happened on: ").unwrap_or(message);
            let message = format!("the result of {operation} does not fit into its type");
            Error::new(ErrorKind::Execution, message).with_hint("cast to a wider type first")
        }
        ArrowError::CastError(message) => {
            let error = Error::new(ErrorKind::Execution, lowercase_start(message));
            error.with_hint("TRY_CAST gives null where CAST fails")
        }
        ArrowError::ParseError(message) => {
            Error::new(ErrorKind::Execution, lowercase_start(message))
        }
        ArrowError::DivideByZero => Error::new(ErrorKind::Execution, "division by zero")
            .with_hint("NULLIF(divisor, 0) makes the result null"),
        other => Error::new(ErrorKind::Execution, lowercase_start(&other.to_string())),
    }
}

fn from_io(error: &io::Error) -> Error {
    if let Some(inner) = error.get_ref()
        && let Some(inner) = inner.downcast_ref::<Error>()
    {
        return inner.clone();
    }
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, lowercase_start(&error.to_string()))
}

fn is_storage_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::StorageFull
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// A limit of memory or of disk, with the key that raises it.
pub(crate) fn exhausted(message: &str) -> Error {
    if message.contains("during the spilling process") {
        let message = "the spill files of all statements together are above limits.spill";
        return Error::new(ErrorKind::ResourceExhausted, message)
            .with_hint("raise limits.spill, or ask for fewer rows at once");
    }
    let message = message.lines().next().unwrap_or_default().trim_end_matches('.');
    let error = Error::new(ErrorKind::ResourceExhausted, lowercase_start(message));
    if message.contains(memory::LIMIT) {
        return error.with_hint(format!("raise {}, or ask for fewer rows at once", memory::LIMIT));
    }
    error
}

/// What is not built. Some messages end with the syntax tree of the expression, which is nobody's
/// language.
fn unsupported(message: &str) -> Error {
    if message.starts_with("Dot access not supported") {
        let message = "a field behind an index or a call cannot be read with a dot";
        return Error::new(ErrorKind::Unsupported, message)
            .with_hint("write (expression)['field']");
    }
    const NO_OPERATOR: &str = "Physical plan does not support logical expression ";
    if let Some(expression) = message.strip_prefix(NO_OPERATOR) {
        let what = match expression.split('(').next() {
            Some("InSubquery") => "IN (SELECT ..)",
            Some("Exists") => "EXISTS",
            Some("SetComparison") => "ANY and ALL of a query",
            _ => "a query in this place",
        };
        let message = format!("{what} is supported in WHERE and HAVING only");
        return Error::new(ErrorKind::Unsupported, message)
            .with_hint("join the query, or count its rows in a scalar subquery");
    }
    let tree = ["Ident {", "Identifier(", "ValueWithSpan {", "BinaryOp {", "Span("];
    let end = tree.iter().filter_map(|tree| message.find(tree)).min().unwrap_or(message.len());
    let message = message[..end].trim_end_matches(|c: char| !c.is_alphanumeric());
    Error::new(ErrorKind::Unsupported, lowercase_start(message))
}

/// A call whose arguments no variant of the function takes.
fn no_matching_call(message: &str) -> Option<Error> {
    const CALL: &str = "No function matches the given name and argument types '";
    let (_, rest) = message.split_once(CALL)?;
    let (call, rest) = rest.split_once('\'')?;
    let error = Error::new(ErrorKind::InvalidStatement, format!("there is no function {call}"));
    let candidates = rest.split_once("Candidate functions:").map_or("", |(_, list)| list);
    let candidates: Vec<&str> =
        candidates.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Some(match candidates.is_empty() {
        true => error,
        false => error.with_hint(format!("there is {}", candidates.join(", "))),
    })
}

/// Planning errors; DataFusion puts its own suggestions on a second line.
fn plan_error(message: &str) -> Error {
    if let Some(error) = no_matching_call(message) {
        return error;
    }
    if message.starts_with("Column count doesn't match insert query") {
        let message = "the query answers another number of columns than the INSERT takes";
        return Error::new(ErrorKind::InvalidStatement, message);
    }
    let (message, hint) = match message.split_once("\nDid you mean ") {
        Some((message, near)) => (message, Some(format!("did you mean {near}"))),
        None => (message, None),
    };
    let message = message.trim_end_matches('.');
    let mut error = match message.strip_prefix("Invalid function '") {
        Some(name) => {
            let message = format!("function {:?} not found", name.trim_end_matches('\''));
            Error::new(ErrorKind::NotFound, message)
        }
        None => Error::new(ErrorKind::InvalidStatement, lowercase_start(message)),
    };
    error.hint = hint;
    error
}

fn from_schema_error(error: &SchemaError) -> Error {
    let SchemaError::FieldNotFound { field, valid_fields } = error else {
        return Error::new(ErrorKind::InvalidStatement, lowercase_start(&error.to_string()));
    };
    let message = format!("column {:?} not found", field.name);
    let found = Error::new(ErrorKind::NotFound, message);
    let names = || valid_fields.iter().map(|column| column.name.as_str());
    match nearest(&field.name, names()) {
        Some(near) if near.eq_ignore_ascii_case(&field.name) => found.with_hint(format!(
            "did you mean \"{near}\"? names with capital letters must be in double quotes"
        )),
        Some(near) => found.with_hint(format!("did you mean {near:?}?")),
        None => found,
    }
}

fn with_diagnostic(mut error: Error, diagnostic: &Diagnostic) -> Error {
    if error.location.is_none()
        && let Some(span) = diagnostic.span
    {
        error.location = Some(Location { line: span.start.line, column: span.start.column });
    }
    if error.hint.is_none()
        && let Some(note) = diagnostic.helps.first()
    {
        error.hint = Some(note.message.clone());
    }
    error
}

/// Messages start in lower case, unless they start with a name or a keyword in capitals.
fn lowercase_start(message: &str) -> String {
    let mut chars = message.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_ascii_uppercase() && second.is_lowercase() => {
            first.to_ascii_lowercase().to_string() + chars.as_str()
        }
        _ => message.to_owned(),
    }
}
