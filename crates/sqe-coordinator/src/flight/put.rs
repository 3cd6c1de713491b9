//! `DoPut`. The first message names the command; for an update from text nothing else follows, not
//! even a schema.

use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::Command;
use bytes::Bytes;
use futures::future::ready;
use futures::{StreamExt, TryStreamExt, stream};
use tonic::{Status, Streaming};

use super::call::{Call, decode_command, unknown_command};
use super::prepared::{self, parameters_unsupported};
use super::{statement, status};

/// Runs an update or binds parameters; gives the metadata of the only answer.
pub(super) async fn do_put(
    call: &Call,
    mut messages: Streaming<FlightData>,
) -> Result<Bytes, Status> {
    let first = messages.message().await?;
    let first = first.ok_or_else(|| status::malformed("DoPut without a message"))?;
    let descriptor = first.flight_descriptor.as_ref();
    let descriptor =
        descriptor.ok_or_else(|| status::malformed("the first message has no descriptor"))?;
    match decode_command(&descriptor.cmd)? {
        Command::CommandStatementUpdate(command) => statement::put_update(call, command).await,
        Command::CommandPreparedStatementUpdate(command) => {
            refuse_parameters(first, messages).await?;
            prepared::put_update(call, &command).await
        }
        Command::CommandPreparedStatementQuery(command) => {
            refuse_parameters(first, messages).await?;
            prepared::bind(call, command)
        }
        command => Err(unknown_command(&command, "DoPut")),
    }
}

/// Drivers send a batch even where a statement has no parameters; it has no rows or no columns.
async fn refuse_parameters(
    first: FlightData,
    messages: Streaming<FlightData>,
) -> Result<(), Status> {
    let messages = stream::iter([Ok(first)]).chain(messages);
    let messages = messages
        .try_filter(|message| ready(!message.data_header.is_empty()))
        .map_err(FlightError::from);
    let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|error| {
            status::malformed(format!("the parameters cannot be read: {error}"))
        })?;
        if batch.num_rows() > 0 && batch.num_columns() > 0 {
            return Err(parameters_unsupported());
        }
    }
    Ok(())
}
