//! A client that shows statuses and messages as they are.

use std::net::SocketAddr;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::util::pretty::pretty_format_batches;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    Any, CommandStatementQuery, CommandStatementUpdate, DoPutUpdateResult, ProstMessageExt,
};
use arrow_flight::{
    Action, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, PutResult, Ticket,
};
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

/// A connection and the credentials it sends.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) flight: FlightServiceClient<Channel>,
    /// The `authorization` header.
    pub(crate) authorization: Option<String>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        Self::over(endpoint.connect().await.unwrap())
    }

    pub(crate) fn over(channel: Channel) -> Self {
        let flight = FlightServiceClient::new(channel).max_decoding_message_size(64 << 20);
        let flight = flight.max_encoding_message_size(256 << 20);
        Self { flight, authorization: None }
    }

    pub(crate) fn with_authorization(mut self, header: impl Into<String>) -> Self {
        self.authorization = Some(header.into());
        self
    }

    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(header) = &self.authorization {
            request.metadata_mut().insert("authorization", header.parse().unwrap());
        }
        request
    }

    /// The headers and the payload of the answer.
    pub(crate) async fn handshake(&mut self) -> Result<(MetadataMap, Bytes), Status> {
        let request = self.request(stream::iter([HandshakeRequest::default()]));
        let response = self.flight.handshake(request).await?;
        let headers = response.metadata().clone();
        let answer = response.into_inner().message().await?.unwrap();
        Ok((headers, answer.payload))
    }

    pub(crate) async fn info<M: ProstMessageExt>(
        &mut self,
        command: M,
    ) -> Result<FlightInfo, Status> {
        let request = self.request(descriptor(&command));
        Ok(self.flight.get_flight_info(request).await?.into_inner())
    }

    pub(crate) async fn get(&mut self, ticket: Ticket) -> Result<Streaming<FlightData>, Status> {
        let request = self.request(ticket);
        Ok(self.flight.do_get(request).await?.into_inner())
    }

    /// Announced schema and rows of a command; checks that they agree.
    pub(crate) async fn rows<M: ProstMessageExt>(
        &mut self,
        command: M,
    ) -> Result<RecordBatch, Status> {
        let info = self.info(command).await?;
        let announced: SchemaRef = Schema::try_from(info.clone()).unwrap().into();
        let [endpoint] = info.endpoint.as_slice() else {
            panic!("{} endpoints", info.endpoint.len());
        };
        let messages = self.get(endpoint.ticket.clone().unwrap()).await?;
        let (schema, batches) = read(messages).await?;
        assert_eq!(schema, announced);
        Ok(concat_batches(&schema, &batches).unwrap())
    }

    /// The rows of a query, as a table of text.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<String, Status> {
        Ok(pretty(&self.rows(query(sql)).await?))
    }

    /// Runs a statement the way drivers do, which send updates as queries; gives its row count.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<i64, Status> {
        let info = self.info(query(sql)).await?;
        assert!(info.endpoint.is_empty(), "an update has no endpoints");
        assert!(!info.schema.is_empty(), "the schema is there");
        assert!(Schema::try_from(info.clone()).unwrap().fields().is_empty());
        Ok(info.total_records)
    }

    /// Runs an update; gives its row count.
    pub(crate) async fn update(&mut self, sql: &str) -> Result<i64, Status> {
        let command = CommandStatementUpdate { query: sql.into(), transaction_id: None };
        let [result] = self.put(&command, Vec::new()).await?.try_into().unwrap();
        Ok(DoPutUpdateResult::decode(result.app_metadata).unwrap().record_count)
    }

    /// `DoPut` of a command, with messages that follow it.
    pub(crate) async fn put<M: ProstMessageExt>(
        &mut self,
        command: &M,
        mut messages: Vec<FlightData>,
    ) -> Result<Vec<PutResult>, Status> {
        if messages.is_empty() {
            messages.push(FlightData::default());
        }
        messages[0].flight_descriptor = Some(descriptor(command));
        let request = self.request(stream::iter(messages));
        self.flight.do_put(request).await?.into_inner().try_collect().await
    }

    /// The body of the answer to an action, if it has one.
    pub(crate) async fn action(
        &mut self,
        name: &str,
        body: impl Into<Bytes>,
    ) -> Result<Option<Bytes>, Status> {
        let request = self.request(Action::new(name, body));
        let results = self.flight.do_action(request).await?.into_inner();
        let results: Vec<arrow_flight::Result> = results.try_collect().await?;
        assert!(results.len() <= 1);
        Ok(results.into_iter().next().map(|result| result.body))
    }
}

pub(crate) fn query(sql: &str) -> CommandStatementQuery {
    CommandStatementQuery { query: sql.into(), transaction_id: None }
}

pub(crate) fn descriptor<M: ProstMessageExt>(command: &M) -> FlightDescriptor {
    FlightDescriptor::new_cmd(packed(command))
}

/// A message inside `Any`.
pub(crate) fn packed<M: ProstMessageExt>(message: &M) -> Vec<u8> {
    Any::pack(message).unwrap().encode_to_vec()
}

/// The schema and the batches of an answer.
pub(crate) async fn read(
    messages: Streaming<FlightData>,
) -> Result<(SchemaRef, Vec<RecordBatch>), Status> {
    let messages = messages.map_err(FlightError::from);
    let mut stream = FlightRecordBatchStream::new_from_flight_data(messages);
    let mut batches = Vec::new();
    loop {
        match stream.try_next().await {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => return Ok((SchemaRef::clone(stream.schema().unwrap()), batches)),
            Err(FlightError::Tonic(status)) => return Err(*status),
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) fn pretty(batch: &RecordBatch) -> String {
    pretty_format_batches(std::slice::from_ref(batch)).unwrap().to_string()
}
