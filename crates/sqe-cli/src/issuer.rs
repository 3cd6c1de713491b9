//! The identity provider: where its endpoints are, and what the client asks of them. It knows
//! nothing of servers and files.
//!
//! Messages of errors come from the provider's error answers alone; other answers may hold tokens,
//! and are not shown.

use std::time::Duration;

use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    ClientId, DeviceAuthorizationUrl, DeviceCodeErrorResponseType, ErrorResponse, RefreshToken,
    RequestTokenError, Scope, StandardDeviceAuthorizationResponse, TokenResponse, TokenUrl,
};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::connect::is_loopback;
use crate::error::{Error, Result, root_cause};
use crate::format::escape;
use crate::logins::{Login, now};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For one request and its answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long an access token lasts whose life the provider does not tell.
const UNTOLD_LIFE: Duration = Duration::from_secs(300);

/// An identity provider, as a client of it sees it.
pub(crate) struct Issuer {
    url: String,
    client_id: String,
    http: reqwest::Client,
    token: Url,
    device_authorization: Option<Url>,
    revocation: Option<Url>,
}

/// What a provider tells about itself (OpenID Connect Discovery 1.0, section 3; RFC 8628,
/// section 4).
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
}

impl Issuer {
    /// Asks the provider at `url` for its endpoints.
    ///
    /// Errors: [`Error::Login`] if it does not answer as OpenID Connect says, or is to be spoken to
    /// without TLS on another machine.
    pub(crate) async fn discover(url: &str, client_id: &str) -> Result<Self> {
        let base = endpoint(url, url, true)?;
        let plain = base.scheme() == "http";
        // Fails if the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Secrets go to the addresses that were checked, and nowhere else: not where an answer
        // points, and in plain text to no proxy.
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(Policy::none());
        if plain {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| failed(url, &root_cause(&error)))?;

        let document = format!("{}/.well-known/openid-configuration", url.trim_end_matches('/'));
        let answer =
            http.get(&document).send().await.map_err(|error| failed(url, &root_cause(&error)))?;
        let status = answer.status();
        let configuration = match answer.bytes().await {
            Ok(body) if status.is_success() => serde_json::from_slice(&body).ok(),
            Ok(_) => None,
            Err(error) => return Err(failed(url, &root_cause(&error))),
        };
        let configuration: Configuration = configuration.ok_or_else(|| {
            failed(url, &format!("{document} is no OpenID configuration (status {status})"))
        })?;
        if configuration.issuer.trim_end_matches('/') != url.trim_end_matches('/') {
            let issuer = escape(&configuration.issuer).into_owned();
            return Err(failed(url, &format!("it calls itself {issuer}")));
        }
        let optional = |text: Option<String>| text.map(|text| endpoint(url, &text, plain));
        Ok(Self {
            url: url.to_owned(),
            client_id: client_id.to_owned(),
            http,
            token: endpoint(url, &configuration.token_endpoint, plain)?,
            device_authorization: optional(configuration.device_authorization_endpoint)
                .transpose()?,
            revocation: optional(configuration.revocation_endpoint).transpose()?,
        })
    }

