//! From where a store is to the client of one bucket of it.

use std::net::IpAddr;
use std::sync::Arc;

use object_store::RetryConfig;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use super::credentials::S3Endpoint;
use super::http::Limits;
use super::keys::ScopeKeys;
use crate::{Error, Result};

const DEFAULT_REGION: &str = "us-east-1";

/// What would end a segment of a path, or look as if it had been encoded before.
const SEGMENT: &AsciiSet = &CONTROLS.add(b'/').add(b'%').add(b'+');

/// The address of a store, checked.
struct Address(Option<Url>);

impl Address {
    fn parse(endpoint: &S3Endpoint) -> Result<Self> {
        let Some(text) = &endpoint.url else { return Ok(Self(None)) };
        let invalid =
            || Error::invalid("the address of the S3 store is not one of http or https".to_owned());
        let url = Url::parse(text).map_err(|_| invalid())?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        match matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain {
            true => Ok(Self(Some(url))),
            false => Err(invalid()),
        }
    }
}

/// A name of the store that is the same for all who reach it, as a segment of a path.
pub(super) fn name_of(endpoint: &S3Endpoint) -> Result<String> {
    let Some(url) = Address::parse(endpoint)?.0 else { return Ok("aws".to_owned()) };
    let place = &url[url::Position::BeforeHost..];
    let scheme = if url.scheme() == "http" { "http:" } else { "" };
    let name = format!("{scheme}{}", place.trim_end_matches('/'));
    Ok(utf8_percent_encode(&name, SEGMENT).to_string())
}

/// A client of one bucket that signs with the keys of one scope.
///
/// Errors: `InvalidArgument` for an address that is none.
pub(super) fn client(
    endpoint: &S3Endpoint,
    bucket: &str,
    keys: ScopeKeys,
    limits: Limits,
    retry: &RetryConfig,
) -> Result<AmazonS3> {
    let region = endpoint.region.as_deref().filter(|region| !region.is_empty());
    let builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region.unwrap_or(DEFAULT_REGION))
        .with_credentials(Arc::new(keys))
        .with_http_connector(limits)
        .with_retry(retry.clone());
    let builder = match Address::parse(endpoint)?.0 {
        // A certificate for all buckets does not cover names with a dot.
        None => {
            builder.with_virtual_hosted_style_request(!endpoint.path_style && !bucket.contains('.'))
        }
        Some(url) => match virtual_host(&url, bucket).filter(|_| !endpoint.path_style) {
            Some(url) => builder
                .with_endpoint(url.as_str().trim_end_matches('/'))
                .with_virtual_hosted_style_request(true),
            None => builder.with_endpoint(url.as_str().trim_end_matches('/')),
        },
    };
    builder.build().map_err(|_| {
        Error::invalid(format!("bucket {bucket} cannot be reached by these settings of S3"))
    })
}

/// The address of a bucket as a host of its own; `None` where it cannot be one.
fn virtual_host(url: &Url, bucket: &str) -> Option<Url> {
    let host = url.host_str()?;
    let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    if is_address || (url.scheme() == "https" && bucket.contains('.')) {
        return None;
    }
    let mut url = url.clone();
    url.set_host(Some(&format!("{bucket}.{host}"))).ok()?;
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> S3Endpoint {
        S3Endpoint { url: Some(url.to_owned()), ..S3Endpoint::default() }
    }

    #[test]
    fn stores_are_told_apart() {
        let check = |url: &str, expected: &str| {
            assert_eq!(name_of(&endpoint(url)).unwrap(), expected);
        };
        check("http://127.0.0.1:19000/", "http:127.0.0.1:19000");
        check("https://S3.example.com", "s3.example.com");
        check("https://example.com/a/b%2F", "example.com%2Fa%2Fb%252F");
        assert_eq!(name_of(&S3Endpoint::default()).unwrap(), "aws");
    }

    #[test]
    fn buckets_are_hosts_where_they_can_be() {
        let check = |url: &str, bucket: &str, expected: Option<&str>| {
            let host = virtual_host(&Url::parse(url).unwrap(), bucket);
            assert_eq!(host.as_ref().map(Url::as_str), expected);
        };
        check("https://s3.example.com", "b", Some("https://b.s3.example.com/"));
        check("http://localhost:9000/x", "b.c", Some("http://b.c.localhost:9000/x"));
        check("https://s3.example.com", "b.c", None);
        check("http://127.0.0.1:9000", "b", None);
        check("http://[::1]:9000", "b", None);
    }

    #[test]
    fn addresses_are_checked() {
        for url in ["s3.example.com", "ftp://x", "http://u:p@x", "https://x?q", "localhost:9000"] {
            let error = name_of(&endpoint(url)).unwrap_err();
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
    }
}
