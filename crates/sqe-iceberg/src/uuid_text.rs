//! Uuids as they are written. Arrow has no cast between the sixteen bytes and the text.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, FixedSizeBinaryBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use uuid::Uuid;

use crate::{Error, ErrorKind, Result};

/// The uuid that `text` is, in any form of RFC 9562. Errors: `InvalidArgument`.
pub fn parse(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|_| Error::invalid(format!("{text:?} is not a uuid")))
}

/// An array of text as one of `FixedSizeBinary(16)`. Errors: `InvalidArgument`.
pub fn parse_array(text: &ArrayRef) -> Result<ArrayRef> {
    let internal = |error: ArrowError| {
        Error::new(ErrorKind::Internal, "text cannot be read as uuids").with_source(error)
    };
    let text = cast(text, &DataType::Utf8View).map_err(internal)?;
    let mut uuids = FixedSizeBinaryBuilder::with_capacity(text.len(), 16);
    for text in text.as_string_view() {
        match text {
            Some(text) => uuids.append_value(parse(text)?.as_bytes()).map_err(internal)?,
            None => uuids.append_null(),
        }
    }
    Ok(Arc::new(uuids.finish()))
}