    /// Asks for a code that a user approves in a browser; `scope` has names between blanks.
    /// Errors: [`Error::Login`].
    pub(crate) async fn device_code(
        &self,
        scope: &str,
    ) -> Result<StandardDeviceAuthorizationResponse> {
        let Some(url) = &self.device_authorization else {
            return Err(failed(&self.url, "it has no login by device code"));
        };
        let client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(url.clone()));
        let scopes = scope.split_whitespace().map(|scope| Scope::new(scope.to_owned()));
        let request = client.exchange_device_code().add_scopes(scopes);
        request.request_async(&self.http).await.map_err(|error| failed(&self.url, &cause(&error)))
    }

    /// Waits until the user has approved `code`; `sleep` pauses between two questions.
    ///
    /// Errors: [`Error::Login`] if the user denies it, or does nothing until the code ends.
    pub(crate) async fn wait_for<S, F>(
        &self,
        code: &StandardDeviceAuthorizationResponse,
        sleep: S,
    ) -> Result<Login>
    where
        S: Fn(Duration) -> F,
        F: Future<Output = ()>,
    {
        let client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(self.token.clone()));
        let request = client.exchange_device_access_token(code);
        let answer = request.request_async(&self.http, sleep, None).await;
        let tokens = answer.map_err(|error| match &error {
            RequestTokenError::ServerResponse(answer) => match answer.error() {
                DeviceCodeErrorResponseType::AccessDenied => {
                    Error::Login("the login was denied".to_owned())
                }
                DeviceCodeErrorResponseType::ExpiredToken => Error::Login(
                    "the code ended before the login was approved: run --login again".to_owned(),
                ),
                _ => failed(&self.url, &cause(&error)),
            },
            _ => failed(&self.url, &cause(&error)),
        })?;
        Ok(self.login(&tokens, None))
    }

    /// Gets a new access token by `refresh_token`, which the new login keeps unless the provider
    /// gives another one.
    ///
    /// Errors: [`Error::Login`] if the provider refuses or does not answer.
    pub(crate) async fn refresh(&self, refresh_token: &SecretString) -> Result<Login> {
        let client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(self.token.clone()));
        let old = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let answer = client.exchange_refresh_token(&old).request_async(&self.http).await;
        let tokens = answer.map_err(|error| failed(&self.url, &cause(&error)))?;
        Ok(self.login(&tokens, Some(refresh_token)))
    }

    /// Makes the tokens of `login` worthless, if the provider has an endpoint for that.
    /// Errors: [`Error::Login`].
    pub(crate) async fn revoke(&self, login: &Login) -> Result<()> {
        let Some(url) = &self.revocation else {
            return Ok(());
        };
        // With the refresh token end the access tokens made by it (RFC 7009, section 2.1). The
        // `oauth2` crate would refuse a provider on loopback.
        let (token, hint) = match &login.refresh_token {
            Some(token) => (token, "refresh_token"),
            None => (&login.access_token, "access_token"),
        };
        let form = [
            ("token", token.expose_secret()),
            ("token_type_hint", hint),
            ("client_id", &self.client_id),
        ];
        let answer = self.http.post(url.clone()).form(&form).send().await;
        match answer.map_err(|error| failed(&self.url, &root_cause(&error)))?.status() {
            status if status.is_success() => Ok(()),
            status => Err(failed(&self.url, &format!("status {status} of the revocation"))),
        }
    }

    fn login(&self, tokens: &BasicTokenResponse, refresh_token: Option<&SecretString>) -> Login {
        let life = tokens.expires_in().unwrap_or(UNTOLD_LIFE);
        let refreshed = tokens.refresh_token().map(|token| token.secret().as_str().into());
        Login {
            issuer: self.url.clone(),
            client_id: self.client_id.clone(),
            access_token: tokens.access_token().secret().as_str().into(),
            expires_at: now().saturating_add(life.as_secs()),
            refresh_token: refreshed.or_else(|| refresh_token.cloned()),
        }
    }
}

/// The address `text` of the provider `issuer`: `https`, or `http` on loopback where that is allowed.
fn endpoint(issuer: &str, text: &str, allow_plain: bool) -> Result<Url> {
    let shown = escape(text);
    let url = Url::parse(text).map_err(|_| failed(issuer, &format!("{shown} is no URL")))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_plain && url.host_str().is_some_and(is_loopback) => Ok(url),
        _ => Err(failed(issuer, &format!("{shown} must be https, or http on loopback"))),
    }
}

fn failed(issuer: &str, reason: &str) -> Error {
    Error::Login(format!("identity provider {}: {reason}", escape(issuer)))
}

/// What a provider answered, if it was an error in the form of OAuth.
fn cause<E, T>(error: &RequestTokenError<E, T>) -> String
where
    E: std::error::Error + 'static,
    T: ErrorResponse + 'static,
{
    match error {
        RequestTokenError::ServerResponse(answer) => escape(&answer.to_string()).into_owned(),
        RequestTokenError::Request(error) => root_cause(error),
        RequestTokenError::Parse(..) => "its answer is not one of OAuth".to_owned(),
        RequestTokenError::Other(reason) => escape(reason).into_owned(),
    }
}

#[cfg(test)]
mod tests;
