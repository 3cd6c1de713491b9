//! A request as it is before anybody's token is added, and the answer to it.

use std::fmt;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use super::config::Negotiated;
use super::failure::Failure;
use crate::{Error, ErrorKind, Result};

/// Asks for keys that reach the files of the table and nothing else.
const DELEGATION: HeaderName = HeaderName::from_static("x-iceberg-access-delegation");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Answers longer than this are parsed where blocking is allowed.
const LONG_ANSWER_BYTES: usize = 64 << 10;

/// One request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What it is about, for messages: `table s.t`.
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    /// Doing it twice is as good as doing it once.
    pub(super) repeatable: bool,
    /// What `409 Conflict` means where the server does not say it.
    pub(super) conflict: ErrorKind,
    /// What `400 Bad Request` means.
    pub(super) bad_request: ErrorKind,
}

impl Call {
    fn new(method: Method, url: Url, subject: &dyn fmt::Display, repeatable: bool) -> Self {
        Self {
            method,
            url,
            subject: subject.to_string(),
            headers: HeaderMap::new(),
            body: None,
            repeatable,
            conflict: ErrorKind::Conflict,
            bad_request: ErrorKind::InvalidArgument,
        }
    }

    /// A request that changes nothing.
    pub(super) fn read(method: Method, url: Url, subject: &dyn fmt::Display) -> Self {
        Self::new(method, url, subject, true)
    }

    /// A request that changes something. Where the server takes a key that tells a repetition from
    /// a second request, it can be repeated.
    pub(super) fn change(
        server: &Negotiated,
        method: Method,
        url: Url,
        subject: &dyn fmt::Display,
    ) -> Self {
        let mut call = Self::new(method, url, subject, server.takes_idempotency_key);
        if server.takes_idempotency_key {
            call.set_header(IDEMPOTENCY_KEY, &Uuid::now_v7().to_string());
        }
        call
    }

    pub(super) fn with_body(mut self, body: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_vec(body).map_err(|error| {
            Error::new(ErrorKind::Internal, "a request that cannot be written").with_source(error)
        })?;
        self.body = Some(json.into());
        Ok(self)
    }

    pub(super) fn with_delegation(mut self) -> Self {
        self.set_header(DELEGATION, "vended-credentials");
        self
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        self.set_header(name, value);
        self
    }

    /// What `409 Conflict` means, in place of somebody else being first.
    pub(super) fn on_conflict(mut self, kind: ErrorKind) -> Self {
        self.conflict = kind;
        self
    }

    /// The request says nothing but the name of a table or view. Where that is bad, there is none:
    /// some servers do not look for a table where a view has the name.
    pub(super) fn of_name_alone(mut self) -> Self {
        self.bad_request = ErrorKind::NotFound;
        self
    }

    /// A value that is no header is left out, which costs a revalidation or a retry at most.
    fn set_header(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }
}

/// An answer that is no refusal.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) etag: Option<String>,
    pub(super) body: Bytes,
    pub(super) subject: String,
    /// The name of the catalog, for messages.
    pub(super) catalog: String,
}

impl Answer {
    /// The body, which must be what the protocol says. The failure does not show any of it.
    pub(super) async fn json<T: DeserializeOwned + Send + 'static>(
        &self,
    ) -> std::result::Result<T, Failure> {
        let body = self.body.clone();
        let parsed = match body.len() > LONG_ANSWER_BYTES {
            false => serde_json::from_slice(&body),
            true => {
                let parse = move || serde_json::from_slice(&body);
                tokio::task::spawn_blocking(parse).await.map_err(|error| {
                    let message = "parsing of an answer ended early";
                    Failure::of(Error::new(ErrorKind::Internal, message).with_source(error))
                })?
            }
        };
        parsed.map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "with JSON that its protocol does not allow",
                _ => "with something that is not JSON",
            };
            self.bad(&format!("{what} (at line {} column {})", error.line(), error.column()))
        })
    }

    /// Not what the protocol says.
    pub(super) fn bad(&self, what: &str) -> Failure {
        let (subject, catalog, status) = (&self.subject, &self.catalog, self.status.as_u16());
        let message = format!("{subject}: catalog {catalog} answered {status} {what}");
        Failure::unknown(Error::new(ErrorKind::BadAnswer, message))
    }
}
