//! What an operator may have meant, but probably has not: said at the start, in the log.

use url::{Host, Url};

use crate::args::Role;
use crate::config::{CatalogKind, Config};

/// What is doubtful about a configuration that is valid; a line each.
pub(crate) fn doubts(config: &Config, role: Role) -> Vec<String> {
    if role == Role::Worker {
        return doubts_of_worker(config);
    }
    let mut doubts = Vec::new();
    let (address, auth) = (config.flight_address(), &config.auth);
    if !address.ip().is_loopback() && config.tls.cert.is_none() {
        doubts.push(format!(
            "clients connect to {address} without TLS: passwords, tokens and rows travel in the clear"
        ));
    }
    let mut addresses = vec![("auth.token_endpoint".to_owned(), &auth.token_endpoint)];
    addresses.push(("auth.issuer".to_owned(), &auth.issuer));
    addresses.push(("storage.s3_endpoint".to_owned(), &config.storage.s3_endpoint));
    addresses.extend(config.all_catalogs().map(|(place, c)| (format!("{place}.uri"), &c.uri)));
    for (key, address) in addresses {
        if address.as_ref().is_some_and(|address| is_in_the_clear(address.url())) {
            doubts.push(format!("{key} is of another machine and has no TLS"));
        }
    }
    if auth.issuer.is_some() && auth.audience.is_none() {
        doubts.push(
            "auth.audience is not set: tokens that the issuer gave for other services are accepted"
                .to_owned(),
        );
    }
    for (place, catalog) in config.all_catalogs() {
        if catalog.effective_kind() == CatalogKind::Rest && !config.has_login() {
            doubts.push(format!(
                "[{place}] is asked without a token, because no way to log in is set in [auth]"
            ));
        }
    }
    let prefixes = &config.table_functions.allowed_prefixes;
    if !prefixes.is_empty() && config.storage.s3_access_key.is_none() {
        doubts.push(
            "table_functions.allowed_prefixes is set, but nothing below can be read without \
             storage.s3_access_key"
                .to_owned(),
        );
    }
    doubts
}

fn doubts_of_worker(config: &Config) -> Vec<String> {
    let address = config.worker_address();
    match address.ip().is_loopback() || config.distributed.cert.is_some() {
        true => Vec::new(),
        false => vec![format!("nodes speak with {address} without TLS: rows travel in the clear")],
    }
}

fn is_in_the_clear(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sqe.toml");
        std::fs::write(&path, text).unwrap();
        let found = doubts(&Config::load(Some(&path), []).unwrap(), Role::Standalone);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn what_is_usual_raises_no_doubt() {
        check("", &[]);
        check(
            "[auth]\ntoken_endpoint = \"http://localhost:18181/api/catalog/v1/oauth/tokens\"\n\
             [catalog]\nuri = \"http://127.0.0.1:18181/api/catalog\"\n",
            &[],
        );
    }

    #[test]
    fn secrets_in_the_clear_are_doubtful() {
        check(
            "[auth]\ntoken_endpoint = \"http://idp.example.com/token\"\n\
             [catalog]\nuri = \"http://[::1]:1/x\"\n\
             [catalogs.lake]\nuri = \"http://10.0.0.1/x\"\n",
            &["auth.token_endpoint", "catalogs.lake.uri"],
        );
    }

    #[test]
    fn half_of_a_setting_is_doubtful() {
        check("[auth]\nissuer = \"https://idp.example.com\"\n", &["auth.audience"]);
        check("[catalog]\nuri = \"https://lake.example.com\"\n", &["[catalog] is asked without"]);
        check("[table_functions]\nallowed_prefixes = [\"s3://b\"]\n", &["s3_access_key"]);
    }
}
