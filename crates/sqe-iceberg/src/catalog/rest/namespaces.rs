//! Namespaces of all levels.

use std::collections::{BTreeSet, HashMap};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use iceberg::NamespaceIdent;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::{Connection, found, pages, settle};
use crate::{ErrorKind, Result};

/// Listings of one statement that are asked for at once.
const MAX_CONCURRENT: usize = 8;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Listing {
    namespaces: Vec<NamespaceIdent>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl pages::Page for Listing {
    type Item = NamespaceIdent;

    fn split(self) -> (Vec<NamespaceIdent>, Option<String>) {
        (self.namespaces, self.next_page_token)
    }
}

pub(super) async fn list(catalog: &Connection) -> Result<Vec<NamespaceIdent>> {
    let mut found: BTreeSet<_> = children(catalog, None).await?.into_iter().collect();
    let mut waiting: Vec<_> = found.iter().cloned().collect();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < MAX_CONCURRENT
            && let Some(parent) = waiting.pop()
        {
            running.push(async move { children(catalog, Some(&parent)).await });
        }
        let Some(level) = running.next().await else {
            return Ok(found.into_iter().collect());
        };
        let level = match level {
            Ok(level) => level,
            // Dropped meanwhile, or not for this user to look into.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        // A server that does not know levels gives the first one again.
        waiting.extend(level.into_iter().filter(|namespace| found.insert(namespace.clone())));
    }
}

async fn children(
    catalog: &Connection,
    parent: Option<&NamespaceIdent>,
) -> Result<Vec<NamespaceIdent>> {
    let server = catalog.negotiated().await?;
    let mut url = server.url("namespaces")?;
    let subject = match parent {
        Some(parent) => {
            // Encoded already, as in a path.
            url.set_query(Some(&format!("parent={}", server.joined(parent)?)));
            format!("namespaces of {parent}")
        }
        None => "namespaces".to_owned(),
    };
    pages::all::<Listing>(catalog, &url, &subject).await
}

pub(super) async fn properties(
    catalog: &Connection,
    namespace: &NamespaceIdent,
) -> Result<HashMap<String, String>> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        properties: Option<HashMap<String, String>>,
    }
    let server = catalog.negotiated().await?;
    let url = server.url(&server.namespace(namespace)?)?;
    let call = Call::read(Method::GET, url, &subject(namespace));
    let answer: Answer = catalog.client.send(&call).await?.json().await?;
    Ok(answer.properties.unwrap_or_default())
}

pub(super) async fn create(
    catalog: &Connection,
    namespace: &NamespaceIdent,
    properties: HashMap<String, String>,
) -> Result<()> {
    #[derive(Serialize)]
    struct Request<'a> {
        namespace: &'a NamespaceIdent,
        properties: HashMap<String, String>,
    }
    let server = catalog.negotiated().await?;
    server.namespace(namespace)?;
    let (url, subject) = (server.url("namespaces")?, subject(namespace));
    let call = Call::change(server, Method::POST, url, &subject)
        .with_body(&Request { namespace, properties })?
        .on_conflict(ErrorKind::AlreadyExists);
    let sent = catalog.client.send(&call).await;
    settle::settle(sent, exists(catalog, namespace)).await
}

pub(super) async fn drop(catalog: &Connection, namespace: &NamespaceIdent) -> Result<()> {
    let server = catalog.negotiated().await?;
    let (url, subject) = (server.url(&server.namespace(namespace)?)?, subject(namespace));
    // Something is in it.
    let call =
        Call::change(server, Method::DELETE, url, &subject).on_conflict(ErrorKind::InvalidArgument);
    let sent = catalog.client.send(&call).await;
    settle::settle(sent, async { Ok(!exists(catalog, namespace).await?) }).await
}

async fn exists(catalog: &Connection, namespace: &NamespaceIdent) -> Result<bool> {
    found(properties(catalog, namespace).await)
}

fn subject(namespace: &NamespaceIdent) -> String {
    format!("namespace {}", namespace.join("."))
}
