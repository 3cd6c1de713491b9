//! Access to the files of a table, as the server hands it out with the table.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use iceberg::TableIdent;
use iceberg::spec::TableMetadata;
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::call::Call;
use super::{Connection, RestOptions, creation, endpoint, load, tables};
use crate::storage::{KeySource, S3_SCHEMES, S3Endpoint, S3Keys, S3Scope, is_below};
use crate::{Error, ErrorKind, Result};

/// Keys of a session whose end nobody told are renewed after this time: the shortest that AWS and
/// those who follow it let a session last.
const SHORTEST_SESSION: Duration = Duration::from_secs(900);

const REFRESH_ENDPOINT: &str = "client.refresh-credentials-endpoint";

/// Settings that say where a store is.
const STORE_SETTINGS: [&str; 4] =
    ["s3.endpoint", "s3.path-style-access", "s3.region", "client.region"];

/// Properties of a table that put files elsewhere than below its location.
const OTHER_PATHS: [&str; 3] =
    ["write.data.path", "write.metadata.path", "write.object-storage.path"];

/// Settings of a table, keys among them: it is never shown.
pub(super) type Config = HashMap<String, String>;

/// Keys for everything below a prefix.
#[derive(Deserialize)]
pub(super) struct StorageCredential {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    config: Config,
}

/// What an answer says about access to a table's files.
#[derive(Default)]
pub(super) struct Vended {
    pub(super) config: Config,
    pub(super) credentials: Vec<StorageCredential>,
}

/// The locations that a table's files are below, the table's own first.
pub(super) fn locations(metadata: &TableMetadata) -> Vec<String> {
    let others = OTHER_PATHS.iter().filter_map(|key| metadata.properties().get(*key));
    let own = std::iter::once(metadata.location());
    own.chain(others.map(String::as_str)).map(str::to_owned).collect()
}

/// Whether locations of this kind are reached with keys.
pub(super) fn needs_keys(location: &str) -> bool {
    !(location.starts_with('/') || location.starts_with("file:"))
}

/// The scopes for the files of a table.
///
/// Errors: `Unsupported` for a store that is not S3, for a server that wants to sign each request
/// itself, and where neither the server nor the operator has keys.
pub(super) fn scopes(
    options: &RestOptions,
    ident: &TableIdent,
    locations: &[String],
    vended: &Vended,
) -> Result<Vec<S3Scope>> {
    let mut roots = BTreeSet::new();
    for location in locations.iter().filter(|location| needs_keys(location)) {
        roots.insert(bucket_root(ident, location)?);
    }
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let mut scopes = Vec::new();
    for StorageCredential { prefix, config } in &vended.credentials {
        let scheme = prefix.split(':').next().unwrap_or_default();
        let Some(keys) = keys(|key| config.get(key)).filter(|_| S3_SCHEMES.contains(&scheme))
        else {
            continue;
        };
        let endpoint =
            endpoint_of(options, |key| config.get(key).or_else(|| vended.config.get(key)));
        // A prefix may be a scheme alone, which is every bucket.
        let prefixes = match prefix[scheme.len()..].trim_start_matches([':', '/']) {
            "" => roots.iter().cloned().collect(),
            _ => vec![prefix.clone()],
        };
        let scope = |prefix| S3Scope { prefix, endpoint: endpoint.clone(), keys: keys.clone() };
        scopes.extend(prefixes.into_iter().map(scope));
    }
    let own = locations.first().map(String::as_str).unwrap_or_default();
    if !scopes.iter().any(|scope| is_below(own, &scope.prefix)) {
        let setting = |key: &str| vended.config.get(key);
        let keys = keys(setting);
        let signed = setting("s3.remote-signing-enabled").is_some_and(|value| value == "true");
        if keys.is_none() && signed {
            return Err(Error::unsupported(format!(
                "catalog {} wants to sign every request for the files of table {ident} itself, \
                 which is not supported",
                options.name
            )));
        }
        let Some(keys) = keys.or_else(|| options.static_keys.clone()) else {
            return Err(Error::unsupported(format!(
                "catalog {} gives no keys for the files of table {ident}, and no others are \
                 configured",
                options.name
            )));
        };
        let endpoint = endpoint_of(options, setting);
        let scope = |prefix| S3Scope { prefix, endpoint: endpoint.clone(), keys: keys.clone() };
        scopes.extend(roots.into_iter().map(scope));
    }
    Ok(scopes)
}

fn bucket_root(ident: &TableIdent, location: &str) -> Result<String> {
    match location.split_once("://") {
        Some((scheme, rest)) if S3_SCHEMES.contains(&scheme) => {
            let bucket = rest.split('/').next().unwrap_or_default();
            Ok(format!("{scheme}://{bucket}"))
        }
        _ => Err(Error::unsupported(format!(
            "table {ident} is at {location}, and only S3 and files are supported"
        ))),
    }
}

