//! Rules that concern more than one key.

use bytesize::ByteSize;

use super::{CatalogKind, Config, Problems};

/// Below this the operators of a single query cannot hold their batches.
const MIN_MEMORY: ByteSize = ByteSize::mib(64);

/// Catalogs that are there without a configuration.
const GENERATED: [&str; 1] = ["tpch"];

impl Config {
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
        for name in self.catalogs.keys() {
            if GENERATED.contains(&name.as_str()) {
                add(format!("catalogs.{name}: the server has a catalog of that name of its own"));
            }
            if name.is_empty() || name.contains('.') {
                add(format!("catalogs.{name:?}: a catalog's name must not be empty or have a dot"));
            }
        }
        let auth = &self.auth;
        if !auth.allow_anonymous && auth.token_endpoint.is_none() && auth.issuer.is_none() {
            add("auth.allow_anonymous: nobody could log in, because neither auth.token_endpoint nor \
                 auth.issuer is set"
                .into());
        }
        for (place, catalog) in self.all_catalogs() {
            if catalog.effective_kind() == CatalogKind::Rest && catalog.uri.is_none() {
                add(format!("{place}.uri: must be set for a catalog of type \"rest\""));
            }
            if catalog.effective_kind() == CatalogKind::Sqlite && catalog.uri.is_some() {
                add(format!("{place}.uri: a catalog of type \"sqlite\" has none, use path"));
            }
            let named = place != "catalog";
            if named && catalog.effective_kind() == CatalogKind::Sqlite && catalog.path.is_none() {
                add(format!("{place}.path: must be set for a catalog of type \"sqlite\""));
            }
        }
    }
}
