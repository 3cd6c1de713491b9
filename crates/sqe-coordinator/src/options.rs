//! What the process that embeds a coordinator decides about it. No files are read here.

use std::fmt;
use std::time::Duration;

/// How a coordinator serves its clients.
#[derive(Debug, Clone)]
pub struct CoordinatorOptions {
    /// TLS of the listener; plaintext where there is none.
    pub tls: Option<TlsOptions>,
    /// How users prove who they are.
    pub auth: AuthOptions,
    /// How long running statements may go on after the shutdown began; then they are cancelled.
    pub drain_timeout: Duration,
    /// Bounds of sessions and of what they hold.
    pub sessions: SessionLimits,
    /// The longest SQL text that is accepted, in bytes.
    pub max_statement_bytes: usize,
    /// The largest message that is read from a client, in bytes. Above `max_statement_bytes`, so
    /// that a statement which is too long gets an error that says so.
    pub max_message_bytes: usize,
}

impl Default for CoordinatorOptions {
    fn default() -> Self {
        Self {
            tls: None,
            auth: AuthOptions::default(),
            drain_timeout: Duration::from_secs(30),
            sessions: SessionLimits::default(),
            max_statement_bytes: 16 << 20,
            max_message_bytes: 128 << 20,
        }
    }
}

/// Certificates of the listener, as PEM text.
#[derive(Clone)]
pub struct TlsOptions {
    /// The certificate chain, leaf first.
    pub cert_pem: Vec<u8>,
    /// The private key of the leaf.
    pub key_pem: Vec<u8>,
    /// The CAs that sign client certificates; where it is set, clients must show one.
    pub client_ca_pem: Option<Vec<u8>>,
}

/// Shows nothing of the key.
impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("client_ca", &self.client_ca_pem.is_some())
            .finish_non_exhaustive()
    }
}

/// How users prove who they are. Without any way to log in, everybody is refused.
#[derive(Debug, Clone, Default)]
pub struct AuthOptions {
    /// Lets everybody in: any user name is taken as it is given, passwords are not looked at.
    pub allow_anonymous: bool,
}

/// Bounds of sessions and of what they hold.
#[derive(Debug, Clone)]
pub struct SessionLimits {
    /// Sessions that may be open at once; more are refused, because ending somebody's live
    /// session to make room would be worse.
    pub max_sessions: usize,
    /// A session with a token ends when it was not used for so long and runs nothing.
    pub idle: Duration,
    /// A session with a token ends so long after its start.
    pub absolute: Duration,
    /// Prepared statements, and results that wait to be fetched, that one session may hold.
    pub max_statements: usize,
    /// How long a result may wait to be fetched.
    pub ticket_lifetime: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max_sessions: 10_000,
            idle: Duration::from_secs(3600),
            absolute: Duration::from_secs(24 * 3600),
            max_statements: 1000,
            ticket_lifetime: Duration::from_secs(600),
        }
    }
}
