//! Tokens of users, by client credentials or password.

use std::collections::HashMap;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::Deserialize;
use sqe_iceberg::Result;
use sqe_iceberg::token::TokenSource;

/// A setting of the test stack. Panics where it is missing.
pub(crate) fn setting(name: &str) -> String {
    let name = format!("SQE_TEST_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set, see testing/README.md"))
}

/// One token, which outlives a test.
#[derive(Debug)]
pub(crate) struct Token(SecretString);

#[async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<Option<SecretString>> {
        Ok(Some(self.0.clone()))
    }

    async fn replace(&self, _refused: &SecretString) -> Result<Option<SecretString>> {
        Ok(None)
    }
}

/// The account of the catalog that may do everything.
pub(crate) async fn root() -> Token {
    let (id, secret) = (setting("CLIENT_ID"), setting("CLIENT_SECRET"));
    fetch(
        &setting("TOKEN_ENDPOINT"),
        &[
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", &secret),
            ("scope", "PRINCIPAL_ROLE:ALL"),
        ],
    )
    .await
}

/// The service account of the provider, which may do everything.
pub(crate) async fn service() -> Token {
    oidc(&[("grant_type", "client_credentials")]).await
}

/// A user of the provider, whose password is the name.
pub(crate) async fn user(name: &str) -> Token {
    oidc(&[("grant_type", "password"), ("username", name), ("password", name)]).await
}

async fn oidc(form: &[(&str, &str)]) -> Token {
    let endpoint = format!("{}/protocol/openid-connect/token", setting("OIDC_ISSUER"));
    let (id, secret) = (setting("OIDC_CLIENT_ID"), setting("OIDC_CLIENT_SECRET"));
    let client = [("client_id", id.as_str()), ("client_secret", secret.as_str())];
    fetch(&endpoint, &[form, &client].concat()).await
}

async fn fetch(endpoint: &str, form: &[(&str, &str)]) -> Token {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
    }
    let form: HashMap<_, _> = form.iter().copied().collect();
    let response = reqwest::Client::new().post(endpoint).form(&form).send().await.unwrap();
    let response = response.error_for_status().unwrap();
    let answer: Answer = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    Token(answer.access_token.into())
}
