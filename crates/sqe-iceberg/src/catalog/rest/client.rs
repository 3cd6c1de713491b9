//! Sending requests: the user's token, deadlines, retries, bounded answers.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderValue};
use reqwest::{Method, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, timeout};

use super::call::{Answer, Call};
use super::failure::Failure;
use crate::token::TokenSource;
use crate::{Error, ErrorKind, Result};

/// Attempts of one call, the first included.
const MAX_ATTEMPTS: usize = 4;
const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How long a connection may be in the making.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer that is read. A table of ten thousand snapshots has about 10 MB of metadata.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// Longest body of an error that is read.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// What bounds a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) request_timeout: Duration,
    /// Retries and pauses included.
    pub(super) total_timeout: Duration,
    pub(super) max_answer_bytes: usize,
}

impl Limits {
    pub(super) fn of(request_timeout: Duration) -> Self {
        let total_timeout = request_timeout.saturating_mul(3);
        Self { request_timeout, total_timeout, max_answer_bytes: MAX_ANSWER_BYTES }
    }
}

/// The connections that all users of a catalog share. It keeps no cookies, and it follows no
/// redirection, which would take a token to a place that nobody configured.
pub(super) fn http(request_timeout: Duration) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("sqe/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT.min(request_timeout))
        .redirect(redirect::Policy::none());
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Internal, "HTTP client cannot be set up").with_source(error)
    })
}

/// Sends requests to one catalog with the tokens of one user.
pub(super) struct Client {
    http: reqwest::Client,
    tokens: Arc<dyn TokenSource>,
    catalog: String,
    limits: Limits,
}

impl Client {
    pub(super) fn new(
        http: reqwest::Client,
        tokens: Arc<dyn TokenSource>,
        catalog: String,
        limits: Limits,
    ) -> Self {
        Self { http, tokens, catalog, limits }
    }

    /// Sends a request, again where that may help: what can be repeated after any failure that may
    /// pass, anything else only where the server certainly did nothing.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.limits.total_timeout;
        let pauses = ExponentialBuilder::default()
            .with_min_delay(MIN_PAUSE)
            .with_max_delay(MAX_PAUSE)
            .with_max_times(MAX_ATTEMPTS - 1)
            .with_jitter();
        let mut pauses = pauses.build();
        // Once a request may have been done, a later failure does not change that.
        let mut maybe_done = false;
        loop {
            let mut failure = match self.attempt(call, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            maybe_done |= failure.maybe_done;
            failure.maybe_done = maybe_done;
            let again = failure.transient && (call.repeatable || !maybe_done);
            let Some(pause) = pauses.next().filter(|_| again) else {
                return Err(failure);
            };
            let pause = failure.retry_after.map_or(pause, |wanted| wanted.max(pause));
            if Instant::now() + pause >= deadline {
                return Err(failure);
            }
            let (catalog, error) = (&self.catalog, &failure.error);
            tracing::debug!(%catalog, %error, ?pause, "request to the catalog is tried again");
            sleep(pause).await;
        }
    }

    /// One request; a second one with another token where the server did not accept the first.
    async fn attempt(&self, call: &Call, deadline: Instant) -> Result<Answer, Failure> {
        let token = self.in_time(self.tokens.token()).await?;
        let failure = match self.request(call, token.as_ref(), deadline).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let Some(refused) = token.filter(|_| failure.error.kind() == ErrorKind::Unauthenticated)
        else {
            return Err(failure);
        };
        match self.in_time(self.tokens.replace(&refused)).await? {
            Some(token) => self.request(call, Some(&token), deadline).await,
            None => Err(failure),
        }
    }

    async fn in_time<T>(&self, token: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(self.limits.request_timeout, token).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Unavailable, "no token of the user was to be had in time"))
        })
    }

    async fn request(
        &self,
        call: &Call,
        token: Option<&SecretString>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = self.limits.request_timeout.min(left);
        let started = Instant::now();
        let result = match timeout(limit, self.exchange(call, token)).await {
            Ok(result) => result,
            Err(_) => {
                let (subject, catalog) = (&call.subject, &self.catalog);
                let message = format!("{subject}: catalog {catalog} did not answer in {limit:?}");
                let error = Error::new(ErrorKind::Unavailable, message);
                Err(Failure { transient: true, ..Failure::unknown(error) })
            }
        };
        let elapsed = started.elapsed();
        metrics::histogram!("sqe_catalog_request_seconds", "catalog" => self.catalog.clone())
            .record(elapsed);
        let outcome = match &result {
            Ok(answer) => answer.status.to_string(),
            Err(failure) => format!("{:?}", failure.error.kind()),
        };
        let (catalog, method, path) = (&self.catalog, &call.method, call.url.path());
        tracing::debug!(%catalog, %method, path, outcome, ?elapsed, "request to the catalog");
        result
    }

    async fn exchange(&self, call: &Call, token: Option<&SecretString>) -> Result<Answer, Failure> {
        let mut request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .headers(call.headers.clone())
            .header(ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, bearer(token)?);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await.map_err(|error| self.broken(call, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if !status.is_success() && status != StatusCode::NOT_MODIFIED {
            let body = self.error_body(response).await;
            let catalog = &self.catalog;
            return Err(Failure::of_refusal(call, catalog, status, &headers, &body, token));
        }
        let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let body = match call.method == Method::HEAD {
            true => Bytes::new(),
            false => self.body(call, response).await?,
        };
        let (subject, catalog) = (call.subject.clone(), self.catalog.clone());
        Ok(Answer { status, etag, body, subject, catalog })
    }

    fn broken(&self, call: &Call, error: &reqwest::Error) -> Failure {
        Failure::of_transport(error, &call.subject, &self.catalog)
    }

    async fn body(&self, call: &Call, mut response: Response) -> Result<Bytes, Failure> {
        let max = self.limits.max_answer_bytes;
        let mut body = BytesMut::new();
        let mut announced = response.content_length().unwrap_or(0);
        loop {
            if announced.max(body.len() as u64) > max as u64 {
                let (subject, catalog) = (&call.subject, &self.catalog);
                let message =
                    format!("{subject}: catalog {catalog} answered more than {max} bytes");
                return Err(Failure::unknown(Error::new(ErrorKind::BadAnswer, message)));
            }
            announced = 0;
            match response.chunk().await.map_err(|error| self.broken(call, &error))? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => return Ok(body.freeze()),
            }
        }
    }

    /// As much of an error's body as there is; the status says enough where there is none.
    async fn error_body(&self, mut response: Response) -> BytesMut {
        let mut body = BytesMut::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ERROR_BYTES {
                break;
            }
        }
        body
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue> {
    let value = format!("Bearer {}", token.expose_secret());
    let mut value = HeaderValue::from_str(&value).map_err(|_| {
        Error::new(ErrorKind::Unauthenticated, "the token of the user is no HTTP header")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
