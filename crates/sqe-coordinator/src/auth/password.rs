//! Name and password by the OAuth 2.0 password grant (RFC 6749, section 4.3) of an identity
//! provider. The password is used once; the session lives on the refresh token.

use std::sync::Arc;

use async_trait::async_trait;
use sqe_engine::Result;

use super::credentials::Credentials;
use super::provider::{LoggedIn, Provider};
use super::token_endpoint::{Login, TokenEndpoint};
use super::user_tokens::UserTokens;
use crate::options::TokenEndpointOptions;

/// Logs users in at a token endpoint under the client id of the server.
#[derive(Debug)]
pub(super) struct Password {
    endpoint: Arc<TokenEndpoint>,
}

impl Password {
    pub(super) fn new(options: &TokenEndpointOptions) -> Result<Self> {
        Ok(Self { endpoint: Arc::new(TokenEndpoint::new(options)?) })
    }
}

#[async_trait]
impl Provider for Password {
    async fn login(&self, credentials: &Credentials) -> Result<Option<LoggedIn>> {
        let Credentials::Basic { user, password } = credentials else { return Ok(None) };
        let login = Login::Password { user: user.clone(), password: password.clone() };
        let tokens = UserTokens::log_in(Arc::clone(&self.endpoint), login).await?;
        // The provider may take a name in several forms; its own is the one that is shown.
        let claims = tokens.claims().await;
        let claim = |name: &str| claims.get(name)?.as_str().map(str::to_owned);
        let user = claim("preferred_username").unwrap_or_else(|| user.clone());
        let principal = format!("login {}", claim("sub").unwrap_or_else(|| user.clone()));
        let tokens = Some(Arc::new(tokens));
        Ok(Some(LoggedIn { user, principal, tokens, ends: None, revocation: None }))
    }
}
