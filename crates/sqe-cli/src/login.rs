//! The handshake: user and password in, bearer out. The password is asked for only when the server
//! wants one, and lives no longer than the handshake.

use std::io::{self, IsTerminal};
use std::time::Duration;

use arrow_flight::HandshakeRequest;
use arrow_flight::flight_service_client::FlightServiceClient;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::stream;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::error::{Error, Result};

/// Long enough for an identity provider behind the server.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
const PASSWORD_VARIABLE: &str = "SQE_PASSWORD";

/// The value of the `authorization` header of all later calls.
pub(crate) type Bearer = MetadataValue<Ascii>;

/// Logs in as `user`, or anonymously without one. No bearer is no error of an anonymous login.
///
/// Errors: [`Error::Login`] if the server refuses, or asks for a password that is neither in
/// `SQE_PASSWORD` nor can be asked for, because stdin is no terminal.
pub(crate) async fn login(
    client: &mut FlightServiceClient<Channel>,
    user: Option<&str>,
) -> Result<Option<Bearer>> {
    let Some(user) = user else {
        return match handshake(client, None).await {
            Err(status) if status.code() == Code::Unauthenticated => Err(Error::Login(format!(
                "the server asks for a login: give a user with -u, or a token, or use --login ({})",
                status.message()
            ))),
            other => Ok(other?),
        };
    };
    if user.contains(':') {
        return Err(Error::Login(format!("user {user:?} must not contain a colon")));
    }
    let given = variable(PASSWORD_VARIABLE)?;
    let refused = match handshake(client, Some(basic(user, given.as_deref()))).await {
        Err(status) if status.code() == Code::Unauthenticated => status,
        other => return bearer_required(other?),
    };
    if given.is_some() {
        return Err(login_failed(user, &refused));
    }
    if !io::stdin().is_terminal() {
        return Err(Error::Login(format!(
            "the server asks for the password of user {user:?}: set {PASSWORD_VARIABLE}"
        )));
    }
    let password = rpassword::prompt_password(format!("Password for user {user}: "))
        .map_err(|source| Error::Read { name: "the password".to_owned(), source })?;
    match handshake(client, Some(basic(user, Some(&password)))).await {
        Err(status) if status.code() == Code::Unauthenticated => Err(login_failed(user, &status)),
        other => bearer_required(other?),
    }
}

/// The value of an environment variable, which counts as unset if it is empty.
/// Errors: [`Error::Login`] if it is no UTF-8.
pub(crate) fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Error::Login(format!("{name} is not valid UTF-8")))
        }
    }
}

fn login_failed(user: &str, status: &Status) -> Error {
    Error::Login(format!("login of user {user:?} failed: {}", status.message()))
}

fn bearer_required(bearer: Option<Bearer>) -> Result<Option<Bearer>> {
    match bearer {
        Some(bearer) => Ok(Some(bearer)),
        None => Err(Error::Login("the server answered the login without a bearer".to_owned())),
    }
}

fn basic(user: &str, password: Option<&str>) -> Bearer {
    let encoded = BASE64_STANDARD.encode(format!("{user}:{}", password.unwrap_or_default()));
    let mut value: Bearer = format!("Basic {encoded}").parse().expect("base64 is ASCII");
    value.set_sensitive(true);
    value
}

async fn handshake(
    client: &mut FlightServiceClient<Channel>,
    credentials: Option<Bearer>,
) -> Result<Option<Bearer>, Status> {
    let mut request = Request::new(stream::iter([HandshakeRequest::default()]));
    if let Some(credentials) = credentials {
        request.metadata_mut().insert("authorization", credentials);
    }
    let exchange = async {
        let response = client.handshake(request).await?;
        let bearer = bearer_of(response.metadata());
        let mut replies = response.into_inner();
        while replies.message().await?.is_some() {}
        // Servers that decide late answer in the trailers.
        let trailers = replies.trailers().await?;
        Ok(bearer.or_else(|| trailers.as_ref().and_then(bearer_of)))
    };
    tokio::time::timeout(LOGIN_TIMEOUT, exchange).await.unwrap_or_else(|_| {
        let seconds = LOGIN_TIMEOUT.as_secs();
        Err(Status::unauthenticated(format!("no answer to the login within {seconds} s")))
    })
}

/// The bearer in `metadata`: servers may also send a newer one with any later answer.
pub(crate) fn bearer_of(metadata: &MetadataMap) -> Option<Bearer> {
    let mut value = metadata.get("authorization")?.clone();
    let scheme = value.to_str().ok()?.get(..7)?;
    if !scheme.eq_ignore_ascii_case("bearer ") {
        return None;
    }
    value.set_sensitive(true);
    Some(value)
}
