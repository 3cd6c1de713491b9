//! `GetSessionOptions` and `CloseSession`.

use bytes::Bytes;
use prost::Message;

use super::call::Call;
use super::messages::{
    CloseSessionResult, CloseSessionStatus, GetSessionOptionsResult, SessionOptionValue,
};

/// The catalog and the schema that unqualified names are looked up in.
pub(super) fn options(call: &Call) -> Bytes {
    let engine = call.session.engine();
    let options = [("catalog", engine.current_catalog()), ("schema", engine.current_schema())];
    let options = options.map(|(name, value)| {
        let string_value = Some(value);
        (name.to_owned(), SessionOptionValue { string_value })
    });
    let result = GetSessionOptionsResult { session_options: options.into() };
    result.encode_to_vec().into()
}

/// Ends the caller's session and what it runs; its token is worth nothing afterwards.
pub(super) fn close(call: &Call) -> Bytes {
    call.service.sessions.close(call.session.id());
    let result = CloseSessionResult { status: CloseSessionStatus::Closed.into() };
    result.encode_to_vec().into()
}
