//! Speaks Flight SQL, decides who may do what, runs statements.
//!
//! A request passes `connection` (which socket), `auth` (which session), `flight` (which command)
//! and reaches `sqe-engine` as SQL text and a session; what comes back is cast to the announced
//! schema, cut into messages and streamed. Nothing here knows what a table is.

mod auth;
mod connection;
mod flight;
mod options;
mod server;
mod session;

pub use options::{
    AuthOptions, CoordinatorOptions, Grant, IssuerOptions, SessionLimits, TokenEndpointOptions,
};
pub use server::{Coordinator, ServeError};
pub use sqe_exchange::tls::TlsOptions;
