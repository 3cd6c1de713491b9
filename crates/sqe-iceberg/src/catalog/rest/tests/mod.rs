//! A server in this process that answers as catalogs do, and as they should not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response};
use iceberg::spec::{
    FormatVersion, NestedField, PrimitiveType, Schema, SortOrder, TableMetadata,
    TableMetadataBuilder, Type, UnboundPartitionSpec,
};
use iceberg::{NamespaceIdent, TableIdent};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;

use super::client::{Client, Limits};
use super::{RestCatalog, RestOptions, RestSource};
use crate::Result;
use crate::storage::S3Endpoint;
use crate::token::TokenSource;

mod faults;
mod keys;
mod protocol;
mod tables;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A request that the server got.
#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    /// With the query.
    path: String,
    headers: HeaderMap,
    body: Value,
    /// How many requests with this method and path came before.
    repetition: usize,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

type Reply = Response<Body>;

/// A server that runs until it is dropped.
struct Server {
    uri: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    _task: JoinSet<()>,
}

impl Server {
    /// `reply` answers everything but `/v1/config`, which is answered with `config`.
    async fn start(config: Value, reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/api/", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = Arc::clone(&seen);
        let reply = Arc::new(reply);
        let handler = move |request: Request<Body>| {
            let (log, reply, config) = (Arc::clone(&log), Arc::clone(&reply), config.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let path = parts.uri.path_and_query().unwrap().to_string();
                if path.starts_with("/api/v1/config") {
                    return json_reply(200, config);
                }
                let request = {
                    let mut log = log.lock().unwrap();
                    let same = |seen: &&Seen| seen.method == parts.method && seen.path == path;
                    let seen = Seen {
                        repetition: log.iter().filter(same).count(),
                        method: parts.method.clone(),
                        headers: parts.headers,
                        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
                        path,
                    };
                    log.push(seen.clone());
                    seen
                };
                reply(&request)
            }
        };
        let app = axum::Router::new().fallback(handler);
        let serve = async move { axum::serve(listener, app).await.unwrap() };
        let mut task = JoinSet::new();
        task.spawn(serve);
        Self { uri: Url::parse(&uri).unwrap(), seen, _task: task }
    }

    fn options(&self) -> RestOptions {
        RestOptions {
            name: "lake".to_owned(),
            uri: self.uri.clone(),
            warehouse: Some("the warehouse".to_owned()),
            endpoint: S3Endpoint::default(),
            static_keys: None,
            allow_local_files: true,
            request_timeout: TIMEOUT,
            table_cache_bytes: 1 << 20,
        }
    }

    fn source(&self) -> RestSource {
        RestSource::new(self.options()).unwrap()
    }

    fn catalog(&self) -> RestCatalog {
        open(&self.source(), "ann")
    }

    /// A catalog with shorter limits.
    fn limited(&self, limits: Limits) -> RestCatalog {
        let source = self.source().0;
        let tokens = Arc::new(Tokens::of("ann"));
        let client = Client::new(source.http.clone(), tokens, "lake".to_owned(), limits);
        let mut catalog = self.catalog();
        Arc::get_mut(&mut catalog.connection).unwrap().client = client;
        catalog
    }

    /// The requests so far, as `METHOD PATH`.
    fn requests(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }

    fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }
}

fn open(source: &RestSource, user: &str) -> RestCatalog {
    RestCatalog::new(Arc::clone(&source.0), Arc::new(Tokens::of(user)))
}

/// Tokens `USER-1`, `USER-2` and so on, each after the one before was refused.
#[derive(Debug)]
struct Tokens {
    user: &'static str,
    number: Mutex<u32>,
}

impl Tokens {
    fn of(user: &str) -> Self {
        let user = if user == "ann" { "ann" } else { "bob" };
        Self { user, number: Mutex::new(1) }
    }

    fn current(&self) -> SecretString {
        format!("{}-{}", self.user, self.number.lock().unwrap()).into()
    }
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self) -> Result<Option<SecretString>> {
        Ok(Some(self.current()))
    }

    async fn replace(&self, refused: &SecretString) -> Result<Option<SecretString>> {
        assert_eq!(refused.expose_secret(), self.current().expose_secret());
        *self.number.lock().unwrap() += 1;
        Ok(Some(self.current()))
    }
}

fn json_reply(status: u16, body: Value) -> Reply {
    reply(status, "application/json", body.to_string())
}

fn reply(status: u16, content_type: &str, body: impl Into<Body>) -> Reply {
    let builder = Response::builder().status(status).header("content-type", content_type);
    builder.body(body.into()).unwrap()
}

fn empty(status: u16) -> Reply {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

fn error_reply(status: u16, type_name: &str, message: &str) -> Reply {
    let error = json!({"message": message, "type": type_name, "code": status});
    json_reply(status, json!({ "error": error }))
}

fn ident() -> TableIdent {
    TableIdent::new(space(), "t".to_owned())
}

fn space() -> NamespaceIdent {
    NamespaceIdent::new("s".to_owned())
}

fn metadata(location: &str) -> TableMetadata {
    let id = NestedField::optional(1, "id", Type::Primitive(PrimitiveType::Long)).into();
    let schema = Schema::builder().with_fields([id]).build().unwrap();
    let spec = UnboundPartitionSpec::builder().build();
    let order = SortOrder::unsorted_order();
    let (location, properties) = (location.to_owned(), Default::default());
    let builder =
        TableMetadataBuilder::new(schema, spec, order, location, FormatVersion::V2, properties);
    builder.unwrap().build().unwrap().metadata
}

/// The answer to loading a table.
fn loaded(metadata: &TableMetadata, config: Value) -> Value {
    let location = format!("{}/metadata/00000-a.metadata.json", metadata.location());
    json!({ "metadata-location": location, "metadata": metadata, "config": config })
}
