//! `DoGet`.

use arrow_flight::Ticket;
use arrow_flight::sql::Command;
use tonic::Status;

use super::call::{Call, decode_command, unknown_command};
use super::wire::{self, FlightDataStream};
use super::{metadata, prepared, statement, status};

/// The rows behind `ticket`.
pub(super) async fn do_get(call: &Call, ticket: &Ticket) -> Result<FlightDataStream, Status> {
    match decode_command(&ticket.ticket)? {
        Command::TicketStatementQuery(ticket) => statement::do_get(call, ticket).await,
        Command::CommandPreparedStatementQuery(command) => prepared::do_get(call, &command).await,
        command if metadata::schema(&command).is_none() => Err(unknown_command(&command, "DoGet")),
        command => {
            let answer = call.deadline.enforce(metadata::answer(call, command)).await;
            let batch = answer.flatten().map_err(|error| status::of(&error, None))?;
            Ok(wire::of_batch(&batch))
        }
    }
}
