//! Rules that concern more than one key.

use std::time::Duration;

use bytesize::ByteSize;

use super::{CatalogKind, Config, GrantKind, Problems};
use crate::args::Role;

/// Below this the operators of a single query cannot hold their batches.
const MIN_MEMORY: ByteSize = ByteSize::mib(64);

/// With more, tokens would be accepted long after their end.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(600);

/// Whether files below a place in S3 can be read.
fn is_prefix(prefix: &str) -> bool {
    let Some(place) = prefix.strip_prefix("s3://") else { return false };
    let place = place.trim_end_matches('/');
    let is_name =
        |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['*', '?', '[', '{']);
    place.split('/').all(is_name)
}

/// Why a catalog cannot have a name.
fn bad_name(name: &str) -> Option<&'static str> {
    match name {
        "tpch" => Some("the generated catalog has this name"),
        "system" => Some("the catalog of the server itself has this name"),
        "catalog" => Some("[catalog] has this name"),
        "" => Some("a catalog needs a name"),
        dotted if dotted.contains('.') => Some("the name of a catalog must not have dots"),
        _ => None,
    }
}

impl Config {
    /// Whether users can prove who they are.
    pub(crate) fn has_login(&self) -> bool {
        let auth = &self.auth;
        auth.token_endpoint.is_some() || auth.issuer.is_some() || auth.opaque_bearer
    }

    /// What a role needs. Errors: what is missing.
    pub(crate) fn check_role(&self, role: Role) -> Result<(), Problems> {
        let mut problems = Problems::default();
        let mut add = |message: &str| problems.add(None, message.to_owned());
        let distributed = &self.distributed;
        let has_keys =
            !distributed.fragment_keys.is_empty() || distributed.fragment_keys_file.is_some();
        if role != Role::Standalone && !has_keys {
            add("distributed.fragment_keys: must be set for coordinators and workers; make one \
                 with `openssl rand -hex 32`");
        }
        if role == Role::Worker {
            if self.worker.coordinator_urls.is_empty() {
                add("worker.coordinator_urls: must be set for a worker");
            }
            let address = self.worker.listen_address;
            let in_the_clear = distributed.cert.is_none() && !distributed.allow_plaintext;
            if !address.is_loopback() && in_the_clear {
                add("worker.listen_address: it is not loopback and there is no TLS; set \
                     distributed.cert, key and ca, or distributed.allow_plaintext = true to send \
                     rows in the clear");
            }
        }
        match problems.0.is_empty() {
            true => Ok(()),
            false => Err(problems),
        }
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        let mut add = |message: String| problems.add(None, message);
        let tls = &self.tls;
        match (&tls.cert, &tls.key) {
            (Some(_), None) => add("tls.key: must be set where tls.cert is".into()),
            (None, Some(_)) => add("tls.cert: must be set where tls.key is".into()),
            (None, None) if tls.client_ca.is_some() => {
                add("tls.cert: must be set where tls.client_ca is".into());
            }
            _ => {}
        }
        let address = self.coordinator.listen_address;
        if !address.is_loopback() && tls.cert.is_none() && !tls.allow_plaintext {
            add(format!(
                "coordinator.listen_address: {address} is not loopback and there is no TLS; set \
                 tls.cert and tls.key, or tls.allow_plaintext = true to send passwords in the clear"
            ));
        }
        if self.limits.memory < MIN_MEMORY {
            let got = self.limits.memory;
            add(format!("limits.memory: must be at least {MIN_MEMORY}, got {got}"));
        }
        if !self.auth.allow_anonymous && !self.has_login() {
            add("auth.allow_anonymous: nobody could log in while it is false and none of \
                 auth.token_endpoint, auth.issuer and auth.opaque_bearer is set"
                .into());
        }
        let nodes = &self.distributed;
        let node_tls = [&nodes.ca, &nodes.cert, &nodes.key];
        if node_tls.iter().any(|file| file.is_some()) && node_tls.iter().any(|file| file.is_none())
        {
            add("distributed.ca, cert and key: must be set together".into());
        }
        if !nodes.fragment_keys.is_empty() && nodes.fragment_keys_file.is_some() {
            add("distributed.fragment_keys_file: must not be set beside fragment_keys".into());
        }
        if self.worker.memory_limit < MIN_MEMORY {
            let got = self.worker.memory_limit;
            add(format!("worker.memory_limit: must be at least {MIN_MEMORY}, got {got}"));
        }
        self.validate_auth(&mut add);
        self.validate_catalogs(&mut add);
        self.validate_storage(&mut add);
    }

