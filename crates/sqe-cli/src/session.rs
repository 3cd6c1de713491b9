//! Calls on a logged-in connection: run a command, fetch its rows, cancel it, end the session.
//! Every call carries the bearer.

use std::time::Duration;

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, CancelFlightInfoRequest, FlightDescriptor, FlightEndpoint, FlightInfo};
use futures::TryStreamExt;
use prost::Message;
use tonic::Request;
use tonic::transport::Channel;

use crate::args::Args;
use crate::connect::{Address, connect};
use crate::credentials::{Credentials, Source};
use crate::error::{Error, Result};
use crate::login::Bearer;

/// How long the client waits for answers it does not need: to a cancellation and to the end of the
/// session.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
/// The location that means the connection a FlightInfo came from.
const REUSE_CONNECTION: &str = "arrow-flight-reuse-connection:";

pub(crate) struct Session {
    client: FlightServiceClient<Channel>,
    credentials: Credentials,
    /// What [`Self::cancel`] cancels.
    running: Option<FlightInfo>,
}

impl Session {
    /// Connects and logs in.
    pub(crate) async fn open(args: &Args) -> Result<Self> {
        let address = Address::of(args);
        let source = Source::of(args, &address)?;
        let mut client = connect(args, &address).await?;
        let credentials = source.log_in(&mut client, &address).await?;
        Ok(Self { client, credentials, running: None })
    }

    /// Starts the statement `sql`.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<FlightInfo> {
        self.start(CommandStatementQuery { query: sql.to_owned(), transaction_id: None }).await
    }

    /// Starts a Flight SQL command. Dropping the future cancels it on the server.
    pub(crate) async fn start(&mut self, command: impl ProstMessageExt) -> Result<FlightInfo> {
        self.running = None;
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let request = request(descriptor, self.credentials.fresh().await?);
        let response = self.client.get_flight_info(request).await;
        let response = response.map_err(|status| self.credentials.refused(status))?;
        self.credentials.update(response.metadata());
        let info = response.into_inner();
        self.running = Some(info.clone());
        Ok(info)
    }

    /// The rows of one endpoint. Dropping the stream cancels the query on the server.
    pub(crate) async fn fetch(
        &mut self,
        endpoint: FlightEndpoint,
    ) -> Result<FlightRecordBatchStream> {
        let locations = &endpoint.location;
        let here = locations.iter().any(|location| location.uri.starts_with(REUSE_CONNECTION));
        if let (Some(location), false) = (locations.first(), here) {
            return Err(Error::Transport(format!(
                "rows are offered only by {}, and fetching from other servers is not supported",
                location.uri
            )));
        }
        let ticket = endpoint.ticket.unwrap_or_default();
        let request = request(ticket, self.credentials.fresh().await?);
        let stream = self.client.do_get(request).await;
        let stream = stream.map_err(|status| self.credentials.refused(status))?.into_inner();
        Ok(FlightRecordBatchStream::new_from_flight_data(stream.map_err(Into::into)))
    }

    /// Cancels what was started last; a server that does not know it any more is no error.
    pub(crate) async fn cancel(&mut self) {
        if let Some(info) = self.running.take() {
            let request = CancelFlightInfoRequest::new(info);
            self.action("CancelFlightInfo", request.encode_to_vec()).await;
        }
    }

    /// Ends the session on the server; errors do not matter, because it would expire anyway.
    pub(crate) async fn close(mut self) {
        self.action("CloseSession", Vec::new()).await;
    }

    async fn action(&mut self, name: &str, body: Vec<u8>) {
        let request = request(Action::new(name, body), self.credentials.last().cloned());
        let call = async {
            let mut results = self.client.do_action(request).await?.into_inner();
            while results.message().await?.is_some() {}
            Ok::<_, tonic::Status>(())
        };
        let _ = tokio::time::timeout(GOODBYE_TIMEOUT, call).await;
    }
}

fn request<T>(message: T, bearer: Option<Bearer>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(bearer) = bearer {
        request.metadata_mut().insert("authorization", bearer);
    }
    request
}
