//! Rules that concern more than one key.

use bytesize::ByteSize;

use super::{CatalogKind, Config, Problems};

/// Below this the operators of a single query cannot hold their batches.
const MIN_MEMORY: ByteSize = ByteSize::mib(64);

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
