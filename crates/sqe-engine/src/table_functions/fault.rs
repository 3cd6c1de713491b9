//! Errors of reading files, with the path and with whose fault it is.
//!
//! Decoders say about broken input what the input layer says about a broken disk, an IO error. Here
//! what came from the object store keeps its kind, and all else a reader says is about the file.

use std::{error::Error as StdError, io, sync::Arc};

use arrow::error::ArrowError;
use datafusion::{error::DataFusionError, parquet::errors::ParquetError};
use datafusion_datasource::PartitionedFile;

use crate::{Error, ErrorKind};

/// The path of a file as the call would have to write it; a store may have another name for it.
#[derive(Debug)]
pub(super) struct ShownPath(pub(super) Arc<str>);

/// The path that errors name.
pub(super) fn shown_path(file: &PartitionedFile) -> Arc<str> {
    match file.extension::<ShownPath>() {
        Some(ShownPath(path)) => Arc::clone(path),
        None => format!("/{}", file.path()).into(),
    }
}

/// The error of a reader that does nothing but read the file at `path`.
pub(super) fn unreadable(path: &str, error: impl Into<DataFusionError>) -> Error {
    let error = error.into();
    let root = error.find_root();
    let (kind, cause) = of_file(root).unwrap_or_else(|| match root {
        DataFusionError::ArrowError(arrow, _) => (ErrorKind::DataCorrupt, arrow.to_string()),
        other => (kind_of(other), other.strip_backtrace()),
    });
    Error::new(kind, format!("failed to read {path}: {cause}"))
}

/// The same for a reader that also computes: what is no fault of the file, such as the end of the
/// memory or a division by zero in a filter, stays as it is.
pub(super) fn at_file(path: &str, error: DataFusionError) -> DataFusionError {
    match of_file(error.find_root()) {
        Some(_) => unreadable(path, error).into(),
        None => error,
    }
}

/// Kind and message of an error that is certainly about the file or its store.
fn of_file(error: &DataFusionError) -> Option<(ErrorKind, String)> {
    match error {
        DataFusionError::ObjectStore(error) => of_cause(&**error),
        DataFusionError::IoError(error) => of_cause(error),
        DataFusionError::ParquetError(error) => of_cause(&**error),
        DataFusionError::External(error) => of_cause(&**error),
        DataFusionError::ArrowError(error, _) => match &**error {
            ArrowError::IoError(_, error) => of_cause(error),
            ArrowError::ExternalError(error) => of_cause(&**error),
            ArrowError::ParquetError(message) => Some((ErrorKind::DataCorrupt, message.clone())),
            _ => None,
        },
        _ => None,
    }
}

fn of_cause(error: &(dyn StdError + 'static)) -> Option<(ErrorKind, String)> {
    if let Some(error) = error.downcast_ref::<Error>() {
        return Some((error.kind, error.message.clone()));
    }
    if let Some(error) = error.downcast_ref::<object_store::Error>() {
        return Some((of_store(error), error.to_string()));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // What an error of the reader carries came from below it.
        let inner = error.get_ref().and_then(|inner| of_cause(inner));
        return inner.or_else(|| Some((ErrorKind::DataCorrupt, error.to_string())));
    }
    match error.downcast_ref::<ParquetError>()? {
        ParquetError::External(inner) => {
            of_cause(&**inner).or_else(|| Some((ErrorKind::DataCorrupt, inner.to_string())))
        }
        other => Some((ErrorKind::DataCorrupt, other.to_string())),
    }
}

fn of_store(error: &object_store::Error) -> ErrorKind {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::PermissionDenied
        {
            return ErrorKind::PermissionDenied;
        }
        next = cause.source();
    }
    match error {
        NotFound { .. } => ErrorKind::NotFound,
        PermissionDenied { .. } | Unauthenticated { .. } => ErrorKind::PermissionDenied,
        _ => ErrorKind::Unavailable,
    }
}

/// The kind of what is no fault of a file.
fn kind_of(error: &DataFusionError) -> ErrorKind {
    match error {
        DataFusionError::ResourcesExhausted(_) => ErrorKind::ResourceExhausted,
        DataFusionError::NotImplemented(_) => ErrorKind::Unsupported,
        DataFusionError::Execution(_) | DataFusionError::Plan(_) => ErrorKind::DataCorrupt,
        _ => ErrorKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Into<DataFusionError>, kind: ErrorKind, message: &str) {
        let error = unreadable("f", error);
        assert_eq!((error.kind, error.message.as_str()), (kind, message));
    }

    #[test]
    fn kinds() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let denied = object_store::Error::Generic { store: "local", source: Box::new(denied) };
        let from_store = Error::new(ErrorKind::Unavailable, "no answer");
        check(
            io::Error::other(from_store.clone()),
            ErrorKind::Unavailable,
            "failed to read f: no answer",
        );
        check(
            ArrowError::IoError(String::new(), io::Error::other(from_store)),
            ErrorKind::Unavailable,
            "failed to read f: no answer",
        );
        check(
            io::Error::new(io::ErrorKind::InvalidData, "bad gzip"),
            ErrorKind::DataCorrupt,
            "failed to read f: bad gzip",
        );
        check(
            ArrowError::CsvError("bad line".to_owned()),
            ErrorKind::DataCorrupt,
            "failed to read f: Csv error: bad line",
        );
        check(
            ParquetError::External(Box::new(denied)),
            ErrorKind::PermissionDenied,
            "failed to read f: Generic local error: permission denied",
        );
    }

    #[test]
    fn what_is_no_fault_of_the_file_stays() {
        for error in [
            DataFusionError::ResourcesExhausted("memory".to_owned()),
            DataFusionError::from(ArrowError::DivideByZero),
        ] {
            let before = error.to_string();
            assert_eq!(at_file("f", error).to_string(), before);
        }
        let error = at_file("f", DataFusionError::from(ParquetError::EOF("end".to_owned())));
        assert!(error.to_string().contains("failed to read f: "), "{error}");
    }
}
