//! What is done to tables as a whole: list, look for, register, rename, drop.

use iceberg::{NamespaceIdent, TableIdent};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::{Connection, endpoint, found, load, namespaces, pages, settle};
use crate::{ErrorKind, Result};

/// A page of names; namespaces are those that were asked for.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Names {
    #[serde(default)]
    identifiers: Vec<Named>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl pages::Page for Names {
    type Item = String;

    fn split(self) -> (Vec<String>, Option<String>) {
        let names = self.identifiers.into_iter().map(|named| named.name).collect();
        (names, self.next_page_token)
    }
}

pub(super) async fn list(catalog: &Connection, namespace: &NamespaceIdent) -> Result<Vec<String>> {
    let server = catalog.negotiated().await?;
    let url = server.url(&format!("{}/tables", server.namespace(namespace)?))?;
    let subject = format!("tables of {}", namespace.join("."));
    let names = pages::all::<Names>(catalog, &url, &subject).await?;
    listed(catalog, namespace, names).await
}

/// A listing as it is handed out. Some servers answer an empty one for a namespace that they do
/// not have.
pub(super) async fn listed(
    catalog: &Connection,
    namespace: &NamespaceIdent,
    mut names: Vec<String>,
) -> Result<Vec<String>> {
    if names.is_empty()
        && let Err(error) = namespaces::properties(catalog, namespace).await
        && error.kind() == ErrorKind::NotFound
    {
        return Err(error);
    }
    names.sort_unstable();
    Ok(names)
}

pub(super) async fn exists(catalog: &Connection, ident: &TableIdent) -> Result<bool> {
    let server = catalog.negotiated().await?;
    if server.has(endpoint::TABLE_EXISTS) {
        let url = server.url(&server.named("tables", ident)?)?;
        let call = Call::read(Method::HEAD, url, &subject(ident)).of_name_alone();
        match catalog.client.send(&call).await {
            Err(failure) if failure.error.kind() == ErrorKind::Unsupported => {}
            other => return found(other.map_err(Into::into)),
        }
    }
    found(load::state(catalog, ident).await)
}

pub(super) async fn register(
    catalog: &Connection,
    ident: &TableIdent,
    metadata_location: &str,
) -> Result<()> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Request<'a> {
        name: &'a str,
        metadata_location: &'a str,
    }
    catalog.require(endpoint::REGISTER_TABLE).await?;
    let server = catalog.negotiated().await?;
    let url = server.url(&format!("{}/register", server.namespace(&ident.namespace)?))?;
    let call = Call::change(server, Method::POST, url, &subject(ident))
        .with_body(&Request { name: &ident.name, metadata_location })?
        .on_conflict(ErrorKind::AlreadyExists);
    let sent = catalog.client.send(&call).await;
    let registered = async {
        let table = load::state(catalog, ident).await?;
        Ok(table.metadata_location.as_deref() == Some(metadata_location))
    };
    settle::settle(sent, registered).await
}

#[derive(Serialize)]
struct Rename<'a> {
    source: &'a TableIdent,
    destination: &'a TableIdent,
}

/// The request of a rename, of tables or of views.
pub(super) async fn rename_call(
    catalog: &Connection,
    kind: &str,
    subject: &str,
    source: &TableIdent,
    destination: &TableIdent,
) -> Result<Call> {
    let server = catalog.negotiated().await?;
    let url = server.url(&format!("{kind}/rename"))?;
    let call =
        Call::change(server, Method::POST, url, &subject).on_conflict(ErrorKind::AlreadyExists);
    call.with_body(&Rename { source, destination })
}

pub(super) async fn rename(catalog: &Connection, from: &TableIdent, to: &TableIdent) -> Result<()> {
    catalog.require(endpoint::RENAME_TABLE).await?;
    let call = rename_call(catalog, "tables", &subject(from), from, to).await?;
    let sent = catalog.client.send(&call).await;
    let renamed = async { Ok(exists(catalog, to).await? && !exists(catalog, from).await?) };
    settle::settle(sent, renamed).await
}

pub(super) async fn drop(catalog: &Connection, ident: &TableIdent) -> Result<()> {
    let server = catalog.negotiated().await?;
    let mut url = server.url(&server.named("tables", ident)?)?;
    url.query_pairs_mut().append_pair("purgeRequested", "false");
    let call = Call::change(server, Method::DELETE, url, &subject(ident)).of_name_alone();
    let sent = catalog.client.send(&call).await;
    settle::settle(sent, async { Ok(!exists(catalog, ident).await?) }).await
}

pub(super) fn subject(ident: &TableIdent) -> String {
    format!("table {ident}")
}
