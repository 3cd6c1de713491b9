//! Requests over HTTP: connections, deadlines, and answers that are no success.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use reqwest::{Method, StatusCode};
use tokio::runtime::{self, Handle};

use super::counters;
use super::fault::{self, Fault};

/// Enough for any error of a store.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// How long a store may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Limits {
    /// For a connection to be made.
    pub(super) connect: Duration,
    /// From a request to the head of its answer, and from one part of a body to the next.
    pub(super) stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), stall: Duration::from_secs(30) }
    }
}

impl HttpConnector for Limits {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Transport { limits: *self }))
    }
}

/// Sends requests that are signed already. Connections know no user, so all share them.
#[derive(Debug)]
struct Transport {
    limits: Limits,
}

/// A connection is driven by the runtime that made it and ends with it.
type Clients = HashMap<(runtime::Id, Limits), reqwest::Client>;

static CLIENTS: LazyLock<Mutex<Clients>> = LazyLock::new(Mutex::default);

impl Transport {
    fn client(&self) -> Result<reqwest::Client, HttpError> {
        let key = (Handle::current().id(), self.limits);
        // Whatever panicked has put nothing or a whole client there.
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("sqe/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.limits.connect)
            .read_timeout(self.limits.stall)
            // A signature is for one address, and keys for one store.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let operation = operation(&request);
        let is_conditional = request.headers().contains_key("if-none-match");
        let sent_bytes = request.body().content_length();
        let answer = match HttpService::call(&self.client()?, request).await {
            Ok(answer) => answer,
            Err(error) => {
                counters::request(operation, "no_answer");
                return Err(HttpError::new(error.kind(), Fault::no_answer(&error)));
            }
        };
        counters::request(operation, outcome(answer.status()));
        if answer.status().is_success() {
            counters::bytes_written(sent_bytes);
        }
        checked(answer, operation).await.map_err(|fault| {
            let kind = match &fault {
                // What was refused for its rate has not been done. Of other failures nobody
                // knows, and a second attempt would find the object of the first.
                Fault::Refused { status: 429 | 503, .. } => HttpErrorKind::Request,
                fault if fault.is_passing() && is_conditional => HttpErrorKind::Unknown,
                fault if fault.is_passing() => HttpErrorKind::Request,
                Fault::NoAnswer(_) => HttpErrorKind::Interrupted,
                _ => HttpErrorKind::Unknown,
            };
            HttpError::new(kind, fault)
        })
    }
}

async fn checked(answer: HttpResponse, operation: &str) -> Result<HttpResponse, Fault> {
    let status = answer.status();
    if !status.is_success() {
        // An error whose body breaks off is still that error.
        let body = read(answer.into_body(), MAX_ERROR_BYTES).await.unwrap_or_default();
        return Err(Fault::Refused { status: status.as_u16(), code: fault::code_in(&body) });
    }
    // These begin with a success before they know how they end.
    if !matches!(operation, "delete" | "complete_upload" | "copy") {
        return Ok(answer);
    }
    let (head, body) = answer.into_parts();
    let body = read(body, usize::MAX).await?;
    if String::from_utf8_lossy(&body).contains("<Error>") {
        let code = fault::code_in(&body);
        return Err(Fault::Refused { status: fault::status_of(code.as_deref()), code });
    }
    Ok(HttpResponse::from_parts(head, body.into()))
}

/// A body up to about `max_bytes` of it.
async fn read(body: HttpResponseBody, max_bytes: usize) -> Result<Bytes, Fault> {
    let mut stream = body.bytes_stream();
    let mut collected = BytesMut::new();
    while collected.len() < max_bytes
        && let Some(part) = stream.next().await
    {
        collected.extend_from_slice(&part.map_err(|error| Fault::no_answer(&error))?);
    }
    Ok(collected.freeze())
}

/// The operation of S3 that a request is for.
fn operation(request: &HttpRequest) -> &'static str {
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| {
        query.split('&').any(|part| part.split('=').next().is_some_and(|key| key == name))
    };
    match *request.method() {
        Method::GET if has("list-type") => "list",
        Method::GET => "get",
        Method::HEAD => "head",
        Method::PUT if has("partNumber") => "put_part",
        Method::PUT if request.headers().contains_key("x-amz-copy-source") => "copy",
        Method::PUT => "put",
        Method::POST if has("uploads") => "create_upload",
        Method::POST if has("uploadId") => "complete_upload",
        Method::POST => "delete",
        Method::DELETE => "abort_upload",
        _ => "other",
    }
}

fn outcome(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..300 => "ok",
        401 | 403 => "denied",
        404 => "not_found",
        429 | 503 => "throttled",
        500.. => "failed",
        _ => "refused",
    }
}
