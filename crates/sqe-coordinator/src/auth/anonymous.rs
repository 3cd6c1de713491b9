//! Everybody may come in, under any name. The server allows it on loopback only.

use async_trait::async_trait;
use sqe_engine::Result;

use super::credentials::Credentials;
use super::provider::{LoggedIn, Provider};

/// Who a client is that gives no name.
pub(super) const NOBODY: &str = "anonymous";

/// Takes every name as it is given and looks at no password.
#[derive(Debug)]
pub(super) struct Anonymous;

#[async_trait]
impl Provider for Anonymous {
    async fn login(&self, credentials: &Credentials) -> Result<Option<LoggedIn>> {
        let user = match credentials {
            Credentials::Absent => NOBODY,
            Credentials::Basic { user, .. } => user,
            Credentials::Bearer(_) => return Ok(None),
        };
        let principal = format!("anonymous {user}");
        let user = user.to_owned();
        Ok(Some(LoggedIn { user, principal, tokens: None, ends: None, revocation: None }))
    }
}
