//! Views.

use iceberg::spec::ViewMetadata;
use iceberg::{NamespaceIdent, TableIdent};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::tables::{self, Names};
use super::{Connection, endpoint, found, pages, settle};
use crate::{Error, ErrorKind, Result};

/// How often a view that others change at the same time is replaced anew.
const MAX_REPLACEMENTS: usize = 5;

pub(super) async fn list(catalog: &Connection, namespace: &NamespaceIdent) -> Result<Vec<String>> {
    let server = catalog.negotiated().await?;
    let url = server.url(&format!("{}/views", server.namespace(namespace)?))?;
    let subject = format!("views of {}", namespace.join("."));
    let names = match server.has(endpoint::LIST_VIEWS) {
        true => pages::all::<Names>(catalog, &url, &subject).await,
        false => Ok(Vec::new()),
    };
    let names = match names {
        Err(error) if without_views(&error) && !server.lists_endpoints() => Vec::new(),
        other => other?,
    };
    tables::listed(catalog, namespace, names).await
}

/// How a server answers that never heard of views.
fn without_views(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::BadAnswer)
}

pub(super) async fn load(catalog: &Connection, ident: &TableIdent) -> Result<ViewMetadata> {
    #[derive(Deserialize)]
    struct Loaded {
        metadata: ViewMetadata,
    }
    let server = catalog.negotiated().await?;
    let missing = || Error::not_found(format!("view {ident} does not exist"));
    if !server.has(endpoint::LOAD_VIEW) {
        return Err(missing());
    }
    let url = server.url(&server.named("views", ident)?)?;
    let call = Call::read(Method::GET, url, &subject(ident)).of_name_alone();
    match catalog.client.send(&call).await {
        Err(failure) if without_views(&failure.error) && !server.lists_endpoints() => {
            Err(missing())
        }
        other => Ok(other?.json::<Loaded>().await?.metadata),
    }
}

pub(super) async fn create(
    catalog: &Connection,
    ident: &TableIdent,
    metadata: &ViewMetadata,
    replace: bool,
) -> Result<()> {
    catalog.require(endpoint::CREATE_VIEW).await?;
    if !replace {
        return create_new(catalog, ident, metadata).await;
    }
    let mut attempt = 1;
    loop {
        let result = match load(catalog, ident).await {
            Ok(current) => replace_current(catalog, ident, &current, metadata).await,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create_new(catalog, ident, metadata).await
            }
            Err(error) => Err(error),
        };
        match result {
            // Somebody replaced it, or created or dropped it, since it was looked for.
            Err(error)
                if attempt < MAX_REPLACEMENTS && met_others(catalog, ident, &error).await =>
            {
                attempt += 1;
            }
            other => return other,
        }
    }
}

async fn met_others(catalog: &Connection, ident: &TableIdent, error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Conflict => true,
        // Not where a table has the name.
        ErrorKind::AlreadyExists => matches!(found(load(catalog, ident).await), Ok(true)),
        _ => false,
    }
}

async fn create_new(
    catalog: &Connection,
    ident: &TableIdent,
    metadata: &ViewMetadata,
) -> Result<()> {
    let server = catalog.negotiated().await?;
    server.named("views", ident)?;
    let url = server.url(&format!("{}/views", server.namespace(&ident.namespace)?))?;
    let mut body = json!({
        "name": ident.name,
        "schema": metadata.current_schema(),
        "view-version": metadata.current_version(),
        "properties": metadata.properties(),
    });
    if !metadata.location().is_empty() {
        body["location"] = metadata.location().into();
    }
    let call = Call::change(server, Method::POST, url, &subject(ident)).with_body(&body)?;
    let sent = catalog.client.send(&call.on_conflict(ErrorKind::AlreadyExists)).await;
    settle::settle(sent, shows(catalog, ident, metadata)).await
}

