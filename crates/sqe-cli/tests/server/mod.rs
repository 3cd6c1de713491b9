//! A Flight SQL server that knows a handful of statements by their text.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::Schema;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::server::FlightSqlService;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt, SqlInfo, TicketStatementQuery};
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse,
    Ticket,
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

pub(crate) struct Server {
    pub(crate) port: u16,
    closed: Arc<AtomicUsize>,
    /// Serves until it is dropped.
    _runtime: Runtime,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// Tells clients to log in at `issuer`.
    pub(crate) fn with_issuer(issuer: &str) -> Self {
        Self::start_with(Some(issuer.to_owned()))
    }

    fn start_with(issuer: Option<String>) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let closed = Arc::new(AtomicUsize::new(0));
        let service = FlightServiceServer::new(Service { closed: Arc::clone(&closed), issuer });
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let serve = tonic::transport::Server::builder().add_service(service);
        runtime.spawn(serve.serve_with_incoming(incoming));
        Self { port, closed, _runtime: runtime }
    }

    pub(crate) fn closed_sessions(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

struct Service {
    closed: Arc<AtomicUsize>,
    issuer: Option<String>,
}

const BEARER: &str = "Bearer token";

fn authorization<T>(request: &Request<T>) -> Option<&str> {
    request.metadata().get("authorization")?.to_str().ok()
}

fn rows(sql: &[u8]) -> RecordBatch {
    let values: Int64Array = if sql == b"many" { (0..1_000_000).collect() } else { vec![1].into() };
    RecordBatch::try_from_iter([("one", Arc::new(values) as ArrayRef)]).expect("one column")
}

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<
        Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>,
        Status,
    > {
        // The second is root:secret.
        if !matches!(authorization(&request), None | Some("Basic cm9vdDpzZWNyZXQ=")) {
            return Err(Status::unauthenticated("wrong user or password"));
        }
        let mut response =
            Response::new(stream::iter([Ok(HandshakeResponse::default())]).boxed() as _);
        response.metadata_mut().insert("authorization", BEARER.parse().expect("ASCII"));
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        if authorization(&request) != Some(BEARER) {
            return Err(Status::unauthenticated("no bearer"));
        }
        let affected = |rows| {
            let info = FlightInfo::new().try_with_schema(&Schema::empty()).expect("encodes");
            Ok(Response::new(info.with_total_records(rows)))
        };
        match query.query.as_str() {
            "INSERT" => return affected(3),
            "CREATE" => return affected(-1),
            sql if sql.starts_with("fail") => {
                let metadata = [("line", "1"), ("column", "6"), ("hint", "look twice")];
                let metadata: HashMap<_, _> = metadata.map(|(k, v)| (k.into(), v.into())).into();
                let details = ErrorDetails::with_error_info("INVALID_SQL", "sqe", metadata);
                let code = Code::InvalidArgument;
                return Err(Status::with_error_details(code, "no such column", details));
            }
            _ => {}
        }
        let sql = query.query.into_bytes();
        let schema = rows(&sql).schema();
        let ticket = TicketStatementQuery { statement_handle: sql.into() };
        let ticket = Ticket::new(ticket.as_any().encode_to_vec());
        let info = FlightInfo::new().try_with_schema(&schema).expect("encodes");
        Ok(Response::new(info.with_endpoint(FlightEndpoint::new().with_ticket(ticket))))
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        _request: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let batch = rows(&ticket.statement_handle);
        let data = FlightDataEncoderBuilder::new().build(stream::iter([Ok(batch)]));
        Ok(Response::new(data.map_err(Status::from).boxed()))
    }

    async fn do_action_fallback(
        &self,
        request: Request<Action>,
    ) -> Result<Response<<Self as FlightService>::DoActionStream>, Status> {
        if request.get_ref().r#type == "sqe.login" {
            assert_eq!(authorization(&request), None);
            let Some(issuer) = &self.issuer else {
                return Err(Status::unimplemented("no issuer is configured"));
            };
            let body = format!(
                r#"{{"issuer": "{issuer}", "client_id": "cli", "scope": "offline_access"}}"#
            );
            let result = arrow_flight::Result { body: body.into() };
            return Ok(Response::new(stream::iter([Ok(result)]).boxed()));
        }
        assert_eq!(request.get_ref().r#type, "CloseSession");
        self.closed.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(stream::empty().boxed()))
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}
