//! `--login` and `--logout`, and what later runs do with the login that was kept.

use std::time::Duration;

use arrow_flight::Action;
use arrow_flight::flight_service_client::FlightServiceClient;
use oauth2::StandardDeviceAuthorizationResponse;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::connect::Address;
use crate::error::{Error, Result};
use crate::format::escape;
use crate::issuer::Issuer;
use crate::login::Bearer;
use crate::logins::{Login, Logins};
use crate::state;

/// For the server's answer to the question where to log in.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a server's users log in.
#[derive(Deserialize)]
struct Place {
    issuer: String,
    client_id: String,
    #[serde(default)]
    scope: Option<String>,
}

/// Lets the user log in with a browser at the identity provider of the server at `address`, and
/// keeps the login. Tells on stderr what the user has to do.
///
/// Errors: [`Error::Login`] if the server has no such login, or the user or the provider does not
/// approve.
pub(crate) async fn log_in(
    client: &mut FlightServiceClient<Channel>,
    address: &Address,
) -> Result<KeptLogin> {
    let logins = logins().ok_or_else(|| {
        Error::Login("no place to keep a login: set HOME or XDG_STATE_HOME".to_owned())
    })?;
    // A file that cannot be used is better known before the user goes to the browser.
    logins.get(&address.url())?;
    let place = place(client, address).await?;
    let issuer = Issuer::discover(&place.issuer, &place.client_id).await?;
    let code = issuer.device_code(&place.scope.unwrap_or_default()).await?;
    eprintln!("{}", instructions(address, &place.issuer, &code));
    let login = issuer.wait_for(&code, tokio::time::sleep).await?;
    logins.lock().await?.put(&address.url(), login.clone())?;
    eprintln!("logged in to {address}");
    KeptLogin::new(logins, address, login)
}

/// Forgets the login at `address`, and revokes it where its provider can. A login that cannot be
/// revoked is forgotten all the same, and the user is told on stderr.
///
/// Errors: [`Error::Login`] of the file of logins.
pub(crate) async fn log_out(address: &Address) -> Result<()> {
    let removed = match logins() {
        Some(logins) if logins.get(&address.url())?.is_some() => {
            logins.lock().await?.remove(&address.url())?
        }
        _ => None,
    };
    let Some(login) = removed else {
        eprintln!("there is no login to {address}");
        return Ok(());
    };
    let revoked = match Issuer::discover(&login.issuer, &login.client_id).await {
        Ok(issuer) => issuer.revoke(&login).await,
        Err(error) => Err(error),
    };
    if let Err(error) = revoked {
        eprintln!("WARNING: the tokens end by themselves only, they were not revoked: {error}");
    }
    eprintln!("logged out of {address}");
    Ok(())
}

/// The login that an earlier run kept for the server at `address`, if there is one.
/// Errors: [`Error::Login`] of the file of logins.
pub(crate) fn kept(address: &Address) -> Result<Option<KeptLogin>> {
    let Some(logins) = logins() else {
        return Ok(None);
    };
    match logins.get(&address.url())? {
        Some(login) => KeptLogin::new(logins, address, login).map(Some),
        None => Ok(None),
    }
}

fn logins() -> Option<Logins> {
    state::directory().map(Logins::new)
}

/// A login that is refreshed as long as it is used.
pub(crate) struct KeptLogin {
    logins: Logins,
    server: String,
    login: Login,
    bearer: Bearer,
    /// At most one. It runs to its end even if nobody waits any more, because what it gets may
    /// replace the refresh token that is kept.
    refresh: JoinSet<Result<Login>>,
}

impl KeptLogin {
    fn new(logins: Logins, address: &Address, login: Login) -> Result<Self> {
        let bearer = bearer(login.access_token.expose_secret())?;
        Ok(Self { logins, server: address.url(), login, bearer, refresh: JoinSet::new() })
    }

    /// What to show the server with the next call. May be dropped at any time.
    ///
    /// Errors: [`Error::Login`] if the token has ended and there is no new one.
    pub(crate) async fn bearer(&mut self) -> Result<Bearer> {
        if !self.login.is_due() {
            return Ok(self.bearer.clone());
        }
        if self.refresh.is_empty() {
            self.refresh.spawn(refreshed(self.logins.clone(), self.server.clone()));
        }
        let done = match self.refresh.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(error)) => Err(Error::Login(format!("the refresh failed: {error}"))),
            None => Err(Error::Login("the refresh did not start".to_owned())),
        };
        match done {
            Ok(login) => {
                self.bearer = bearer(login.access_token.expose_secret())?;
                self.login = login;
            }
            Err(error) if self.login.is_over() => {
                let server = &self.server;
                return Err(Error::Login(format!(
                    "the login to {server} has ended: log in again with --login ({error})"
                )));
            }
            // Good for a few seconds yet, in which the provider may come back.
            Err(_) => {}
        }
        Ok(self.bearer.clone())
    }

    /// As [`Self::bearer`], but without a question to the provider.
    pub(crate) fn last_bearer(&self) -> &Bearer {
        &self.bearer
    }
}

/// The login at `server`, after a refresh if no other run has done it already.
async fn refreshed(logins: Logins, server: String) -> Result<Login> {
    let mut locked = logins.lock().await?;
    let login = locked
        .get(&server)?
        .ok_or_else(|| Error::Login("another run has logged out".to_owned()))?;
    if !login.is_due() {
        return Ok(login);
    }
    let Some(refresh_token) = &login.refresh_token else {
        return Err(Error::Login("the provider gave no refresh token".to_owned()));
    };
    let issuer = Issuer::discover(&login.issuer, &login.client_id).await?;
    let login = issuer.refresh(refresh_token).await?;
    locked.put(&server, login.clone())?;
    Ok(login)
}

/// Asks the server, which knows nothing yet of the user, where to log in.
async fn place(client: &mut FlightServiceClient<Channel>, address: &Address) -> Result<Place> {
    let ask = async {
        let request = Request::new(Action::new("sqe.login", Vec::new()));
        let mut results = client.do_action(request).await?.into_inner();
        results.message().await
    };
    let answer = tokio::time::timeout(ASK_TIMEOUT, ask).await.unwrap_or_else(|_| {
        Err(Status::unavailable(format!("no answer within {} s", ASK_TIMEOUT.as_secs())))
    });
    let body = match answer {
        Ok(Some(result)) => result.body,
        Ok(None) => Default::default(),
        Err(status) => {
            let reason = escape(status.message()).into_owned();
            return Err(Error::Login(format!("{address} offers no --login: {reason}")));
        }
    };
    serde_json::from_slice(&body)
        .map_err(|error| Error::Login(format!("{address} does not say where to log in: {error}")))
}

/// What the user has to do. The texts come from other machines.
fn instructions(
    address: &Address,
    issuer: &str,
    code: &StandardDeviceAuthorizationResponse,
) -> String {
    let minutes = code.expires_in().as_secs().div_ceil(60);
    let whole = code.verification_uri_complete();
    let whole = whole.map(|uri| format!("\nor open\n  {}", escape(uri.secret())));
    format!(
        "To log in to {address} at {}, open\n  {}\nand enter the code\n  {}{}\nwithin {minutes} min.",
        escape(issuer),
        escape(code.verification_uri()),
        escape(code.user_code().secret()),
        whole.unwrap_or_default(),
    )
}

/// The header that shows `token`. Errors: [`Error::Login`], without the token.
pub(crate) fn bearer(token: &str) -> Result<Bearer> {
    let mut value: Bearer = format!("Bearer {token}").parse().map_err(|_| {
        Error::Login("the token has characters that a header cannot have".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
