//! The `authorization` header, taken apart. Nothing is verified here.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::sessions::OWN_TOKEN;
use crate::flight::status;

/// Go's drivers send base64 without padding, the others with it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const MAX_USER_BYTES: usize = 256;
/// The name under which tools give a token as a password.
const TOKEN_USER: &str = "token";

/// What a client shows.
#[derive(Debug)]
pub(super) enum Credentials {
    /// Nothing.
    Absent,
    /// A name and what proves it.
    Basic {
        /// Not empty.
        user: String,
        /// May be empty.
        password: SecretString,
    },
    /// A token.
    Bearer(SecretString),
}

impl Credentials {
    /// The token that is shown, also where a tool that knows names and passwords only shows a JWT
    /// or a token of our own as the password of the user `token`.
    pub(super) fn token(&self) -> Option<&SecretString> {
        match self {
            Self::Bearer(token) => Some(token),
            Self::Basic { user, password } if user == TOKEN_USER => {
                let is_jwt = password.expose_secret().split('.').count() == 3;
                (is_jwt || is_own(password)).then_some(password)
            }
            Self::Basic { .. } | Self::Absent => None,
        }
    }

    /// The token that is shown, if it is one of our own.
    pub(super) fn own_token(&self) -> Option<&SecretString> {
        self.token().filter(|token| is_own(token))
    }
}

fn is_own(token: &SecretString) -> bool {
    token.expose_secret().starts_with(OWN_TOKEN)
}

/// The credentials in `headers`. Errors: `UNAUTHENTICATED`, without any part of the header.
pub(super) fn of(headers: &MetadataMap) -> Result<Credentials, Status> {
    let Some(header) = headers.get("authorization") else {
        return Ok(Credentials::Absent);
    };
    let text = header
        .to_str()
        .map_err(|_| status::unauthenticated("the authorization header is not ASCII"))?;
    parse(text).map_err(status::unauthenticated)
}

fn parse(header: &str) -> Result<Credentials, &'static str> {
    let header = header.trim();
    if header.is_empty() {
        return Ok(Credentials::Absent);
    }
    let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return match value {
            "" => Err("the bearer token is empty"),
            token => Ok(Credentials::Bearer(token.into())),
        };
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err("the authorization header is neither Basic nor Bearer");
    }
    let decoded = BASE64.decode(value).map_err(|_| "the basic credentials are not base64")?;
    let decoded = String::from_utf8(decoded).map_err(|_| "the basic credentials are not UTF-8")?;
    let Some((user, password)) = decoded.split_once(':') else {
        return Err("the basic credentials have no colon");
    };
    match user {
        "" => Ok(Credentials::Absent),
        _ if user.len() > MAX_USER_BYTES => Err("the user name is too long"),
        _ if user.contains(char::is_control) => Err("the user name has control characters"),
        _ => Ok(Credentials::Basic { user: user.to_owned(), password: password.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scheme, the name and the secret.
    fn check(header: &str, expected: Result<(&str, &str, &str), &str>) {
        let parsed = parse(header);
        let shown = match &parsed {
            Ok(Credentials::Absent) => Ok(("absent", "", "")),
            Ok(Credentials::Basic { user, password }) => {
                Ok(("basic", user.as_str(), password.expose_secret()))
            }
            Ok(Credentials::Bearer(token)) => Ok(("bearer", "", token.expose_secret())),
            Err(message) => Err(*message),
        };
        assert_eq!(shown, expected, "{header}");
        assert!(!format!("{parsed:?}").contains("secret"), "{parsed:?}");
    }

    #[test]
    fn basic_is_read_with_and_without_padding() {
        check("Basic cm9vdDpzZWNyZXQ=", Ok(("basic", "root", "secret")));
        check("Basic cm9vdDpzZWNyZXQ", Ok(("basic", "root", "secret")));
        check("basic cm9vdDpzOmVj", Ok(("basic", "root", "s:ec")));
        check("Basic w6k6", Ok(("basic", "é", "")));
        check("Basic OnNlY3JldA==", Ok(("absent", "", "")));
        check("", Ok(("absent", "", "")));
    }

    #[test]
    fn bearer_is_taken_as_it_is() {
        check("Bearer secret.def", Ok(("bearer", "", "secret.def")));
        check("bearer  abc ", Ok(("bearer", "", "abc")));
    }

    #[test]
    fn malformed_headers_are_refused() {
        check("Bearer", Err("the bearer token is empty"));
        check("Basic cm9vdA==", Err("the basic credentials have no colon"));
        check("Basic cm9v*", Err("the basic credentials are not base64"));
        check("Basic /zo=", Err("the basic credentials are not UTF-8"));
        check("Basic Cjo=", Err("the user name has control characters"));
        check("Digest x", Err("the authorization header is neither Basic nor Bearer"));
    }
}
