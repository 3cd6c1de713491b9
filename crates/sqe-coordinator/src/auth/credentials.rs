//! The `authorization` header, taken apart. Nothing is verified here.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::flight::status;

/// Go's drivers send base64 without padding, the others with it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const MAX_USER_BYTES: usize = 256;

/// What a client shows.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) enum Credentials {
    /// Nothing.
    Absent,
    /// A user name. The password is not kept, because nothing checks one.
    Basic {
        /// Not empty.
        user: String,
    },
    /// A token.
    Bearer(String),
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
            token => Ok(Credentials::Bearer(token.to_owned())),
        };
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err("the authorization header is neither Basic nor Bearer");
    }
    let decoded = BASE64.decode(value).map_err(|_| "the basic credentials are not base64")?;
    let decoded = String::from_utf8(decoded).map_err(|_| "the basic credentials are not UTF-8")?;
    let Some((user, _password)) = decoded.split_once(':') else {
        return Err("the basic credentials have no colon");
    };
    match user {
        "" => Ok(Credentials::Absent),
        _ if user.len() > MAX_USER_BYTES => Err("the user name is too long"),
        _ if user.contains(char::is_control) => Err("the user name has control characters"),
        _ => Ok(Credentials::Basic { user: user.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Result<Credentials, &str>) {
        assert_eq!(parse(header), expected, "{header}");
    }

    fn basic(user: &str) -> Result<Credentials, &'static str> {
        Ok(Credentials::Basic { user: user.into() })
    }

    #[test]
    fn basic_is_read_with_and_without_padding() {
        check("Basic cm9vdDpzZWNyZXQ=", basic("root"));
        check("Basic cm9vdDpzZWNyZXQ", basic("root"));
        check("basic cm9vdDpzOmVj", basic("root"));
        check("Basic w6k6", basic("é"));
        check("Basic OnNlY3JldA==", Ok(Credentials::Absent));
        check("", Ok(Credentials::Absent));
    }

    #[test]
    fn bearer_is_taken_as_it_is() {
        let token = |text: &str| Ok(Credentials::Bearer(text.into()));
        check("Bearer abc.def", token("abc.def"));
        check("bearer  abc ", token("abc"));
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
