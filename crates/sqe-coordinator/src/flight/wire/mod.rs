//! From record batches to messages.
//!
//! What a result looks like on the wire is decided once, by `schema`, and announced before the
//! first row. Each batch is cut into `split` pieces, each piece is cast by `conform` to the
//! announced schema, and `encode` writes it. arrow-flight's own encoder is not used: it announces
//! LargeList as List, does not check batches against the schema, and counts whole buffers where
//! slices are sent.

mod conform;
mod encode;
mod schema;
mod split;
mod stream;
#[cfg(test)]
mod tests;

pub(super) use schema::{schema_bytes, wire_schema};
pub(super) use stream::{FlightDataStream, of_batch, of_statement};
