//! The channel to the server: address, TLS, limits. It does not log in.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::args::Args;
use crate::error::{Error, Result, root_cause};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that vanished is noticed within twice this, however long a query may run.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Receive windows in bytes: with HTTP/2's default of 64 KiB one stream never fills a fast network.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;
/// Error details come in trailers; the default of 16 KiB loses the connection for a long message.
const MAX_HEADER_BYTES: u32 = 1 << 20;

/// Where the server is. As text: host and port, for messages.
#[derive(Debug)]
pub(crate) struct Address {
    /// In lower case; an IPv6 address is in brackets.
    host: String,
    port: u16,
    tls: bool,
}

impl Address {
    /// The address that `args` name.
    pub(crate) fn of(args: &Args) -> Self {
        let host = match args.host.to_ascii_lowercase() {
            host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            host => host,
        };
        Self { host, port: args.port, tls: args.tls || args.ca.is_some() }
    }

    /// With the scheme `https` or `http`. Logins are kept under it, so that one made over TLS is
    /// not used without.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{self}")
    }

    /// Whether nobody else can read what is sent there.
    pub(crate) fn is_private(&self) -> bool {
        self.tls || is_loopback(&self.host)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Whether `host` is this machine, as far as its text tells; IPv6 addresses may be in brackets.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// Connects to the server at `address`; `args` say whom to trust.
///
/// Errors: [`Error::Connect`] if there is no connection after 10 s; [`Error::Read`] of the file of
/// certificate authorities.
pub(crate) async fn connect(
    args: &Args,
    address: &Address,
) -> Result<FlightServiceClient<Channel>> {
    let failed = |reason: String| Error::Connect { address: address.to_string(), reason };
    let mut endpoint = Endpoint::from_shared(address.url())
        .map_err(|error| failed(root_cause(&error)))?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(MAX_HEADER_BYTES);
    if address.tls {
        endpoint =
            endpoint.tls_config(tls_config(args)?).map_err(|error| failed(root_cause(&error)))?;
    }
    // The timeout of the endpoint covers TCP alone.
    let channel = tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect())
        .await
        .map_err(|_| failed(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs())))?
        .map_err(|error| failed(root_cause(&error)))?;
    Ok(FlightServiceClient::new(channel)
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX))
}

fn tls_config(args: &Args) -> Result<ClientTlsConfig> {
    let Some(path) = &args.ca else {
        return Ok(ClientTlsConfig::new().with_native_roots());
    };
    let pem = std::fs::read(path)
        .map_err(|source| Error::Read { name: path.display().to_string(), source })?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &[&str], url: &str, private: bool) {
        let arguments = ["sqe-cli", "--host"].iter().chain(arguments);
        let address = Address::of(&Args::parse_from_iter(arguments).expect("valid"));
        assert_eq!((address.url().as_str(), address.is_private()), (url, private));
    }

    #[test]
    fn only_loopback_is_private_without_tls() {
        check(&["Localhost"], "http://localhost:50051", true);
        check(&["127.0.0.2", "--port", "1"], "http://127.0.0.2:1", true);
        check(&["::1"], "http://[::1]:50051", true);
        check(&["[::ffff:127.0.0.1]"], "http://[::ffff:127.0.0.1]:50051", true);
        check(&["sqe.example"], "http://sqe.example:50051", false);
        check(&["localhost.example"], "http://localhost.example:50051", false);
        check(&["10.0.0.1"], "http://10.0.0.1:50051", false);
        check(&["sqe.example", "--tls"], "https://sqe.example:50051", true);
        check(&["sqe.example", "--ca", "ca.pem"], "https://sqe.example:50051", true);
    }
}