async fn replace_current(
    catalog: &Connection,
    ident: &TableIdent,
    current: &ViewMetadata,
    metadata: &ViewMetadata,
) -> Result<()> {
    catalog.require(endpoint::REPLACE_VIEW).await?;
    let server = catalog.negotiated().await?;
    let url = server.url(&server.named("views", ident)?)?;
    let body = json!({
        "identifier": ident,
        "requirements": [{ "type": "assert-view-uuid", "uuid": current.uuid() }],
        "updates": updates(current, metadata),
    });
    let call = Call::change(server, Method::POST, url, &subject(ident)).with_body(&body)?;
    let sent = catalog.client.send(&call).await;
    settle::settle(sent, shows(catalog, ident, metadata)).await
}

/// What makes `current` the view of `metadata`. A schema or a version that the view has had
/// before is named, since servers do not take one twice; a new one is the last that is added.
fn updates(current: &ViewMetadata, metadata: &ViewMetadata) -> Vec<Value> {
    const LAST_ADDED: i32 = -1;
    let mut updates = Vec::new();
    let schema = metadata.current_schema();
    let known = current.schemas_iter().find(|known| known.as_struct() == schema.as_struct());
    let schema_id = known.map_or(LAST_ADDED, |known| known.schema_id());
    if known.is_none() {
        let last_column_id = schema.highest_field_id();
        let update =
            json!({ "action": "add-schema", "schema": schema, "last-column-id": last_column_id });
        updates.push(update);
    }
    let version = metadata.current_version();
    let known = current.versions().find(|known| {
        known.schema_id() == schema_id
            && known.representations() == version.representations()
            && known.summary() == version.summary()
            && known.default_catalog() == version.default_catalog()
            && known.default_namespace() == version.default_namespace()
    });
    if known.is_none() {
        let newest = current.versions().map(|version| version.version_id()).max();
        let version = version.as_ref().clone().with_schema_id(schema_id);
        let version = version.with_version_id(newest.unwrap_or_default().saturating_add(1));
        updates.push(json!({ "action": "add-view-version", "view-version": version }));
    }
    let version_id = known.map_or(LAST_ADDED, |known| known.version_id());
    updates.push(json!({ "action": "set-current-view-version", "view-version-id": version_id }));
    if !metadata.properties().is_empty() {
        let properties = metadata.properties();
        updates.push(json!({ "action": "set-properties", "updates": properties }));
    }
    updates
}

/// Whether a view is what `metadata` says, but for what the server assigns.
async fn shows(catalog: &Connection, ident: &TableIdent, metadata: &ViewMetadata) -> Result<bool> {
    let found = load(catalog, ident).await?;
    let (found, wanted) = (found.current_version(), metadata.current_version());
    Ok(found.representations() == wanted.representations()
        && found.default_namespace() == wanted.default_namespace()
        && found.default_catalog() == wanted.default_catalog())
}

pub(super) async fn drop(catalog: &Connection, ident: &TableIdent) -> Result<()> {
    catalog.require(endpoint::DROP_VIEW).await?;
    let server = catalog.negotiated().await?;
    let url = server.url(&server.named("views", ident)?)?;
    let call = Call::change(server, Method::DELETE, url, &subject(ident)).of_name_alone();
    let sent = catalog.client.send(&call).await;
    settle::settle(sent, async { Ok(!exists(catalog, ident).await?) }).await
}

pub(super) async fn rename(catalog: &Connection, from: &TableIdent, to: &TableIdent) -> Result<()> {
    catalog.require(endpoint::RENAME_VIEW).await?;
    let call = tables::rename_call(catalog, "views", &subject(from), from, to).await?;
    let sent = catalog.client.send(&call).await;
    let renamed = async { Ok(exists(catalog, to).await? && !exists(catalog, from).await?) };
    settle::settle(sent, renamed).await
}

async fn exists(catalog: &Connection, ident: &TableIdent) -> Result<bool> {
    found(load(catalog, ident).await)
}

fn subject(ident: &TableIdent) -> String {
    format!("view {ident}")
}
