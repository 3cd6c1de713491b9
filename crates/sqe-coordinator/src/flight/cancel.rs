//! `CancelFlightInfo` and its older form, `CancelQuery`. A statement is named by the ticket in the
//! `FlightInfo` that the client got for it.

use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, Command, ProstMessageExt,
};
use arrow_flight::{CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo};
use bytes::Bytes;
use prost::Message;
use sqe_engine::{Error, ErrorKind};
use tonic::Status;

use super::call::{Call, decode_command, unknown_statement};
use super::status;

/// Errors: `NOT_FOUND`, if the statement is over.
pub(super) fn cancel_flight_info(
    call: &Call,
    request: &CancelFlightInfoRequest,
) -> Result<Bytes, Status> {
    let info = request.info.as_ref();
    cancel(call, info.ok_or_else(|| status::malformed("nothing to cancel is named"))?)?;
    let result = CancelFlightInfoResult::new(CancelStatus::Cancelled);
    Ok(result.encode_to_vec().into())
}

/// Errors: `NOT_FOUND`, if the statement is over.
pub(super) fn cancel_query(
    call: &Call,
    request: &ActionCancelQueryRequest,
) -> Result<Bytes, Status> {
    let info = FlightInfo::decode(&*request.info);
    cancel(call, &info.map_err(|_| status::malformed("the flight info cannot be decoded"))?)?;
    let result = ActionCancelQueryResult {
        // The values of both enumerations are the same.
        result: CancelStatus::Cancelled.into(),
    };
    Ok(result.as_any().encode_to_vec().into())
}

fn cancel(call: &Call, info: &FlightInfo) -> Result<(), Status> {
    let mut cancelled = false;
    for ticket in info.endpoint.iter().filter_map(|endpoint| endpoint.ticket.as_ref()) {
        let Command::TicketStatementQuery(ticket) = decode_command(&ticket.ticket)? else {
            let message = "only statements can be cancelled";
            let error = Error::new(ErrorKind::InvalidStatement, message);
            return Err(status::of(&error, None));
        };
        let owner = call.owner(&ticket.statement_handle);
        let (session, query_id) = owner.map_err(|error| status::of(&error, None))?;
        cancelled |= session.cancel(query_id);
    }
    match cancelled {
        true => Ok(()),
        false => Err(status::of(&unknown_statement(), None)),
    }
}
