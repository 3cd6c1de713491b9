//! Prepared statements, without parameters.
//!
//! A handle may run any number of times, also at once; every `GetFlightInfo` makes a new run with a
//! ticket of its own, so that each can be cancelled by itself. Each run sees its tables as they are
//! when it starts.

use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate, DoPutPreparedStatementResult, ProstMessageExt,
};
use arrow_flight::{FlightDescriptor, FlightInfo};
use bytes::Bytes;
use prost::Message;
use sqe_engine::{Error, ErrorKind, Prepared, Result};
use tonic::Status;

use super::call::{Call, refuse_transaction, unknown_statement};
use super::handle::Handle;
use super::messages::CreatePreparedStatementResult;
use super::run::Run;
use super::statement::{info_of, prepare, stream_of, update};
use super::status;
use super::wire::{FlightDataStream, schema_bytes, wire_schema};

/// `CreatePreparedStatement`.
pub(super) async fn create(
    call: &Call,
    request: ActionCreatePreparedStatementRequest,
) -> Result<Bytes, Status> {
    let run = call.start();
    let answer = async {
        refuse_transaction(request.transaction_id.as_deref())?;
        let prepared = prepare(call, &run, &request.query).await?;
        let is_update = !prepared.returns_rows();
        // Drivers that do not know `is_update` take a statement without a schema for an update.
        let dataset_schema = match is_update {
            true => Bytes::new(),
            false => schema_bytes(&wire_schema(&prepared.schema()))?,
        };
        let handle =
            Handle { session: call.session.id(), statement: call.session.add_prepared(prepared)? };
        let result = CreatePreparedStatementResult {
            prepared_statement_handle: handle.encode(),
            dataset_schema,
            parameter_schema: schema_bytes(&Schema::empty())?,
            is_update: Some(is_update),
        };
        let any = Any {
            type_url: ActionCreatePreparedStatementResult::type_url().to_owned(),
            value: result.encode_to_vec().into(),
        };
        Ok(any.encode_to_vec().into())
    };
    answer.await.map_err(|error| status::of(&error, Some(run.query_id())))
}

/// `ClosePreparedStatement`. Closing what is not there is no error.
pub(super) fn close(call: &Call, request: &ActionClosePreparedStatementRequest) {
    if let Ok((session, id)) = call.owner(&request.prepared_statement_handle) {
        session.close_prepared(id);
    }
}

/// `GetFlightInfo` of a handle.
pub(super) async fn flight_info(
    call: &Call,
    command: &CommandPreparedStatementQuery,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, Status> {
    let (run, prepared) = begin(call, &command.prepared_statement_handle)?;
    let info = async { info_of(&run, run.renew(&prepared).await?, descriptor).await };
    info.await.map_err(|error| status::of(&error, Some(run.query_id())))
}

/// `GetSchema` of a handle.
pub(super) fn schema(
    call: &Call,
    command: &CommandPreparedStatementQuery,
) -> Result<SchemaRef, Status> {
    let (_, prepared) = begin(call, &command.prepared_statement_handle)?;
    Ok(wire_schema(&prepared.schema()))
}

/// `DoGet` of a handle, for clients that use it as a ticket.
pub(super) async fn do_get(
    call: &Call,
    command: &CommandPreparedStatementQuery,
) -> Result<FlightDataStream, Status> {
    let (run, prepared) = begin(call, &command.prepared_statement_handle)?;
    if !prepared.returns_rows() {
        let message = "the statement answers no rows, so that there is nothing to get";
        return Err(status::malformed(message));
    }
    let renewed = run.renew(&prepared).await;
    let prepared = renewed.map_err(|error| status::of(&error, Some(run.query_id())))?;
    stream_of(run, &prepared).await
}

/// `DoPut` of a handle whose statement answers no rows.
pub(super) async fn put_update(
    call: &Call,
    command: &CommandPreparedStatementUpdate,
) -> Result<Bytes, Status> {
    let (run, prepared) = begin(call, &command.prepared_statement_handle)?;
    let answer = async { update(&run, &run.renew(&prepared).await?).await };
    answer.await.map_err(|error| status::of(&error, Some(run.query_id())))
}

/// `DoPut` of a handle whose statement answers rows: the parameters, of which there are none.
pub(super) fn bind(call: &Call, command: CommandPreparedStatementQuery) -> Result<Bytes, Status> {
    begin(call, &command.prepared_statement_handle)?;
    let result = DoPutPreparedStatementResult {
        prepared_statement_handle: Some(command.prepared_statement_handle),
    };
    Ok(result.encode_to_vec().into())
}

/// The error for a client that binds values.
pub(super) fn parameters_unsupported() -> Status {
    status::of(&Error::new(ErrorKind::Unsupported, "parameters are not supported yet"), None)
}

fn begin(call: &Call, handle: &[u8]) -> Result<(Run, Prepared), Status> {
    let begun = || {
        let (session, id) = call.owner(handle)?;
        let prepared = session.prepared(id).ok_or_else(unknown_statement)?;
        Ok((call.start_in(&session), prepared))
    };
    begun().map_err(|error: Error| status::of(&error, None))
}
