//! How a section of the file becomes a struct: one declaration gives the fields, their defaults,
//! the list of known keys and a setter per key, so the three cannot drift apart.

use std::any::TypeId;
use std::net::IpAddr;

use bytesize::ByteSize;
use serde::de::{DeserializeOwned, IntoDeserializer};

use super::Span;

/// A TOML table with a fixed set of keys.
pub trait Section {
    /// Every key that may stand in this section, aliases included.
    const KEYS: &'static [&'static str];

    /// Sets `key` from a TOML value.
    ///
    /// Errors: a sentence about the value, or [`SetError::UnknownKey`] if the section has no such
    /// key.
    fn set(&mut self, key: &str, value: toml_edit::Value) -> Result<(), SetError>;
}

/// Why a key could not be set.
#[derive(Debug)]
pub enum SetError {
    /// The section has no such key.
    UnknownKey,
    /// The key exists, the value does not fit; the text says why.
    BadValue(String),
}

/// Reads a value of the type a field has.
pub(super) fn read<T: DeserializeOwned + 'static>(value: toml_edit::Value) -> Result<T, SetError> {
    let written = form::<T>().map(|form| {
        let got = value.clone().decorated("", "");
        format!("must be {form}, got {got}")
    });
    T::deserialize(value.into_deserializer()).map_err(|error| {
        SetError::BadValue(written.unwrap_or_else(|| error.message().trim().to_owned()))
    })
}

/// How values of a type are written, where the messages of its parser do not say it.
fn form<T: 'static>() -> Option<&'static str> {
    let forms = [
        (TypeId::of::<ByteSize>(), "a size such as \"64MiB\""),
        (TypeId::of::<Span>(), "a duration such as \"30s\" or \"5min\""),
        (TypeId::of::<u16>(), "a port from 0 to 65535"),
        (TypeId::of::<u32>(), "a whole number from 0"),
        (TypeId::of::<IpAddr>(), "an IP address such as \"127.0.0.1\""),
        (TypeId::of::<bool>(), "true or false"),
        (TypeId::of::<Option<bool>>(), "true or false"),
    ];
    forms.iter().find(|(of, _)| *of == TypeId::of::<T>()).map(|(_, form)| *form)
}

/// Declares a section: `field ("key" | "alias"): Type = default`.
macro_rules! section {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $( $(#[$field_doc:meta])* $field:ident ($key:literal $(| $alias:literal)*): $ty:ty = $default:expr, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $( $(#[$field_doc])* pub $field: $ty, )* }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::config::section::Section for $name {
            const KEYS: &'static [&'static str] = &[ $( $key, $( $alias, )* )* ];

            fn set(
                &mut self,
                key: &str,
                value: toml_edit::Value,
            ) -> Result<(), $crate::config::section::SetError> {
                match key {
                    $( $key $( | $alias )* => {
                        self.$field = $crate::config::section::read(value)?;
                        Ok(())
                    } )*
                    _ => Err($crate::config::section::SetError::UnknownKey),
                }
            }
        }
    };
}
pub(super) use section;
