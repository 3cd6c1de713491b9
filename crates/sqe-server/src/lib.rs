//! Configuration, wiring, signals and health of the `sqe-server` binary. It knows neither SQL nor
//! plans.

pub mod args;
pub mod config;
mod doubts;
mod http;
pub mod logging;
mod nodes;
pub mod run;
mod wire;