fn keys<'a>(setting: impl Fn(&str) -> Option<&'a String>) -> Option<S3Keys> {
    let secret = |key: &str| setting(key).map(|value| SecretString::from(value.as_str()));
    let session_token = secret("s3.session-token");
    let told = setting("s3.session-token-expires-at-ms").and_then(|ms| ms.parse().ok());
    let expires_at = match told {
        Some(ms) => Some(UNIX_EPOCH + Duration::from_millis(ms)),
        None => session_token.as_ref().map(|_| SystemTime::now() + SHORTEST_SESSION),
    };
    Some(S3Keys {
        access_key_id: setting("s3.access-key-id")?.clone(),
        secret_access_key: secret("s3.secret-access-key")?,
        session_token,
        expires_at,
    })
}

/// The store that the catalog names, completed by the operator's.
fn endpoint_of<'a>(
    options: &RestOptions,
    setting: impl Fn(&str) -> Option<&'a String>,
) -> S3Endpoint {
    let operator = &options.endpoint;
    let region = setting("client.region").or_else(|| setting("s3.region")).cloned();
    let path_style = setting("s3.path-style-access").map(|value| value == "true");
    S3Endpoint {
        url: setting("s3.endpoint").cloned().or_else(|| operator.url.clone()),
        region: region.or_else(|| operator.region.clone()),
        path_style: path_style.unwrap_or(operator.path_style),
    }
}

/// Where new keys of a table come from.
enum Origin {
    /// An address that gives keys and nothing else.
    Credentials(Url),
    /// Loading the table.
    Table,
    /// Staging it once more: it does not exist yet.
    Staged(Box<TableMetadata>),
}

/// Renews the keys of one table for one user.
pub(super) struct TableKeys {
    catalog: Arc<Connection>,
    ident: TableIdent,
    locations: Vec<String>,
    origin: Origin,
    /// Where the store is, which an answer with nothing but keys does not say.
    store: Config,
}

impl fmt::Debug for TableKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableKeys").field("table", &self.ident).finish_non_exhaustive()
    }
}

impl TableKeys {
    /// Keys of a table that exists, for which the server answered `vended`.
    pub(super) async fn of_table(
        catalog: &Arc<Connection>,
        ident: &TableIdent,
        locations: Vec<String>,
        vended: &Vended,
    ) -> Result<Self> {
        let server = catalog.negotiated().await?;
        let url = match vended.config.get(REFRESH_ENDPOINT) {
            Some(address) => Some(refresh_url(catalog, &server.base, address)?),
            None if server.has(endpoint::TABLE_CREDENTIALS) => {
                Some(server.url(&format!("{}/credentials", server.named("tables", ident)?))?)
            }
            None => None,
        };
        let origin = url.map_or(Origin::Table, Origin::Credentials);
        let settings =
            vended.config.iter().filter(|(key, _)| STORE_SETTINGS.contains(&key.as_str()));
        let store = settings.map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(Self { catalog: Arc::clone(catalog), ident: ident.clone(), locations, origin, store })
    }

    /// Keys of a table that is staged.
    pub(super) fn of_staged(
        catalog: &Arc<Connection>,
        ident: &TableIdent,
        metadata: &TableMetadata,
    ) -> Self {
        Self {
            catalog: Arc::clone(catalog),
            ident: ident.clone(),
            locations: locations(metadata),
            origin: Origin::Staged(Box::new(metadata.clone())),
            store: Config::new(),
        }
    }

    async fn credentials(&self, url: &Url) -> Result<Vended> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Answer {
            storage_credentials: Vec<StorageCredential>,
        }
        let subject = format!("keys of {}", tables::subject(&self.ident));
        let call = Call::read(Method::GET, url.clone(), &subject);
        let answer: Answer = self.catalog.client.send(&call).await?.json().await?;
        Ok(Vended { config: self.store.clone(), credentials: answer.storage_credentials })
    }
}

#[async_trait]
impl KeySource for TableKeys {
    async fn renew(&self) -> Result<Vec<S3Scope>> {
        let vended = match &self.origin {
            Origin::Credentials(url) => self.credentials(url).await?,
            Origin::Table => load::vended(&self.catalog, &self.ident).await?,
            Origin::Staged(metadata) => {
                creation::vended(&self.catalog, &self.ident, metadata).await?
            }
        };
        scopes(self.catalog.options(), &self.ident, &self.locations, &vended)
    }
}

/// The address for new keys, which may be relative to the catalog's. Errors: `BadAnswer` for
/// another server's, which must not see the user's token.
fn refresh_url(catalog: &Connection, base: &str, address: &str) -> Result<Url> {
    let bad = || {
        let name = &catalog.options().name;
        let message = format!("catalog {name} names an address for keys that is not its own");
        Error::new(ErrorKind::BadAnswer, message)
    };
    let base = Url::parse(&format!("{base}/")).map_err(|_| bad())?;
    let url = match Url::parse(address) {
        Ok(url) => url,
        Err(_) => base.join(address.trim_start_matches('/')).map_err(|_| bad())?,
    };
    match url.origin() == base.origin() {
        true => Ok(url),
        false => Err(bad()),
    }
}
