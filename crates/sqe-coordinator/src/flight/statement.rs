//! Statements that come as SQL text: `CommandStatementQuery`, `CommandStatementUpdate` and the
//! tickets of queries.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow_flight::sql::{
    CommandStatementQuery, CommandStatementUpdate, DoPutUpdateResult, ProstMessageExt,
    TicketStatementQuery,
};
use arrow_flight::{FlightDescriptor, FlightInfo};
use bytes::Bytes;
use prost::Message;
use sqe_engine::{Error, ErrorKind, Prepared, Result};
use tonic::Status;

use super::call::{Call, refuse_transaction, unknown_statement};
use super::handle::Handle;
use super::info::{done_info, rows_info};
use super::run::Run;
use super::status;
use super::wire::{self, FlightDataStream, wire_schema};
use crate::session::ClientSession;

/// `GetFlightInfo` of SQL text.
pub(super) async fn flight_info(
    call: &Call,
    command: CommandStatementQuery,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, Status> {
    let run = call.start();
    let answer = async {
        refuse_transaction(command.transaction_id.as_deref())?;
        let prepared = prepare(call, &run, &command.query).await?;
        info_of(&run, prepared, descriptor).await
    };
    answer.await.map_err(|error| status::of(&error, Some(run.query_id())))
}

/// `GetSchema` of SQL text.
pub(super) async fn schema(
    call: &Call,
    command: &CommandStatementQuery,
) -> Result<SchemaRef, Status> {
    let run = call.start();
    let prepared = prepare(call, &run, &command.query).await;
    let prepared = prepared.map_err(|error| status::of(&error, Some(run.query_id())))?;
    Ok(wire_schema(&prepared.schema()))
}

/// `DoPut` of SQL text.
pub(super) async fn put_update(
    call: &Call,
    command: CommandStatementUpdate,
) -> Result<Bytes, Status> {
    let run = call.start();
    let answer = async {
        refuse_transaction(command.transaction_id.as_deref())?;
        let prepared = prepare(call, &run, &command.query).await?;
        update(&run, &prepared).await
    };
    answer.await.map_err(|error| status::of(&error, Some(run.query_id())))
}

/// `DoGet` of a ticket, which works once.
pub(super) async fn do_get(
    call: &Call,
    ticket: TicketStatementQuery,
) -> Result<FlightDataStream, Status> {
    let (prepared, run) = take(call, &ticket).map_err(|error| status::of(&error, None))?;
    stream_of(run, &prepared).await
}

/// Plans `sql`.
pub(super) async fn prepare(call: &Call, run: &Run, sql: &str) -> Result<Prepared> {
    run.prepare(sql, call.service.options.max_statement_bytes).await
}

/// Hands out a ticket for the rows of a query; runs anything else now. Drivers send updates through
/// here too, and this call is the only one of theirs that is sure to come exactly once.
pub(super) async fn info_of(
    run: &Run,
    prepared: Prepared,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo> {
    let query_id = run.query_id();
    let app_metadata = Bytes::from(query_id.to_string());
    if !prepared.returns_rows() {
        let affected = run.update(&prepared).await?;
        return done_info(affected, descriptor, app_metadata);
    }
    let handle = Handle { session: run.session().id(), statement: query_id };
    let ticket = TicketStatementQuery { statement_handle: handle.encode() };
    let ticket = Bytes::from(ticket.as_any().encode_to_vec());
    let info = rows_info(&wire_schema(&prepared.schema()), ticket, descriptor, app_metadata)?;
    run.session().add_pending(query_id, prepared)?;
    Ok(info)
}

/// Runs a statement that answers no rows; gives the answer of `DoPut`.
pub(super) async fn update(run: &Run, prepared: &Prepared) -> Result<Bytes> {
    if prepared.returns_rows() {
        let message = "the statement answers rows, so that it cannot be run as an update";
        return Err(Error::new(ErrorKind::InvalidStatement, message));
    }
    let record_count = run.update(prepared).await?;
    Ok(DoPutUpdateResult { record_count }.encode_to_vec().into())
}

/// Runs a query.
pub(super) async fn stream_of(run: Run, prepared: &Prepared) -> Result<FlightDataStream, Status> {
    let rows = run.query(prepared).await;
    let rows = rows.map_err(|error| status::of(&error, Some(run.query_id())))?;
    Ok(wire::of_statement(run, &prepared.schema(), rows))
}

fn take(call: &Call, ticket: &TicketStatementQuery) -> Result<(Prepared, Run)> {
    let (session, query_id): (Arc<ClientSession>, _) = call.owner(&ticket.statement_handle)?;
    let taken = session.start_pending(query_id);
    let (prepared, running) = taken.ok_or_else(unknown_statement)?;
    Ok((prepared, Run::new(running, call.deadline)))
}
