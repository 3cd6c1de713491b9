//! The channel to the server: address, TLS, limits. It does not log in.

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

/// Connects to the server named in `args`.
///
/// Errors: [`Error::Connect`] if there is no connection after 10 s; [`Error::Read`] of the file of
/// certificate authorities.
pub(crate) async fn connect(args: &Args) -> Result<FlightServiceClient<Channel>> {
    let tls = args.tls || args.ca.is_some();
    let host = match args.host.as_str() {
        host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let address = format!("{host}:{}", args.port);
    let failed = |reason: String| Error::Connect { address: address.clone(), reason };

    let scheme = if tls { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
        .map_err(|error| failed(root_cause(&error)))?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(MAX_HEADER_BYTES);
    if tls {
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
