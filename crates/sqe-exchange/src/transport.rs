//! How nodes speak HTTP/2 with each other: both ends with the same windows and the same patience.

use std::time::Duration;

use tonic::transport::{Endpoint, Server};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A node that vanished without closing its connections is noticed after both.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes on their way in one stream, and in one connection.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// The largest message: a batch is one, and the batches are of 8192 rows.
pub(crate) const MAX_MESSAGE: usize = 1 << 30;

/// The end that listens.
pub(crate) fn listening() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .tcp_nodelay(true)
}

/// The end that connects.
pub(crate) fn connecting(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .tcp_nodelay(true)
}
