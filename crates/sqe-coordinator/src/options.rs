//! What the process that embeds a coordinator decides about it.

use std::time::Duration;

use secrecy::SecretString;
use sqe_exchange::tls::TlsOptions;
use url::Url;

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

/// How users prove who they are. Without any way to log in, everybody is refused.
#[derive(Debug, Clone)]
pub struct AuthOptions {
    /// Lets everybody in: any user name is taken as it is given, passwords are not looked at.
    pub allow_anonymous: bool,
    /// Checks names and passwords.
    pub token_endpoint: Option<TokenEndpointOptions>,
    /// Issues bearer tokens.
    pub issuer: Option<IssuerOptions>,
    /// Passes bearer tokens to the catalog that nobody here can read. Only without an issuer.
    pub opaque_bearer: bool,
    /// Wrong logins of one name from one address, after which more are refused for a minute; those
    /// of all names from one address may be 20 times as many.
    pub failures_per_minute: u32,
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self {
            allow_anonymous: false,
            token_endpoint: None,
            issuer: None,
            opaque_bearer: false,
            failures_per_minute: 30,
        }
    }
}

/// What a name and a password are for a token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Id and secret of a client: every user is one.
    ClientCredentials,
    /// Name and password of a user, who logs in through the client that this server is.
    Password,
}

/// A token endpoint of OAuth 2.0.
#[derive(Debug, Clone)]
pub struct TokenEndpointOptions {
    /// Its address.
    pub url: Url,
    /// How users log in there.
    pub grant: Grant,
    /// The client that this server is, for the password grant.
    pub client_id: Option<String>,
    /// Its secret, if it has one.
    pub client_secret: Option<SecretString>,
    /// Names of scopes between blanks.
    pub scope: Option<String>,
}

/// An issuer of JWTs that speaks OpenID Connect.
#[derive(Debug, Clone)]
pub struct IssuerOptions {
    /// As it stands in the tokens.
    pub issuer: String,
    /// One of the audiences of every token; `None` accepts tokens for anybody.
    pub audience: Option<String>,
    /// The claim with the name of the user; `preferred_username`, else `sub`, where none is given.
    pub user_claim: Option<String>,
    /// How much the issuer's clock may differ from ours.
    pub clock_skew: Duration,
    /// Id and secret of the client that asks the issuer whether a token was revoked; where there is
    /// none, tokens hold until they end.
    pub introspection: Option<(String, SecretString)>,
    /// The client under which command-line clients log in with a browser.
    pub login_client_id: Option<String>,
    /// The scopes they ask for.
    pub login_scope: Option<String>,
}

/// Bounds of sessions and of what they hold.
#[derive(Debug, Clone)]
pub struct SessionLimits {
    /// Sessions that may be open at once; more are refused, because ending somebody's live
    /// session to make room would be worse.
    pub max_sessions: usize,
    /// A session whose client logged in once ends when it was not used for so long and runs nothing.
    pub idle: Duration,
    /// Such a session ends so long after its start, so that a password that was changed is noticed.
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
