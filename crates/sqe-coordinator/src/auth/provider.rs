//! The chain of ways to prove who one is.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sqe_engine::{Identity, Result};
use sqe_iceberg::token::TokenSource;

use tokio::time::Instant;

use super::anonymous::Anonymous;
use super::client_credentials::ClientCredentials;
use super::credentials::Credentials;
use super::jwt::JwtBearer;
use super::opaque::OpaqueBearer;
use super::password::Password;
use super::revocation::Revocation;
use super::user_tokens::UserTokens;
use crate::options::{AuthOptions, Grant};

/// A user who proved who they are.
#[derive(Debug)]
pub(super) struct LoggedIn {
    /// The name that is shown.
    pub(super) user: String,
    /// What tells this user from all others, whatever their names are.
    pub(super) principal: String,
    /// `None` for a user whom only catalogs without users let in.
    pub(super) tokens: Option<Arc<UserTokens>>,
    /// When the login is over, where the client brought something that ends.
    pub(super) ends: Option<Instant>,
    /// Where it may be revoked before it ends, and somebody tells.
    pub(super) revocation: Option<Revocation>,
}

impl LoggedIn {
    pub(super) fn identity(&self) -> Identity {
        match &self.tokens {
            Some(tokens) => {
                let tokens: Arc<dyn TokenSource> = Arc::<UserTokens>::clone(tokens);
                Identity { user: self.user.clone(), tokens }
            }
            None => Identity::without_token(self.user.as_str()),
        }
    }
}

/// One way to prove who one is.
#[async_trait]
pub(super) trait Provider: fmt::Debug + Send + Sync {
    /// Whose credentials these are; `None` where they are not of a kind that this provider reads.
    ///
    /// Errors: `Unauthenticated` for credentials that are wrong, `Unavailable` where nobody could
    /// say. Neither tells which part of the credentials was wrong, nor shows any.
    async fn login(&self, credentials: &Credentials) -> Result<Option<LoggedIn>>;
}

/// The providers of a configuration, in the order in which they are asked.
pub(super) fn chain(options: &AuthOptions) -> Result<Vec<Arc<dyn Provider>>> {
    let mut chain: Vec<Arc<dyn Provider>> = Vec::new();
    if let Some(issuer) = &options.issuer {
        chain.push(Arc::new(JwtBearer::new(issuer)?));
    } else if options.opaque_bearer {
        chain.push(Arc::new(OpaqueBearer));
    }
    if let Some(endpoint) = &options.token_endpoint {
        chain.push(match endpoint.grant {
            Grant::ClientCredentials => Arc::new(ClientCredentials::new(endpoint)?),
            Grant::Password => Arc::new(Password::new(endpoint)?),
        });
    }
    if options.allow_anonymous {
        chain.push(Arc::new(Anonymous));
    }
    Ok(chain)
}
