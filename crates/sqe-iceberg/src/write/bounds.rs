//! Bounds of columns, shortened to what manifests should carry.
//!
//! A lower bound may be too low and an upper bound too high, never the other way: a prefix is a
//! lower bound as it is, and an upper bound once its last character is counted up.

use iceberg::spec::{Datum, PrimitiveLiteral, PrimitiveType};

use super::metrics::MetricsMode;
use crate::successor::{next_bytes, next_string};

/// A bound that is not above `value`.
pub(super) fn lower_bound(value: Datum, mode: MetricsMode) -> Datum {
    let MetricsMode::Truncate(length) = mode else {
        return value;
    };
    match (value.data_type(), value.literal()) {
        (PrimitiveType::String, PrimitiveLiteral::String(text)) => match prefix(text, length) {
            Some(prefix) => Datum::string(prefix),
            None => value,
        },
        (data_type, PrimitiveLiteral::Binary(bytes)) if bytes.len() > length => {
            binary(data_type, bytes[..length].to_vec())
        }
        _ => value,
    }
}

/// A bound that is not below `value`; `None` where no short one exists.
pub(super) fn upper_bound(value: Datum, mode: MetricsMode) -> Option<Datum> {
    let MetricsMode::Truncate(length) = mode else {
        return Some(value);
    };
    match (value.data_type(), value.literal()) {
        (PrimitiveType::String, PrimitiveLiteral::String(text)) => match prefix(text, length) {
            Some(prefix) => next_string(prefix).map(Datum::string),
            None => Some(value),
        },
        (data_type, PrimitiveLiteral::Binary(bytes)) if bytes.len() > length => {
            next_bytes(&bytes[..length]).map(|next| binary(data_type, next))
        }
        _ => Some(value),
    }
}

fn binary(data_type: &PrimitiveType, bytes: Vec<u8>) -> Datum {
    match data_type {
        PrimitiveType::Fixed(_) => Datum::fixed(bytes),
        _ => Datum::binary(bytes),
    }
}

/// The first `length` characters, where there are more.
fn prefix(text: &str, length: usize) -> Option<&str> {
    text.char_indices().nth(length).map(|(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn upper_bounds_are_counted_up() {
        let check = |value: &str, expected: Option<&str>| {
            let bound = upper_bound(Datum::string(value), MetricsMode::Truncate(3));
            assert_eq!(bound, expected.map(Datum::string), "{value:?}");
        };
        check("abc", Some("abc"));
        check("abcd", Some("abd"));
        check("äöüß", Some("äöý"));
        check("ab\u{10FFFF}d", Some("ac"));
        check("\u{10FFFF}\u{10FFFF}\u{10FFFF}d", None);
        check("ab\u{D7FF}d", Some("ab\u{E000}"));
    }

    #[test]
    fn binaries_without_a_short_upper_bound_have_none() {
        let check = |value: &[u8], expected: Option<&[u8]>| {
            let bound = upper_bound(Datum::binary(value.to_vec()), MetricsMode::Truncate(2));
            assert_eq!(bound, expected.map(|bytes| Datum::binary(bytes.to_vec())));
        };
        check(&[0xFF, 0xFF], Some(&[0xFF, 0xFF]));
        check(&[0xFF, 0xFF, 0], None);
        check(&[1, 0xFF, 0], Some(&[2]));
    }

    proptest! {
        #[test]
        fn bounds_hold_their_value(value: String, length in 1..20usize) {
            let mode = MetricsMode::Truncate(length);
            let datum = Datum::string(&value);
            prop_assert!(lower_bound(datum.clone(), mode) <= datum);
            if let Some(upper) = upper_bound(datum.clone(), mode) {
                prop_assert!(upper >= datum);
            }
        }
    }
}
