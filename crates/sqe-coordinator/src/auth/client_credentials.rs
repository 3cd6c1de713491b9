//! Name and password as id and secret of the OAuth 2.0 client credentials grant (RFC 6749, section
//! 4.4), which is how principals of Polaris log in.

use std::sync::Arc;

use async_trait::async_trait;
use sqe_engine::Result;

use super::credentials::Credentials;
use super::provider::{LoggedIn, Provider};
use super::token_endpoint::{Login, TokenEndpoint};
use super::user_tokens::UserTokens;
use crate::options::TokenEndpointOptions;

/// Logs users in at a token endpoint with their own id and secret.
#[derive(Debug)]
pub(super) struct ClientCredentials {
    endpoint: Arc<TokenEndpoint>,
}

impl ClientCredentials {
    pub(super) fn new(options: &TokenEndpointOptions) -> Result<Self> {
        Ok(Self { endpoint: Arc::new(TokenEndpoint::new(options)?) })
    }
}

#[async_trait]
impl Provider for ClientCredentials {
    async fn login(&self, credentials: &Credentials) -> Result<Option<LoggedIn>> {
        let Credentials::Basic { user, password } = credentials else { return Ok(None) };
        let login = Login::ClientCredentials { id: user.clone(), secret: password.clone() };
        let tokens = UserTokens::log_in(Arc::clone(&self.endpoint), login).await?;
        let principal = format!("login {user}");
        Ok(Some(LoggedIn {
            user: user.clone(),
            principal,
            tokens: Some(Arc::new(tokens)),
            ends: None,
            revocation: None,
        }))
    }
}
