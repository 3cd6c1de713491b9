//! The coordinator over a real socket, driven with raw calls: what drivers send, and what none of
//! them sends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod auth;
mod cancel;
mod client;
mod metadata;
mod prepared;
mod protocol;
mod server;
mod shutdown;
mod statements;
mod tls;
