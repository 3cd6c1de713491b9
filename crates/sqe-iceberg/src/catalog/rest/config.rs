//! What a server says about itself before anything else: `/v1/config`.

use std::collections::{HashMap, HashSet};

use reqwest::Method;
use serde::Deserialize;
use url::Url;

use super::RestOptions;
use super::call::Call;
use super::client::Client;
use super::endpoint;
use crate::{Error, ErrorKind, Result};

/// How to speak to a server.
#[derive(Debug)]
pub(super) struct Negotiated {
    /// Address without a final slash, as relative addresses of the server mean it.
    pub(super) base: String,
    /// The part of paths after `v1`, with a final slash where there is one. It is as the server
    /// gave it, which may be encoded already.
    pub(super) prefix: String,
    /// Between the levels of a namespace in a path, encoded.
    pub(super) separator: String,
    /// The server tells a repeated request from a second one.
    pub(super) takes_idempotency_key: bool,
    /// Nothing where the server has no list of its endpoints.
    endpoints: Option<HashSet<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    #[serde(default)]
    defaults: HashMap<String, Option<String>>,
    #[serde(default)]
    overrides: HashMap<String, Option<String>>,
    #[serde(default)]
    endpoints: Option<Vec<String>>,
    #[serde(default)]
    idempotency_key_lifetime: Option<String>,
}

/// Asks the server. Errors: those of a request.
pub(super) async fn negotiate(client: &Client, options: &RestOptions) -> Result<Negotiated> {
    let base = options.uri.as_str().trim_end_matches('/');
    let mut url = parse(&format!("{base}/v1/config"), options)?;
    if let Some(warehouse) = &options.warehouse {
        url.query_pairs_mut().append_pair("warehouse", warehouse);
    }
    let subject = match &options.warehouse {
        Some(warehouse) => format!("warehouse {warehouse}"),
        None => "configuration".to_owned(),
    };
    let answer = client.send(&Call::read(Method::GET, url, &subject)).await?;
    let config: Config = answer.json().await?;
    Negotiated::of(config, options)
}

fn parse(url: &str, options: &RestOptions) -> Result<Url> {
    Url::parse(url).map_err(|error| {
        let message = format!("catalog {}: {url} is no address", options.name);
        Error::new(ErrorKind::BadAnswer, message).with_source(error)
    })
}

impl Negotiated {
    fn of(config: Config, options: &RestOptions) -> Result<Self> {
        let overridden = |key: &str| config.overrides.get(key).and_then(Option::as_deref);
        let said = |key: &str| {
            overridden(key).or_else(|| config.defaults.get(key).and_then(Option::as_deref))
        };
        let base = match overridden("uri") {
            Some(uri) => {
                let uri = parse(uri, options)?;
                // The user's token goes there.
                if options.uri.scheme() == "https" && uri.scheme() != "https" {
                    let message = format!("catalog {} wants to be asked without TLS", options.name);
                    return Err(Error::new(ErrorKind::BadAnswer, message));
                }
                uri
            }
            None => options.uri.clone(),
        };
        let prefix = said("prefix").unwrap_or_default().trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let endpoints = config.endpoints.as_ref().filter(|endpoints| !endpoints.is_empty());
        Ok(Self {
            base: base.as_str().trim_end_matches('/').to_owned(),
            prefix,
            separator: said("namespace-separator").unwrap_or("%1F").to_owned(),
            takes_idempotency_key: config.idempotency_key_lifetime.is_some(),
            endpoints: endpoints.map(|endpoints| endpoints.iter().map(|e| normal(e)).collect()),
        })
    }

    /// Whether the server has an endpoint. One that has no list is taken to have all that are not
    /// newer than such lists.
    pub(super) fn has(&self, endpoint: &str) -> bool {
        match &self.endpoints {
            Some(endpoints) => endpoints.contains(&normal(endpoint)),
            None => !endpoint::ONLY_IF_LISTED.contains(&endpoint),
        }
    }

    /// Whether the server said what it has.
    pub(super) fn lists_endpoints(&self) -> bool {
        self.endpoints.is_some()
    }
}

/// Servers without a prefix may leave it out of the list, too.
fn normal(endpoint: &str) -> String {
    endpoint.replace("{prefix}/", "")
}
