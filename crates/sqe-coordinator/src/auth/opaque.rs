//! Bearer tokens that only the catalog can read. They are passed on as they are; the first thing a
//! user asks of the catalog tells whether it accepts them.

use std::sync::Arc;

use async_trait::async_trait;
use sqe_engine::Result;

use super::credentials::Credentials;
use super::hash::{hash, hex};
use super::provider::{LoggedIn, Provider};
use super::user_tokens::UserTokens;

/// What `current_user` shows: nobody here knows the name.
const USER: &str = "token";

/// Passes tokens on.
#[derive(Debug)]
pub(super) struct OpaqueBearer;

#[async_trait]
impl Provider for OpaqueBearer {
    async fn login(&self, credentials: &Credentials) -> Result<Option<LoggedIn>> {
        let Some(token) = credentials.token() else { return Ok(None) };
        let principal = format!("token {}", hex(&hash(token)));
        let tokens = Some(Arc::new(UserTokens::of_bearer(token.clone(), None)));
        let user = USER.to_owned();
        Ok(Some(LoggedIn { user, principal, tokens, ends: None, revocation: None }))
    }
}
