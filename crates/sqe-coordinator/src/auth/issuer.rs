//! What an issuer tells: its public keys, found by OpenID Connect Discovery 1.0, read as a JWK set
//! (RFC 7517) and read again when a token names a key that is not among them; and whether a token
//! was revoked (RFC 7662).

use std::collections::HashMap;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{JwkSet, PublicKeyUse};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqe_engine::{Error, ErrorKind, Result};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::http;
use crate::options::IssuerOptions;

/// Tokens with invented keys make no more requests than this.
const PAUSE: Duration = Duration::from_secs(10);
/// Keys that the issuer no longer publishes are believed for so long.
const LIFE: Duration = Duration::from_secs(3600);

/// One issuer.
pub(super) struct Issuer {
    http: reqwest::Client,
    issuer: String,
    /// The client that this server is, which may ask about tokens.
    client: Option<(String, SecretString)>,
    // Held while keys are read, so that they are read once for many requests.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<Option<String>, DecodingKey>,
    introspection: Option<Url>,
    asked: Option<Instant>,
    read: Option<Instant>,
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
            known: Mutex::default(),
        })
    }

    /// Whether a token still holds, if the issuer is to be asked. Errors: `Unavailable`.
    pub(super) async fn is_active(&self, token: &SecretString) -> Result<bool> {
        let Some((id, secret)) = &self.client else { return Ok(true) };
        let endpoint = self.known.lock().await.introspection.clone();
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

    /// The key of an id, or the only key for tokens that name none.
    /// Errors: `Unavailable` where the issuer does not answer and the key is not known.
    pub(super) async fn get(&self, id: Option<&str>) -> Result<Option<DecodingKey>> {
        let mut known = self.known.lock().await;
        let fresh = known.read.is_some_and(|read| read.elapsed() < LIFE);
        if let Some(key) = known.find(id).filter(|_| fresh) {
            return Ok(Some(key));
        }
        if known.read.is_some() && known.asked.is_some_and(|asked| asked.elapsed() < PAUSE) {
            return Ok(known.find(id));
        }
        known.asked = Some(Instant::now());
        (known.keys, known.introspection) = self.read().await?;
        known.read = Some(Instant::now());
        Ok(known.find(id))
    }

    async fn read(&self) -> Result<(HashMap<Option<String>, DecodingKey>, Option<Url>)> {
        let base = self.issuer.trim_end_matches('/');
        let configuration: Configuration =
            self.get_json(&format!("{base}/.well-known/openid-configuration")).await?;
        if configuration.issuer != self.issuer {
            return Err(bad_answer("its configuration is that of another issuer"));
        }
        let set: JwkSet = self.get_json(configuration.jwks_uri.as_str()).await?;
        let keys = set
            .keys
            .iter()
            .filter(|key| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption)));
        // A set may hold keys of kinds that are not known here.
        let keys = keys
            .filter_map(|key| Some((key.common.key_id.clone(), DecodingKey::from_jwk(key).ok()?)));
        Ok((keys.collect(), configuration.introspection_endpoint))
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

impl Known {
    fn find(&self, id: Option<&str>) -> Option<DecodingKey> {
        match id {
            Some(id) => self.keys.get(&Some(id.to_owned())).cloned(),
            None if self.keys.len() == 1 => self.keys.values().next().cloned(),
            None => None,
        }
    }
}

fn bad_answer(what: &str) -> Error {
    let message = format!("the issuer of tokens cannot be asked: {what}");
    Error::new(ErrorKind::Unavailable, message)
}
