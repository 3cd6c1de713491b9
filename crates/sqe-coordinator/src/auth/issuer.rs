//! What an issuer tells: its public keys, found by OpenID Connect Discovery 1.0 and read as a JWK
//! set (RFC 7517); and whether a token was revoked (RFC 7662).

use jsonwebtoken::jwk::JwkSet;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqe_engine::{Error, ErrorKind, Result};
use url::Url;

use super::http;
use super::jwk::Key;
use super::keys::Published;
use crate::options::IssuerOptions;

/// One issuer.
pub(super) struct Issuer {
    http: reqwest::Client,
    issuer: String,
    /// The client that this server is, which may ask about tokens.
    client: Option<(String, SecretString)>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: Url,
    introspection_endpoint: Option<Url>,
}

#[derive(Deserialize)]
struct Introspection {
    active: bool,
}

impl Issuer {
    pub(super) fn new(options: &IssuerOptions) -> Result<Self> {
        Ok(Self {
            http: http::client()?,
            issuer: options.issuer.clone(),
            client: options.introspection.clone(),
        })
    }

    /// Whether it is to be asked about tokens.
    pub(super) fn introspects(&self) -> bool {
        self.client.is_some()
    }

    /// Whether a token still holds, if that is to be asked at `endpoint`. Errors: `Unavailable`.
    pub(super) async fn is_active(
        &self,
        endpoint: Option<Url>,
        token: &SecretString,
    ) -> Result<bool> {
        let Some((id, secret)) = &self.client else { return Ok(true) };
        let endpoint = endpoint.ok_or_else(|| bad_answer("it has no introspection endpoint"))?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose_secret())
            .append_pair("client_id", id)
            .append_pair("client_secret", secret.expose_secret())
            .finish();
        let request = self.http.post(endpoint).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.map_err(http::unavailable)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(bad_answer(&format!("it answers with status {status} about a token")));
        }
        let body = http::body(answer).await?;
        let answer: Introspection = serde_json::from_slice(&body)
            .map_err(|_| bad_answer("it does not answer as it should"))?;
        Ok(answer.active)
    }

    /// What it publishes now. Errors: `Unavailable`.
    pub(super) async fn read(&self) -> Result<Published> {
        let base = self.issuer.trim_end_matches('/');
        let configuration: Configuration =
            self.get_json(&format!("{base}/.well-known/openid-configuration")).await?;
        if configuration.issuer != self.issuer {
            return Err(bad_answer("its configuration is that of another issuer"));
        }
        let set: JwkSet = self.get_json(configuration.jwks_uri.as_str()).await?;
        let keys = set.keys.iter();
        let keys = keys.filter_map(|jwk| Some((jwk.common.key_id.clone(), Key::of(jwk)?)));
        let introspection = configuration.introspection_endpoint;
        Ok(Published { keys: keys.collect(), introspection })
    }

    async fn get_json<T: DeserializeOwned>(&self, url: &str) -> Result<T> {
        let answer = self.http.get(url).send().await.map_err(http::unavailable)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(bad_answer(&format!("it answers with status {status}")));
        }
        let body = http::body(answer).await?;
        serde_json::from_slice(&body).map_err(|_| bad_answer("it does not answer as it should"))
    }
}

fn bad_answer(what: &str) -> Error {
    let message = format!("the issuer of tokens cannot be asked: {what}");
    Error::new(ErrorKind::Unavailable, message)
}
