//! HTTP to identity providers: bounded in time and size, no redirects, nothing of an answer in an
//! error.

use std::time::Duration;

use sqe_engine::{Error, ErrorKind, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(15);
/// Keys and tokens are far smaller.
const MAX_BODY_BYTES: usize = 1 << 20;

/// A client for one provider.
pub(super) fn client() -> Result<reqwest::Client> {
    // Fails if the process has chosen a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    client.map_err(|error| {
        Error::new(ErrorKind::Internal, format!("cannot set up HTTP: {}", without_url(error)))
    })
}

/// The whole body of an answer. Errors: `Unavailable` where it breaks off or is too large.
pub(super) async fn body(mut answer: reqwest::Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unavailable)? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            let message = format!("the identity provider answers more than {MAX_BODY_BYTES} bytes");
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// `Unavailable` for a request that got no answer.
pub(super) fn unavailable(error: reqwest::Error) -> Error {
    let message = format!("the identity provider does not answer: {}", without_url(error));
    Error::new(ErrorKind::Unavailable, message)
}

/// The cause at the bottom of an error, without the address that was asked.
fn without_url(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
