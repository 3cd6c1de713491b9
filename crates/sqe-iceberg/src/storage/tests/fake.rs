//! A server that takes requests of S3 and answers them as it was told to, good or bad.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What every object holds at first.
pub(crate) fn content() -> Bytes {
    (0..100).collect::<Vec<u8>>().into()
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// The object or the range that was asked for.
    Content,
    /// The same, until the connection breaks after so many bytes.
    Breaks(usize),
    /// The same, but nothing comes after so many bytes.
    Stalls(usize),
    /// A range that is announced as a whole, of so many bytes.
    Short(usize),
    /// The whole object, whatever range was asked for.
    Everything,
    /// Nothing, ever.
    Silence,
    /// An error.
    Error(u16, &'static str),
    /// A success with this body.
    Success(&'static str),
}

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// As it was sent, encoded.
    pub(crate) path: String,
    pub(crate) query: String,
    headers: HeaderMap,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The id of the key that signed the request.
    pub(crate) fn signed_by(&self) -> &str {
        let (_, rest) = self.header("authorization").split_once("Credential=").unwrap();
        rest.split('/').next().unwrap()
    }

    fn range(&self) -> Option<Range<usize>> {
        let (start, end) = self.header("range").strip_prefix("bytes=")?.split_once('-')?;
        Some(start.parse().unwrap()..end.parse::<usize>().unwrap() + 1)
    }
}

#[derive(Default)]
struct Script {
    /// What every object holds, if it is something else.
    content: Option<Bytes>,
    replies: VecDeque<Reply>,
    /// The answer once there are no others.
    last: Option<Reply>,
    asked: Vec<Asked>,
}

/// The server; it ends when this is dropped.
pub(crate) struct FakeS3 {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
    _server: JoinSet<()>,
}

impl FakeS3 {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::<Mutex<Script>>::default();
        let shared = Arc::clone(&script);
        let handler = move |request: Request| {
            let shared = Arc::clone(&shared);
            async move {
                let asked = Asked {
                    method: request.method().clone(),
                    path: request.uri().path().to_owned(),
                    query: request.uri().query().unwrap_or_default().to_owned(),
                    headers: request.headers().clone(),
                };
                axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
                let (reply, all) = {
                    let mut script = shared.lock().unwrap();
                    script.asked.push(asked.clone());
                    let next = script.replies.pop_front().or_else(|| script.last.clone());
                    let all = script.content.clone().unwrap_or_else(content);
                    (next.unwrap_or(Reply::Error(501, "NoReply")), all)
                };
                answer(&asked, reply, all).await
            }
        };
        let router = axum::Router::new().fallback(handler);
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script, _server: server }
    }

    /// From now on every object holds this.
    pub(crate) fn hold(&self, content: Vec<u8>) {
        self.script.lock().unwrap().content = Some(content.into());
    }

    /// Answers the next requests so, one after the other.
    pub(crate) fn will(&self, replies: impl IntoIterator<Item = Reply>) {
        self.script.lock().unwrap().replies.extend(replies);
    }

    /// Answers all requests so from now on.
    pub(crate) fn always(&self, reply: Reply) {
        self.script.lock().unwrap().last = Some(reply);
    }

    /// The requests since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.script.lock().unwrap().asked)
    }
}

async fn answer(asked: &Asked, reply: Reply, all: Bytes) -> Response<Body> {
    let (range, status) = match (asked.range(), &reply) {
        (Some(range), reply) if !matches!(reply, Reply::Everything) => (range, 206),
        _ => (0..all.len(), 200),
    };
    let part = all.slice(range.clone());
    let head = |length: usize| {
        let builder = Response::builder()
            .status(StatusCode::from_u16(status).unwrap())
            .header("etag", "\"tag\"")
            .header("content-length", length);
        match status {
            206 => {
                let sent = format!("bytes {}-{}/{}", range.start, range.end - 1, all.len());
                builder.header(HeaderName::from_static("content-range"), sent)
            }
            _ => builder,
        }
    };
    let then = |bytes: usize, rest: BoxStream<'static, std::io::Result<Bytes>>| {
        let first = part.slice(..bytes.min(part.len()));
        Body::from_stream(stream::iter([Ok(first)]).chain(rest))
    };
    match reply {
        Reply::Content | Reply::Everything => head(part.len()).body(Body::from(part)).unwrap(),
        Reply::Breaks(bytes) => {
            let broken = stream::iter([Err(std::io::Error::other("broken"))]).boxed();
            head(part.len()).body(then(bytes, broken)).unwrap()
        }
        Reply::Stalls(bytes) => {
            head(part.len()).body(then(bytes, stream::pending().boxed())).unwrap()
        }
        Reply::Short(bytes) => head(bytes).body(Body::from(part.slice(..bytes))).unwrap(),
        Reply::Silence => std::future::pending().await,
        Reply::Error(status, code) => {
            let body = match code {
                "" => String::new(),
                code => format!("<Error><Code>{code}</Code><Message>TELLTALE</Message></Error>"),
            };
            Response::builder().status(status).body(Body::from(body)).unwrap()
        }
        Reply::Success(body) => head(body.len()).status(200).body(Body::from(body)).unwrap(),
    }
}
