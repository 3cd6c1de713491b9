//! How a section of the file becomes a struct: one declaration gives the fields, their defaults,
//! the list of known keys and a setter per key, so the three cannot drift apart.

use serde::de::{DeserializeOwned, IntoDeserializer};

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
pub(super) fn read<T: DeserializeOwned>(value: toml_edit::Value) -> Result<T, SetError> {
    T::deserialize(value.into_deserializer())
        .map_err(|error| SetError::BadValue(error.message().trim().to_owned()))
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
