//! Addresses of namespaces, tables and views.

use iceberg::{NamespaceIdent, TableIdent};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::config::Negotiated;
use crate::{Error, ErrorKind, Result};

/// All but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What would end the path that a server's own prefix is part of.
const NOT_IN_PREFIX: &AsciiSet =
    &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?');

impl Negotiated {
    /// The address of a resource below the prefix.
    pub(super) fn url(&self, path: &str) -> Result<Url> {
        let prefix = utf8_percent_encode(&self.prefix, NOT_IN_PREFIX);
        let text = format!("{}/v1/{prefix}{path}", self.base);
        Url::parse(&text).map_err(|error| {
            Error::new(ErrorKind::BadAnswer, format!("{text} is no address")).with_source(error)
        })
    }

    /// `namespaces/NAMESPACE`.
    pub(super) fn namespace(&self, namespace: &NamespaceIdent) -> Result<String> {
        Ok(format!("namespaces/{}", segment(&self.joined(namespace)?, namespace)?))
    }

    /// `namespaces/NAMESPACE/KIND/NAME`, with `tables` or `views` as the kind.
    pub(super) fn named(&self, kind: &str, ident: &TableIdent) -> Result<String> {
        let name = utf8_percent_encode(&ident.name, ENCODED).to_string();
        Ok(format!("{}/{kind}/{}", self.namespace(&ident.namespace)?, segment(&name, ident)?))
    }

    /// The levels of a namespace, encoded, as paths and queries hold them.
    pub(super) fn joined(&self, namespace: &NamespaceIdent) -> Result<String> {
        if namespace.iter().any(|level| level.is_empty()) {
            return Err(Error::invalid(format!("a level of namespace {namespace:?} is empty")));
        }
        let levels = namespace.iter().map(|level| utf8_percent_encode(level, ENCODED).to_string());
        Ok(levels.collect::<Vec<_>>().join(&self.separator))
    }
}

/// Errors: `InvalidArgument` for what a path cannot name: in one, `.` and `..` are directories,
/// encoded or not.
fn segment<'a>(encoded: &'a str, of: &dyn std::fmt::Display) -> Result<&'a str> {
    match encoded {
        "" | "." | ".." => Err(Error::invalid(format!("{of} has a name that no address can hold"))),
        other => Ok(other),
    }
}