    fn validate_catalogs(&self, add: &mut impl FnMut(String)) {
        for name in self.catalogs.keys() {
            if let Some(why) = bad_name(name) {
                add(format!("catalogs.{name:?}: {why}"));
            }
        }
        let default = self.default_catalog();
        if default != "catalog" && self.catalogs.contains_key(default) {
            add(format!(
                "catalogs.{default:?}: [catalog] has this name in SQL, because its warehouse does"
            ));
        }
        for (place, catalog) in self.all_catalogs() {
            let mut misplaced = |key: &str, kind: &str| {
                add(format!("{place}.{key}: a catalog of type {kind:?} has none"));
            };
            match catalog.effective_kind() {
                CatalogKind::Rest => {
                    if catalog.path.is_some() {
                        misplaced("path", "rest");
                    }
                    if catalog.catalog_name.is_some() {
                        misplaced("catalog_name", "rest");
                    }
                    if catalog.uri.is_none() {
                        add(format!("{place}.uri: must be set for a catalog of type \"rest\""));
                    }
                    if catalog.request_timeout.0.is_zero() {
                        add(format!("{place}.request_timeout: must be more than 0s"));
                    }
                }
                CatalogKind::Sqlite => {
                    if catalog.uri.is_some() {
                        add(format!(
                            "{place}.uri: a catalog of type \"sqlite\" has none, use path"
                        ));
                    }
                    if place != "catalog" && catalog.path.is_none() {
                        add(format!("{place}.path: must be set for a catalog of type \"sqlite\""));
                    }
                }
            }
        }
    }

    fn validate_storage(&self, add: &mut impl FnMut(String)) {
        let storage = &self.storage;
        if storage.s3_secret_key.is_some() && storage.s3_secret_key_file.is_some() {
            add("storage.s3_secret_key_file: s3_secret_key is set, too; set one of them".into());
        }
        let has_secret = storage.s3_secret_key.is_some() || storage.s3_secret_key_file.is_some();
        match (&storage.s3_access_key, has_secret) {
            (Some(_), false) => {
                add("storage.s3_secret_key: must be set where s3_access_key is".into());
            }
            (None, true) => {
                add("storage.s3_access_key: must be set where s3_secret_key is".into());
            }
            (None, false) if storage.s3_session_token.is_some() => {
                add("storage.s3_access_key: must be set where s3_session_token is".into());
            }
            _ => {}
        }
        for prefix in &self.table_functions.allowed_prefixes {
            if !is_prefix(prefix) {
                add(format!(
                    "table_functions.allowed_prefixes: must be places such as \
                     \"s3://bucket/landing\", without wildcards, got {prefix:?}"
                ));
            }
        }
    }

    fn validate_auth(&self, add: &mut impl FnMut(String)) {
        let auth = &self.auth;
        if auth.grant == GrantKind::Password && auth.client_id.is_none() {
            add("auth.client_id: must be set for the grant \"password\"".into());
        }
        let secret_key = match (&auth.client_secret, &auth.client_secret_file) {
            (Some(_), Some(_)) => {
                add("auth.client_secret_file: client_secret is set, too; set one of them".into());
                None
            }
            (Some(_), None) => Some("client_secret"),
            (None, Some(_)) => Some("client_secret_file"),
            (None, None) => None,
        };
        if let Some(key) =
            secret_key.filter(|_| auth.grant == GrantKind::ClientCredentials && !auth.introspect)
        {
            add(format!(
                "auth.{key}: is for the grant \"password\"; with \"client_credentials\" all users \
                 bring their own"
            ));
        }
        if auth.introspect && (auth.client_id.is_none() || secret_key.is_none()) {
            add("auth.introspect: needs auth.client_id and auth.client_secret".into());
        }
        if auth.token_endpoint.is_none() && auth.grant == GrantKind::Password {
            add("auth.token_endpoint: must be set for the grant \"password\"".into());
        }
        if auth.opaque_bearer && auth.issuer.is_some() {
            add("auth.opaque_bearer: tokens are verified where auth.issuer is set; set one of \
                 them"
                .into());
        }
        let without_issuer = [
            ("audience", auth.audience.is_some()),
            ("introspect", auth.introspect),
            ("user_claim", auth.user_claim.is_some()),
            ("login_client_id", auth.login_client_id.is_some()),
        ];
        for (key, _) in without_issuer.iter().filter(|(_, set)| *set && auth.issuer.is_none()) {
            add(format!("auth.issuer: must be set where auth.{key} is"));
        }
        if auth.login_scope.is_some() && auth.login_client_id.is_none() {
            add("auth.login_client_id: must be set where auth.login_scope is".into());
        }
        if auth.clock_skew.0 > MAX_CLOCK_SKEW {
            let got = auth.clock_skew;
            add(format!("auth.clock_skew: must be at most 10min, got {got:?}"));
        }
        if auth.failures_per_minute == 0 {
            add("auth.failures_per_minute: must be at least 1".into());
        }
    }
}
