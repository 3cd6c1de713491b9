//! `GetFlightInfo` and `GetSchema`.

use arrow::datatypes::Schema;
use arrow_flight::sql::Command;
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, SchemaResult, Ticket};
use bytes::Bytes;
use sqe_engine::Result;
use tonic::Status;

use super::call::{Call, decode_command, unknown_command};
use super::wire::schema_bytes;
use super::{metadata, prepared, statement, status};

/// Plans a query, or runs a statement that answers no rows.
pub(super) async fn get_flight_info(
    call: &Call,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, Status> {
    match decode_command(&descriptor.cmd)? {
        Command::CommandStatementQuery(command) => {
            statement::flight_info(call, command, descriptor).await
        }
        Command::CommandPreparedStatementQuery(command) => {
            prepared::flight_info(call, &command, descriptor).await
        }
        command => {
            let schema = metadata::schema(&command)
                .ok_or_else(|| unknown_command(&command, "GetFlightInfo"))?;
            // The command is its own ticket: nothing has to be remembered.
            let ticket = descriptor.cmd.clone();
            rows_info(&schema, ticket, descriptor, Bytes::new())
                .map_err(|error| status::of(&error, None))
        }
    }
}

/// Plans a statement and runs nothing.
pub(super) async fn get_schema(
    call: &Call,
    descriptor: &FlightDescriptor,
) -> Result<SchemaResult, Status> {
    let schema = match decode_command(&descriptor.cmd)? {
        Command::CommandStatementQuery(command) => statement::schema(call, &command).await?,
        Command::CommandPreparedStatementQuery(command) => prepared::schema(call, &command)?,
        command => {
            metadata::schema(&command).ok_or_else(|| unknown_command(&command, "GetSchema"))?
        }
    };
    let schema = schema_bytes(&schema).map_err(|error| status::of(&error, None))?;
    Ok(SchemaResult { schema })
}

/// The answer for rows that wait behind `ticket`. `app_metadata` is for clients of ours.
pub(super) fn rows_info(
    schema: &Schema,
    ticket: Bytes,
    descriptor: FlightDescriptor,
    app_metadata: Bytes,
) -> Result<FlightInfo> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket { ticket });
    Ok(FlightInfo {
        schema: schema_bytes(schema)?,
        flight_descriptor: Some(descriptor),
        endpoint: vec![endpoint],
        total_records: -1,
        total_bytes: -1,
        // One endpoint is always in order.
        ordered: true,
        app_metadata,
    })
}

/// The answer for a statement that ran already: a schema without fields, which must be there, no
/// endpoint, and the number of rows it wrote. Drivers take their row count from it.
pub(super) fn done_info(
    affected: i64,
    descriptor: FlightDescriptor,
    app_metadata: Bytes,
) -> Result<FlightInfo> {
    Ok(FlightInfo {
        schema: schema_bytes(&Schema::empty())?,
        flight_descriptor: Some(descriptor),
        endpoint: Vec::new(),
        total_records: affected,
        total_bytes: -1,
        ordered: false,
        app_metadata,
    })
}
