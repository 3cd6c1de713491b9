//! The built binary, started and stopped the way an operator does it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod catalogs;
mod cluster;
mod distributed;
mod flight_db;
mod free_files;
mod lifecycle;
mod running;
mod sql;
mod store;
mod tls;
