//! The calls of the Flight service. Each authenticates and delegates.
//!
//! Written by hand, because the implementation that arrow-flight derives from its own SQL trait
//! cannot answer `GetSchema` and `ListFlights`, hides its first message from `DoPut`, and calls an
//! unknown action an invalid argument.

use std::sync::Arc;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::stream::{self, BoxStream, StreamExt};
use secrecy::ExposeSecret;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Response, Status, Streaming};

use super::call::Call;
use super::wire::FlightDataStream;
use super::{Service, actions, get, info, put, status};

type Stream<T> = BoxStream<'static, Result<T, Status>>;

/// The Flight service.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    service: Arc<Service>,
}

impl Front {
    pub(crate) fn new(service: Arc<Service>) -> Self {
        Self { service }
    }

    async fn enter<T>(&self, request: Request<T>) -> Result<(Call, T), Status> {
        let (headers, extensions, message) = request.into_parts();
        let call = Call::enter(&self.service, &headers, &extensions).await?;
        Ok((call, message))
    }
}

#[tonic::async_trait]
impl FlightService for Front {
    type HandshakeStream = Stream<HandshakeResponse>;
    type ListFlightsStream = Stream<FlightInfo>;
    type DoGetStream = FlightDataStream;
    type DoPutStream = Stream<PutResult>;
    type DoExchangeStream = Stream<FlightData>;
    type DoActionStream = Stream<arrow_flight::Result>;
    type ListActionsStream = Stream<ActionType>;

    /// Answers at once, because some clients send nothing and wait.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let (headers, extensions, _) = request.into_parts();
        let token = self.service.authenticator.handshake(&headers, &extensions).await?;
        let token = token.expose_secret().to_owned();
        let mut header = AsciiMetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|_| status::unauthenticated("the token cannot be a header"))?;
        let answer = HandshakeResponse { protocol_version: 0, payload: token.into() };
        let mut response = Response::new(one(answer));
        header.set_sensitive(true);
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.enter(request).await?;
        Ok(Response::new(stream::empty().boxed()))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let (call, descriptor) = self.enter(request).await?;
        info::get_flight_info(&call, descriptor).await.map(Response::new)
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        self.enter(request).await?;
        Err(status::unsupported("PollFlightInfo is not supported"))
    }

    async fn get_schema(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        let (call, descriptor) = self.enter(request).await?;
        info::get_schema(&call, &descriptor).await.map(Response::new)
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        let (call, ticket) = self.enter(request).await?;
        get::do_get(&call, &ticket).await.map(Response::new)
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let (call, messages) = self.enter(request).await?;
        let app_metadata = put::do_put(&call, messages).await?;
        Ok(Response::new(one(PutResult { app_metadata })))
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.enter(request).await?;
        Err(status::unsupported("DoExchange is not supported"))
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        if request.get_ref().r#type == actions::LOGIN {
            let body = actions::login(&self.service)?;
            return Ok(Response::new(one(arrow_flight::Result { body })));
        }
        if let Some(answer) = actions::of_worker(&self.service, request.get_ref()) {
            return Ok(Response::new(one(arrow_flight::Result { body: answer? })));
        }
        let (call, action) = self.enter(request).await?;
        let body = actions::do_action(&call, &action).await?;
        let results = body.map(|body| Ok(arrow_flight::Result { body }));
        Ok(Response::new(stream::iter(results).boxed()))
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        self.enter(request).await?;
        let actions = actions::list().map(Ok);
        Ok(Response::new(stream::iter(actions).boxed()))
    }
}

fn one<T: Send + 'static>(item: T) -> Stream<T> {
    stream::iter([Ok(item)]).boxed()
}
