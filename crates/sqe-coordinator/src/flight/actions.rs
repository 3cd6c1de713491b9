//! `DoAction` and `ListActions`.

use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, Any, ProstMessageExt,
};
use arrow_flight::{Action, ActionType};
use bytes::Bytes;
use prost::Message;
use serde_json::json;
use sqe_engine::{Error, ErrorKind};
use sqe_exchange::membership;
use tonic::Status;

use super::call::Call;
use super::{Service, cancel, prepared, session_actions, status};

/// The actions that are built, with a word on each.
const ACTIONS: [(&str, &str); 7] = [
    ("CreatePreparedStatement", "plans a statement and keeps it"),
    ("ClosePreparedStatement", "forgets a prepared statement"),
    ("CancelFlightInfo", "cancels a statement"),
    ("CancelQuery", "cancels a statement; older than CancelFlightInfo"),
    ("GetSessionOptions", "tells the settings of the session"),
    ("CloseSession", "ends the session and what it runs"),
    (LOGIN, "tells where users log in; needs no login itself"),
];

/// The action that tells clients of the issuer of tokens.
pub(super) const LOGIN: &str = "sqe.login";

/// What `ListActions` answers.
pub(super) fn list() -> impl Iterator<Item = ActionType> {
    ACTIONS.into_iter().map(|(name, description)| ActionType {
        r#type: name.to_owned(),
        description: description.to_owned(),
    })
}

/// Does `action`; gives the body of its answer, if it has one. The bodies of Flight's own actions
/// are plain messages, those of Flight SQL's are wrapped in `Any`.
pub(super) async fn do_action(call: &Call, action: &Action) -> Result<Option<Bytes>, Status> {
    match action.r#type.as_str() {
        "CreatePreparedStatement" => {
            let request: ActionCreatePreparedStatementRequest = unpack(action)?;
            prepared::create(call, request).await.map(Some)
        }
        "ClosePreparedStatement" => {
            let request: ActionClosePreparedStatementRequest = unpack(action)?;
            prepared::close(call, &request);
            Ok(None)
        }
        "CancelFlightInfo" => cancel::cancel_flight_info(call, &decode(action)?).map(Some),
        "CancelQuery" => {
            let request: ActionCancelQueryRequest = unpack(action)?;
            cancel::cancel_query(call, &request).map(Some)
        }
        "GetSessionOptions" => Ok(Some(session_actions::options(call))),
        "CloseSession" => Ok(Some(session_actions::close(call))),
        other => Err(status::unsupported(format!("action {other} is not supported"))),
    }
}

/// The answer to a worker, which needs no login: it proves that it knows the key of all nodes.
/// Errors: `PERMISSION_DENIED` for a call that proves nothing.
pub(super) fn of_worker(service: &Service, action: &Action) -> Option<Result<Bytes, Status>> {
    let workers = service.workers.as_ref()?;
    let answer = match action.r#type.as_str() {
        membership::CHALLENGE => Some(workers.challenge()),
        membership::HEARTBEAT => workers.heartbeat(&action.body),
        _ => return None,
    };
    let refused = || {
        let error = Error::new(ErrorKind::PermissionDenied, "the worker is refused");
        status::of(&error, None)
    };
    Some(answer.map(Bytes::from).ok_or_else(refused))
}

/// Where users log in with a browser, as JSON: `issuer`, `client_id`, `scope`. It is no secret.
/// Errors: `NOT_FOUND` where there is no such login.
pub(super) fn login(service: &Service) -> Result<Bytes, Status> {
    let issuer = service.options.auth.issuer.as_ref();
    let login = issuer.and_then(|issuer| Some((issuer, issuer.login_client_id.as_ref()?)));
    let Some((issuer, client_id)) = login else {
        let message = "this server has no login with a browser";
        return Err(status::of(&Error::new(ErrorKind::NotFound, message), None));
    };
    let scope = issuer.login_scope.as_deref();
    let answer = json!({ "issuer": issuer.issuer, "client_id": client_id, "scope": scope });
    Ok(answer.to_string().into())
}

fn decode<M: Message + Default>(action: &Action) -> Result<M, Status> {
    M::decode(&*action.body).map_err(|_| malformed(action))
}

fn unpack<M: ProstMessageExt>(action: &Action) -> Result<M, Status> {
    let any: Any = decode(action)?;
    any.unpack().ok().flatten().ok_or_else(|| malformed(action))
}

fn malformed(action: &Action) -> Status {
    status::malformed(format!("the body of action {} cannot be decoded", action.r#type))
}
