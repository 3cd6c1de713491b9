//! The answer to `DoGet`: the schema, then the rows, then the end or an error.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::FlightData;
use datafusion::execution::SendableRecordBatchStream;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use sqe_engine::{Error, ErrorKind, Result};
use tonic::Status;

use super::conform::conform;
use super::encode::{Encoder, message_bytes};
use super::schema::wire_schema;
use super::split::split;
use crate::flight::run::Run;
use crate::flight::status;

/// Large enough to make the cost of a message small, small enough for every client.
const PIECE_BYTES: usize = 2 << 20;
/// The smallest limit among the common clients is 16 MiB; the rest is for framing.
const MAX_MESSAGE_BYTES: usize = 12 << 20;

/// The messages of an answer.
pub(in crate::flight) type FlightDataStream = BoxStream<'static, Result<FlightData, Status>>;

/// The rows of a statement. Dropping the stream cancels the statement.
pub(in crate::flight) fn of_statement(
    run: Run,
    schema: &Schema,
    rows: SendableRecordBatchStream,
) -> FlightDataStream {
    let query_id = run.query_id();
    let state = Rows { run, rows, pieces: Pieces::new(wire_schema(schema)) };
    let first = stream::iter([Ok(state.pieces.schema_message())]);
    let rest = stream::try_unfold(state, |mut state| async {
        let message = state.next().await?;
        Ok(message.map(|message| (message, state)))
    });
    let rest = rest.map_err(move |error: Error| status::of(&error, Some(query_id)));
    first.chain(rest).boxed()
}

/// A batch that is there already.
pub(in crate::flight) fn of_batch(batch: &RecordBatch) -> FlightDataStream {
    let mut pieces = Pieces::new(wire_schema(batch.schema_ref()));
    let first = Ok(pieces.schema_message());
    pieces.add(batch);
    let rest = std::iter::from_fn(move || pieces.next_message().transpose());
    let rest = rest.map(|message| message.map_err(|error| status::of(&error, None)));
    stream::iter(std::iter::once(first).chain(rest)).boxed()
}

struct Rows {
    run: Run,
    rows: SendableRecordBatchStream,
    pieces: Pieces,
}

impl Rows {
    async fn next(&mut self) -> Result<Option<FlightData>> {
        loop {
            if let Some(message) = self.pieces.next_message()? {
                return Ok(Some(message));
            }
            match self.run.bounded(self.rows.next()).await? {
                Some(batch) => self.pieces.add(&batch?),
                None => return Ok(None),
            }
        }
    }
}

/// Pieces of a batch that wait to be written, one message at a time.
pub(super) struct Pieces {
    schema: SchemaRef,
    encoder: Encoder,
    waiting: VecDeque<RecordBatch>,
    piece_bytes: usize,
    max_message_bytes: usize,
}

impl Pieces {
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self::with_limits(schema, PIECE_BYTES, MAX_MESSAGE_BYTES)
    }

    pub(super) fn with_limits(
        schema: SchemaRef,
        piece_bytes: usize,
        max_message_bytes: usize,
    ) -> Self {
        Self {
            schema,
            encoder: Encoder::new(),
            waiting: VecDeque::new(),
            piece_bytes,
            max_message_bytes,
        }
    }

    pub(super) fn schema_message(&self) -> FlightData {
        self.encoder.schema(&self.schema)
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) {
        self.waiting.extend(split(batch, self.piece_bytes));
    }

    /// The next message, if any waits. Errors: `ResourceExhausted` for a row above the limit of a
    /// message, `Internal` for a batch that does not fit the schema.
    pub(super) fn next_message(&mut self) -> Result<Option<FlightData>> {
        while let Some(piece) = self.waiting.pop_front() {
            let message = self.encoder.batch(&conform(&piece, &self.schema)?)?;
            let bytes = message_bytes(&message);
            if bytes <= self.max_message_bytes {
                return Ok(Some(message));
            }
            let rows = piece.num_rows();
            if rows == 1 {
                let limit = self.max_message_bytes;
                let text = format!("a row of {bytes} bytes is above the limit of {limit} bytes");
                return Err(Error::new(ErrorKind::ResourceExhausted, text)
                    .with_hint("select fewer columns, or parts of the long values"));
            }
            // The estimate was too low.
            self.waiting.push_front(piece.slice(rows / 2, rows - rows / 2));
            self.waiting.push_front(piece.slice(0, rows / 2));
        }
        Ok(None)
    }
}
