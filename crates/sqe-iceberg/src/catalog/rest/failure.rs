//! What a request that failed means: the error, whether trying again may help, and whether the
//! server may have done what it was asked for.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::call::Call;
use crate::{Error, ErrorKind};

/// Longest part of a server's message that is passed on, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// Why a call did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// The same request may succeed later.
    pub(super) transient: bool,
    /// The server may have done it all the same.
    pub(super) maybe_done: bool,
    /// When the server wants to be asked again.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    /// Final, and nothing was done.
    pub(super) fn of(error: Error) -> Self {
        Self { error, transient: false, maybe_done: false, retry_after: None }
    }

    /// Final, and nobody knows what was done.
    pub(super) fn unknown(error: Error) -> Self {
        Self { maybe_done: true, ..Self::of(error) }
    }

    /// The request did not get through, or its answer did not.
    pub(super) fn of_transport(error: &reqwest::Error, subject: &str, catalog: &str) -> Self {
        let maybe_done = !error.is_connect() && !error.is_builder();
        let what = if error.is_connect() {
            "cannot be reached"
        } else if error.is_timeout() {
            "did not answer in time"
        } else {
            "broke off the connection"
        };
        // The library's error names the address with its query, the causes do not.
        let mut message = format!("{subject}: catalog {catalog} {what}");
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        let error = Error::new(ErrorKind::Unavailable, message);
        Self { error, transient: true, maybe_done, retry_after: None }
    }

    /// The server answered with an error.
    pub(super) fn of_refusal(
        call: &Call,
        catalog: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        token: Option<&SecretString>,
    ) -> Self {
        let said = ServerError::parse(body);
        let kind = kind(call, status, said.as_ref());
        let number = status.as_u16();
        let (subject, default) = (&call.subject, status.canonical_reason().unwrap_or("an error"));
        let message = match said.and_then(|said| said.message).filter(|text| !text.is_empty()) {
            Some(text) => shown(&text, token),
            None if kind == ErrorKind::BadAnswer => "no error of an Iceberg catalog".to_owned(),
            None => default.to_owned(),
        };
        let message = format!("{subject}: catalog {catalog} answered {number}: {message}");
        let retry_after = retry_after(headers);
        let transient = kind == ErrorKind::Unavailable;
        let turned_away = status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some());
        let maybe_done = transient && !turned_away;
        Self { error: Error::new(kind, message), transient, maybe_done, retry_after }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of(error)
    }
}

/// The body of an error.
struct ServerError {
    message: Option<String>,
    type_name: String,
}

impl ServerError {
    fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Body {
            error: Inner,
            #[serde(default)]
            error_description: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Inner {
            Iceberg {
                #[serde(default)]
                message: Option<String>,
                #[serde(default, rename = "type")]
                type_name: Option<String>,
            },
            OAuth(String),
        }
        let body: Body = serde_json::from_slice(body).ok()?;
        Some(match body.error {
            Inner::Iceberg { message, type_name } => {
                Self { message, type_name: type_name.unwrap_or_default() }
            }
            Inner::OAuth(code) => {
                Self { message: body.error_description.or(Some(code)), type_name: String::new() }
            }
        })
    }
}

fn kind(call: &Call, status: StatusCode, said: Option<&ServerError>) -> ErrorKind {
    // Some servers say 500 where others say what is meant, so the type comes first.
    match said.map_or("", |said| said.type_name.as_str()) {
        "AccessCheckException" | "AccessDeniedException" | "ForbiddenException" => {
            return ErrorKind::Forbidden;
        }
        "AlreadyExistsException" => return ErrorKind::AlreadyExists,
        "CommitFailedException" => return call.conflict,
        name if name.contains("NotEmpty") => return ErrorKind::InvalidArgument,
        _ => {}
    }
    // An answer to HEAD has no body.
    let said_so = said.is_some() || call.method == Method::HEAD;
    match status.as_u16() {
        401 | 419 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 if said_so => ErrorKind::NotFound,
        405 | 406 | 501 => ErrorKind::Unsupported,
        409 if said_so => call.conflict,
        400 if said_so => call.bad_request,
        422 if said_so => ErrorKind::InvalidArgument,
        408 | 425 | 429 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::BadAnswer,
    }
}

/// A server's message as it may be shown: one line of bounded length, without the token that was
/// sent with the request.
fn shown(message: &str, token: Option<&SecretString>) -> String {
    let message = match token.map(ExposeSecret::expose_secret) {
        Some(token) if !token.is_empty() => message.replace(token, "***"),
        _ => message.to_owned(),
    };
    let line = message.split(char::is_control).filter(|part| !part.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some((at.with_timezone(&Utc) - Utc::now()).to_std().unwrap_or_default())
}
