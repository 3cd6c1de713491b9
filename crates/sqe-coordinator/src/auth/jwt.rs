//! Bearer tokens that are JWTs (RFC 7519) of an issuer of OpenID Connect, and tools that know names
//! and passwords only: they give the name `token` and the JWT as the password.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use jsonwebtoken::errors::ErrorKind as JwtErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sqe_engine::{Error, ErrorKind, Result};
use tokio::time::Instant;
use tracing::debug;

use super::credentials::Credentials;
use super::issuer::Issuer;
use super::keys::Keys;
use super::provider::{LoggedIn, Provider};
use super::revocation::Revocation;
use super::user_tokens::UserTokens;
use crate::options::IssuerOptions;

/// What issuers sign with in public: a secret that both sides know is none of these.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// The claims that may hold a user's name, where none is configured.
const USER_CLAIMS: [&str; 2] = ["preferred_username", "sub"];
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Verifies tokens with the keys of their issuer.
#[derive(Debug)]
pub(super) struct JwtBearer {
    pub(super) keys: Arc<Keys>,
    issuer: String,
    audience: Option<String>,
    user_claim: Option<String>,
    clock_skew: Duration,
}

impl JwtBearer {
    pub(super) fn new(options: &IssuerOptions) -> Result<Self> {
        Ok(Self {
            keys: Arc::new(Keys::new(Arc::new(Issuer::new(options)?))),
            issuer: options.issuer.clone(),
            audience: options.audience.clone(),
            user_claim: options.user_claim.clone(),
            clock_skew: options.clock_skew,
        })
    }

    async fn verify(&self, token: &SecretString) -> Result<Map<String, Value>> {
        let token = token.expose_secret();
        if token.len() > MAX_TOKEN_BYTES {
            return Err(refused("it is too long"));
        }
        let header = decode_header(token).map_err(|error| refused(&error.to_string()))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(refused("its algorithm is not accepted"));
        }
        // Nothing that a token calls critical is understood here (RFC 7515, section 4.1.11).
        if header.crit.is_some() {
            return Err(refused("it has critical headers"));
        }
        let key = self.keys.get(header.kid.as_deref()).await?;
        let key = key.ok_or_else(|| refused("its key is not one of the issuer's"))?;
        let key = key.decoding(header.alg);
        let key = key.ok_or_else(|| refused("its key is for another algorithm"))?;
        let claims = decode::<Map<String, Value>>(token, key, &self.validation(header.alg));
        match claims {
            Ok(verified) => Ok(verified.claims),
            Err(error) => Err(match error.kind() {
                JwtErrorKind::ExpiredSignature => invalid("the token has expired"),
                JwtErrorKind::ImmatureSignature => invalid("the token is not valid yet"),
                _ => refused(&error.to_string()),
            }),
        }
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.clock_skew.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        let mut required = vec!["exp", "iss"];
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    fn user(&self, claims: &Map<String, Value>) -> Option<String> {
        let configured = self.user_claim.as_deref().into_iter();
        let names: Vec<&str> = match self.user_claim {
            Some(_) => configured.collect(),
            None => USER_CLAIMS.to_vec(),
        };
        let mut users = names.iter().filter_map(|name| claims.get(*name)?.as_str());
        users.find(|user| !user.is_empty()).map(str::to_owned)
    }

    /// How long the token lasts, with what clocks may differ.
    fn life(&self, claims: &Map<String, Value>) -> Duration {
        let end = claims.get("exp").and_then(Value::as_f64).unwrap_or_default();
        let end = Duration::try_from_secs_f64(end).unwrap_or_default() + self.clock_skew;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        end.saturating_sub(now)
    }
}

#[async_trait]
impl Provider for JwtBearer {
    async fn login(&self, credentials: &Credentials) -> Result<Option<LoggedIn>> {
        let Some(token) = credentials.token() else { return Ok(None) };
        let claims = self.verify(token).await?;
        if !self.keys.is_active(token).await? {
            return Err(refused("the issuer says that it is not active"));
        }
        let user = self.user(&claims).ok_or_else(|| refused("it names no user"))?;
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or(&user);
        let principal = format!("jwt {subject}");
        let life = self.life(&claims);
        let tokens = Some(Arc::new(UserTokens::of_bearer(token.clone(), Some(life))));
        let ends = Some(Instant::now() + life);
        let revocation = self.keys.introspects().then(|| {
            let keys = Arc::clone(&self.keys);
            Revocation::new(keys, token.clone())
        });
        Ok(Some(LoggedIn { user, principal, tokens, ends, revocation }))
    }
}

/// Says nothing of why to the client; the log does.
fn refused(reason: &str) -> Error {
    debug!(reason, "a token is refused");
    invalid("the token is not accepted")
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, message)
}
