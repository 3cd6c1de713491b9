//! Where the bearer token of a user comes from, whenever one is needed.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::Result;

/// The access token of one user. It is asked for before every request, so that a statement may
/// outlast a token. Implementations show no token in `Debug`.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// A token that is still valid for a while; `None` for a user who has none.
    /// Errors: `Unauthenticated` where the login is over, `Unavailable`.
    async fn token(&self) -> Result<Option<SecretString>>;

    /// A token other than `refused`, which a server did not accept; `None` where there is none.
    /// Errors: those of [`TokenSource::token`].
    async fn replace(&self, refused: &SecretString) -> Result<Option<SecretString>>;
}

/// A user without a token.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoToken;

#[async_trait]
impl TokenSource for NoToken {
    async fn token(&self) -> Result<Option<SecretString>> {
        Ok(None)
    }

    async fn replace(&self, _refused: &SecretString) -> Result<Option<SecretString>> {
        Ok(None)
    }
}
