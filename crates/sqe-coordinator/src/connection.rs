//! The sockets of clients, each with the sessions that belong to it.
//!
//! A client that never asks for a token (it sends nothing, or its name and password with each
//! call) still expects `USE` and `SET` to last. Its session therefore belongs to its connection:
//! it is found again by the connection and ends with it.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, stream};
use sqe_engine::Result;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};
use tonic::Extensions;
use tonic::transport::server::{Connected, TlsConnectInfo};
use tracing::warn;

use crate::auth::Sessions;
use crate::session::ClientSession;

/// How long to wait after the system refused a connection, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a closed connection may wait for the client to close its side.
const LINGER: Duration = Duration::from_secs(10);

/// One client connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sessions: Arc<Sessions>,
    by_user: Mutex<HashMap<String, Arc<ClientSession>>>,
}

impl Connection {
    pub(crate) fn new(sessions: Arc<Sessions>) -> Self {
        Self { sessions, by_user: Mutex::default() }
    }

    /// The connection a request came through.
    pub(crate) fn of(extensions: &Extensions) -> Option<&Arc<Self>> {
        let tls = || Some(extensions.get::<TlsConnectInfo<Arc<Self>>>()?.get_ref());
        extensions.get::<Arc<Self>>().or_else(tls)
    }

    /// The session of `user` on this connection; `open` makes it where there is none, or where
    /// the client closed it.
    pub(crate) fn session(
        &self,
        user: &str,
        open: impl FnOnce() -> Result<Arc<ClientSession>>,
    ) -> Result<Arc<ClientSession>> {
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = by_user.get(user).filter(|session| !session.is_closed()) {
            return Ok(Arc::clone(session));
        }
        let session = open()?;
        by_user.insert(user.to_owned(), Arc::clone(&session));
        Ok(session)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let by_user = self.by_user.get_mut().unwrap_or_else(PoisonError::into_inner);
        for session in by_user.values() {
            self.sessions.close(session.id());
        }
    }
}

/// The connections of `listener`, for ever.
pub(crate) fn incoming(
    listener: TcpListener,
    sessions: Arc<Sessions>,
) -> impl Stream<Item = io::Result<ClientStream>> {
    stream::unfold((listener, sessions), async |(listener, sessions)| {
        let tcp = accept(&listener).await;
        let connection = Arc::new(Connection::new(Arc::clone(&sessions)));
        Some((Ok(ClientStream { tcp, connection, lingering: None }), (listener, sessions)))
    })
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                if let Err(error) = tcp.set_nodelay(true) {
                    warn!(%error, "cannot set TCP_NODELAY");
                }
                return tcp;
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A socket that knows its connection, and that closes without a loss: if a socket is closed while
/// something the client sent is unread, such as a window update, the system resets the connection,
/// and what was on its way to the client is gone.
pub(crate) struct ClientStream {
    tcp: TcpStream,
    connection: Arc<Connection>,
    /// Set when the writing side is closed: the time that reading goes on for.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl ClientStream {
    /// Reads what comes until the client closes its side.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if limit.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let mut bytes = [0; 1024];
            let mut buf = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl Connected for ClientStream {
    type ConnectInfo = Arc<Connection>;

    fn connect_info(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.tcp).poll_shutdown(cx))?;
        }
        self.poll_linger(cx).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}
