//! Value types of the configuration file.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use url::Url;

/// A length of time written as `"30s"` or `"5min"`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|_| {
            serde::de::Error::custom(format!(
                "must be a duration such as \"30s\" or \"5min\", got {text:?}"
            ))
        })
    }
}

/// An address on the web, also as it was written: the issuer of tokens is compared by its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
    text: String,
}

impl Address {
    /// The address.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The same as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && !has_account(&url) => {
                Ok(Self { url, text })
            }
            // It may hold a password, and is not repeated.
            _ => Err(serde::de::Error::custom(
                "must be an address such as \"https://host/path\" without an account",
            )),
        }
    }
}

fn has_account(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// A value that must not be printed: its `Debug` is `***`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "***");
    }
}
