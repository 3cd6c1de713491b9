//! One batch, one message.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow_flight::{FlightData, SchemaAsIpc};
use sqe_engine::{Error, ErrorKind, Result};

/// Writes batches without dictionaries, uncompressed, because not all clients can read others.
pub(super) struct Encoder {
    generator: IpcDataGenerator,
    dictionaries: DictionaryTracker,
    options: IpcWriteOptions,
    context: IpcWriteContext,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            generator: IpcDataGenerator::default(),
            dictionaries: DictionaryTracker::new(true),
            options: IpcWriteOptions::default(),
            context: IpcWriteContext::default(),
        }
    }

    /// The message that opens a stream.
    pub(super) fn schema(&self, schema: &Schema) -> FlightData {
        SchemaAsIpc::new(schema, &self.options).into()
    }

    /// The message of `batch`, which has the schema of the stream.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<FlightData> {
        let encoded =
            self.generator.encode(batch, &mut self.dictionaries, &self.options, &mut self.context);
        let defect = |detail: String| {
            Error::new(ErrorKind::Internal, format!("cannot encode a batch: {detail}"))
        };
        let (dictionaries, batch) = encoded.map_err(|error| defect(error.to_string()))?;
        if !dictionaries.is_empty() {
            return Err(defect("it has dictionaries".to_owned()));
        }
        Ok(batch.into())
    }
}

/// The bytes of a message but for a few of framing.
pub(super) fn message_bytes(message: &FlightData) -> usize {
    message.data_header.len() + message.data_body.len()
}
