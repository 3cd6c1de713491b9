//! The sockets of clients, each with the sessions that belong to it.
//!
//! A client that never asks for a token (it sends nothing, or its name and password with each
//! call) still expects `USE` and `SET` to last. Its session therefore belongs to its connection:
//! it is found again by the connection and ends with it. A login that is only checked once has an
//! end of its own besides; that is told, because no statement shall run without the `USE` before it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, stream};
use sqe_engine::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};
use tonic::Extensions;
use tonic::transport::server::{Connected, TlsConnectInfo};
use tracing::warn;

use crate::auth::{Hash, Sessions, UserTokens};
use crate::session::ClientSession;

/// How long to wait after the system refused a connection, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a token that a connection shows again and again is not looked at again.
pub(crate) const VERIFIED: Duration = Duration::from_secs(5);

/// How long a closed connection may wait for the client to close its side.
const LINGER: Duration = Duration::from_secs(10);

/// One client connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sessions: Arc<Sessions>,
    peer: Option<IpAddr>,
    by_login: Mutex<HashMap<String, Held>>,
    /// The token that was looked at last, and when.
    verified: Mutex<Option<(Hash, Instant, Arc<ClientSession>)>>,
}

impl Connection {
    pub(crate) fn new(sessions: Arc<Sessions>, peer: Option<IpAddr>) -> Self {
        Self { sessions, peer, by_login: Mutex::default(), verified: Mutex::default() }
    }

    /// The connection a request came through.
    pub(crate) fn of(extensions: &Extensions) -> Option<&Arc<Self>> {
        let tls = || Some(extensions.get::<TlsConnectInfo<Arc<Self>>>()?.get_ref());
        extensions.get::<Arc<Self>>().or_else(tls)
    }

    /// The address of the client, where it is known.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// What a login of this connection opened before, if that is still open.
    /// Errors: `Unauthenticated` where it expired, which is told once.
    pub(crate) fn held(&self, login: &str) -> Result<Option<Held>> {
        let mut by_login = self.lock();
        if by_login.get(login).is_some_and(|held| held.session.is_expired(Instant::now())) {
            if let Some(held) = by_login.remove(login) {
                self.sessions.close(held.session.id());
            }
            let message = "the session of this connection has expired, and its settings with it";
            return Err(Error::new(ErrorKind::Unauthenticated, message)
                .with_hint("the next call opens a new one"));
        }
        Ok(by_login.get(login).filter(|held| !held.session.is_closed()).cloned())
    }

    /// Keeps what a login opened, unless another call of the same login was faster: then that is
    /// kept, and `opened` ends.
    pub(crate) fn hold(&self, login: String, opened: Held) -> Held {
        match self.lock().entry(login) {
            Entry::Occupied(mut held) if held.get().session.is_closed() => {
                held.insert(opened.clone());
                opened
            }
            Entry::Occupied(held) => {
                self.sessions.close(opened.session.id());
                held.get().clone()
            }
            Entry::Vacant(place) => place.insert(opened).clone(),
        }
    }

    /// The session of a token that this connection showed a moment ago.
    pub(crate) fn verified(&self, token: &Hash) -> Option<Arc<ClientSession>> {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, since, session) = verified.as_ref()?;
        let holds = known == token && since.elapsed() < VERIFIED && !session.is_closed();
        holds.then(|| Arc::clone(session))
    }

    /// Keeps that a token was looked at.
    pub(crate) fn verify(&self, token: Hash, session: &Arc<ClientSession>) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        *verified = Some((token, Instant::now(), Arc::clone(session)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.by_login.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that belongs to a connection.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) session: Arc<ClientSession>,
    /// Its user's tokens, if it has any.
    pub(crate) tokens: Option<Arc<UserTokens>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let by_login = self.by_login.get_mut().unwrap_or_else(PoisonError::into_inner);
        for held in by_login.values() {
            self.sessions.close(held.session.id());
        }
    }
}

/// The connections of `listener`, for ever.
pub(crate) fn incoming(
    listener: TcpListener,
    sessions: Arc<Sessions>,
) -> impl Stream<Item = io::Result<ClientStream>> {
    stream::unfold((listener, sessions), async |(listener, sessions)| {
        let (tcp, peer) = accept(&listener).await;
        let connection = Arc::new(Connection::new(Arc::clone(&sessions), Some(peer.ip())));
        Some((Ok(ClientStream { tcp, connection, lingering: None }), (listener, sessions)))
    })
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => {
                if let Err(error) = tcp.set_nodelay(true) {
                    warn!(%error, "cannot set TCP_NODELAY");
                }
                return (tcp, peer);
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
