//! Catalogs and stores that run, from the test stack: see testing/README.md for how to start it.
//! The tests take addresses and accounts from the environment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod rest;
mod rows;
mod storage;
mod tokens;
