//! Uuids as they are written. Arrow has no cast between the sixteen bytes and the text.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, FixedSizeBinaryBuilder, StringBuilder};
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

/// An array of `FixedSizeBinary(16)` as text with dashes.
pub fn format_array(uuids: &ArrayRef) -> Result<ArrayRef> {
    let mut text = StringBuilder::with_capacity(uuids.len(), uuids.len() * 36);
    for bytes in uuids.as_fixed_size_binary() {
        match bytes.map(Uuid::from_slice) {
            Some(Ok(uuid)) => text.append_value(uuid.hyphenated().to_string()),
            Some(Err(_)) => {
                return Err(Error::new(ErrorKind::Internal, "a uuid has not sixteen bytes"));
            }
            None => text.append_null(),
        }
    }
    Ok(Arc::new(text.finish()))
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn text_and_bytes_stand_for_each_other() {
        let written = StringArray::from(vec![
            Some("550E8400-e29b-41d4-a716-446655440000"),
            None,
            Some("550e8400e29b41d4a716446655440000"),
        ]);
        let bytes = parse_array(&(Arc::new(written) as ArrayRef)).unwrap();
        let text = format_array(&bytes).unwrap();
        let expected = Some("550e8400-e29b-41d4-a716-446655440000");
        assert_eq!(*text.as_string::<i32>(), StringArray::from(vec![expected, None, expected]));
    }
}
