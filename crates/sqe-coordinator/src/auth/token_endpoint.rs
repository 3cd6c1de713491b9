//! A token endpoint of OAuth 2.0 (RFC 6749, section 3.2).

use std::fmt;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, RefreshToken, RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername,
    Scope, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use sqe_engine::{Error, ErrorKind, Result};
use tracing::debug;
use url::Url;

use super::http;
use crate::options::TokenEndpointOptions;

/// How a user logs in, and in again where there is no refresh token.
pub(super) enum Login {
    /// With an id and a secret of their own.
    ClientCredentials { id: String, secret: SecretString },
    /// With a name and a password.
    Password { user: String, password: SecretString },
}

/// Shows no secrets.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientCredentials { id, .. } => write!(f, "ClientCredentials({id})"),
            Self::Password { user, .. } => write!(f, "Password({user})"),
        }
    }
}

/// What the endpoint answers.
pub(super) struct Granted {
    pub(super) access: SecretString,
    pub(super) life: Option<Duration>,
    pub(super) refresh: Option<SecretString>,
}

/// Sends the requests of `oauth2`.
struct Http(reqwest::Client);

impl<'a> AsyncHttpClient<'a> for Http {
    type Error = Error;
    type Future = BoxFuture<'a, Result<HttpResponse>>;

    fn call(&'a self, request: HttpRequest) -> Self::Future {
        async move {
            let request = request.try_into().map_err(http::unavailable)?;
            let answer = self.0.execute(request).await.map_err(http::unavailable)?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            if status.is_server_error() {
                let message = format!("the identity provider answers with status {status}");
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            let mut response = HttpResponse::new(http::body(answer).await?);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        }
        .boxed()
    }
}

/// The endpoint, and as whom the server itself is known there.
pub(super) struct TokenEndpoint {
    http: Http,
    url: Url,
    client_id: Option<String>,
    client_secret: Option<SecretString>,
    scope: Option<String>,
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

type Client =
    BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

impl TokenEndpoint {
    pub(super) fn new(options: &TokenEndpointOptions) -> Result<Self> {
        Ok(Self {
            http: Http(http::client()?),
            url: options.url.clone(),
            client_id: options.client_id.clone(),
            client_secret: options.client_secret.clone(),
            scope: options.scope.clone(),
        })
    }

    /// Tokens for a login. Errors: `Unauthenticated` for a wrong one, `Unavailable`.
    pub(super) async fn log_in(&self, login: &Login) -> Result<Granted> {
        let granted = match login {
            Login::ClientCredentials { id, secret } => {
                let client = self.client(id, Some(secret));
                let request = client.exchange_client_credentials().add_scopes(self.scopes());
                request.request_async(&self.http).await
            }
            Login::Password { user, password } => {
                let client = self.own_client();
                let user = ResourceOwnerUsername::new(user.clone());
                let password = ResourceOwnerPassword::new(password.expose_secret().to_owned());
                let request = client.exchange_password(&user, &password);
                request.add_scopes(self.scopes()).request_async(&self.http).await
            }
        };
        granted.map(|answer| Granted::of(&answer)).map_err(refused)
    }

    /// New tokens for a refresh token. Errors: those of [`TokenEndpoint::log_in`].
    pub(super) async fn refresh(&self, token: &SecretString) -> Result<Granted> {
        let client = self.own_client();
        let token = RefreshToken::new(token.expose_secret().to_owned());
        let granted = client.exchange_refresh_token(&token).request_async(&self.http).await;
        granted.map(|answer| Granted::of(&answer)).map_err(refused)
    }

    fn own_client(&self) -> Client {
        self.client(self.client_id.as_deref().unwrap_or_default(), self.client_secret.as_ref())
    }

    /// Id and secret go into the body, which is where Iceberg's catalogs look for them.
    fn client(&self, id: &str, secret: Option<&SecretString>) -> Client {
        let client = BasicClient::new(ClientId::new(id.to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(TokenUrl::from_url(self.url.clone()));
        match secret {
            Some(secret) => {
                client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
            }
            None => client,
        }
    }

    fn scopes(&self) -> Vec<Scope> {
        let scopes = self.scope.as_deref().unwrap_or_default().split_whitespace();
        scopes.map(|scope| Scope::new(scope.to_owned())).collect()
    }
}

impl Granted {
    fn of(answer: &BasicTokenResponse) -> Self {
        Self {
            access: answer.access_token().secret().as_str().into(),
            life: answer.expires_in(),
            refresh: answer.refresh_token().map(|token| token.secret().as_str().into()),
        }
    }
}

/// Answers to a login may hold tokens, and what is wrong with a login is nobody's business but the
/// operator's.
fn refused(error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    use BasicErrorResponseType::{InvalidClient, InvalidGrant, UnauthorizedClient};
    match error {
        RequestTokenError::ServerResponse(answer) => {
            debug!(error = %answer.error(), "the token endpoint refuses a login");
            match answer.error() {
                InvalidClient | InvalidGrant | UnauthorizedClient => wrong_login(),
                other => Error::new(
                    ErrorKind::Unavailable,
                    format!("the token endpoint refuses what the server asks: {}", short(other)),
                )
                .with_hint("check grant, client_id and scope of [auth]"),
            }
        }
        RequestTokenError::Request(error) => error,
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            let message = "the token endpoint answers what is no answer to a login";
            Error::new(ErrorKind::Unavailable, message)
        }
    }
}

/// The one error of all logins that are wrong.
pub(super) fn wrong_login() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the user name or the password is wrong")
}

fn short(code: &BasicErrorResponseType) -> String {
    code.to_string().chars().filter(|c| !c.is_control()).take(64).collect()
}
