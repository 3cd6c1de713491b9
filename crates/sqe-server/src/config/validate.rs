//! Rules that concern more than one key.

use bytesize::ByteSize;

use super::{CatalogKind, Config, Problems};

/// Below this the operators of a single query cannot hold their batches.
const MIN_MEMORY: ByteSize = ByteSize::mib(64);

/// Why a catalog cannot have a name.
fn bad_name(name: &str) -> Option<&'static str> {
    match name {
        "tpch" => Some("the generated catalog has this name"),
        "catalog" => Some("[catalog] has this name"),
        "" => Some("a catalog needs a name"),
        dotted if dotted.contains('.') => Some("the name of a catalog must not have dots"),
        _ => None,
    }
}

impl Config {
    /// Whether users can prove who they are.
    pub(crate) fn has_login(&self) -> bool {
        self.auth.token_endpoint.is_some() || self.auth.issuer.is_some()
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
            add("auth.allow_anonymous: nobody could log in while it is false and neither \
                 auth.token_endpoint nor auth.issuer is set"
                .into());
        }
        for name in self.catalogs.keys() {
            if let Some(why) = bad_name(name) {
                add(format!("catalogs.{name:?}: {why}"));
            }
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
