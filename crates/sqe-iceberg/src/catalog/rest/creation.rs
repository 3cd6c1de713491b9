//! Creating a table in two steps: staged, when the server assigns its place and its ids and hands
//! out keys; created, when all of it becomes visible at once, rows included.

use std::sync::Arc;

use iceberg::spec::{MAIN_BRANCH, SnapshotReference, SnapshotRetention, TableMetadata};
use iceberg::{TableIdent, TableRequirement, TableUpdate};
use reqwest::Method;
use serde_json::json;

use super::call::{Answer, Call};
use super::keys::{self, TableKeys, Vended};
use super::{Connection, commit, load, settle, tables};
use crate::catalog::{TableChange, metadata_file};
use crate::{Error, ErrorKind, Result, Table};

pub(super) async fn stage(
    catalog: &Arc<Connection>,
    ident: &TableIdent,
    metadata: &TableMetadata,
) -> Result<Table> {
    let answer = request(catalog, ident, metadata).await?;
    let mut loaded = load::parse::<TableMetadata>(ident, &answer).await?;
    let vended = loaded.vended();
    let metadata = loaded.metadata;
    metadata_file::check_version(ident, &metadata)?;
    if metadata.location().is_empty() {
        return Err(answer.bad("without a location for the table").into());
    }
    let locations = keys::locations(&metadata);
    let scopes = keys::scopes(catalog.options(), ident, &locations, &vended)?;
    let keys = TableKeys::of_staged(catalog, ident, &metadata);
    let storage =
        load::open_storage(catalog.options(), metadata.location(), scopes, Arc::new(keys))?;
    let metadata_location = String::new();
    Ok(Table { ident: ident.clone(), metadata: Arc::new(metadata), metadata_location, storage })
}

/// New keys for a table that is staged already.
pub(super) async fn vended(
    catalog: &Connection,
    ident: &TableIdent,
    metadata: &TableMetadata,
) -> Result<Vended> {
    let answer = request(catalog, ident, metadata).await?;
    Ok(load::parse::<TableMetadata>(ident, &answer).await?.vended())
}

/// Staging can be repeated: nothing comes of it until the table is created.
async fn request(
    catalog: &Connection,
    ident: &TableIdent,
    metadata: &TableMetadata,
) -> Result<Answer> {
    let server = catalog.negotiated().await?;
    // The same check of the name as everywhere, though it is not in this address.
    server.named("tables", ident)?;
    let url = server.url(&format!("{}/tables", server.namespace(&ident.namespace)?))?;
    let mut properties = metadata.properties().clone();
    properties.insert("format-version".to_owned(), (metadata.format_version() as u8).to_string());
    let mut body = json!({
        "name": ident.name,
        "schema": metadata.current_schema(),
        "partition-spec": metadata.default_partition_spec(),
        "write-order": metadata.default_sort_order(),
        "properties": properties,
        "stage-create": true,
    });
    if !metadata.location().is_empty() {
        body["location"] = metadata.location().into();
    }
    let call = Call::read(Method::POST, url, &tables::subject(ident));
    let call = call.with_body(&body)?.with_delegation().on_conflict(ErrorKind::AlreadyExists);
    Ok(catalog.client.send(&call).await?)
}

pub(super) async fn create(
    catalog: &Connection,
    ident: &TableIdent,
    metadata: &TableMetadata,
) -> Result<()> {
    let change = TableChange {
        ident: ident.clone(),
        requirements: vec![TableRequirement::NotExist],
        updates: from_nothing(metadata)?,
    };
    let call = commit::call(catalog, &change).await?.on_conflict(ErrorKind::AlreadyExists);
    let sent = catalog.client.send(&call).await;
    let created =
        async { Ok(load::state(catalog, ident).await?.metadata.uuid() == metadata.uuid()) };
    settle::settle(sent, created).await
}

/// The updates that make a table out of nothing, in the order in which they build on each other.
fn from_nothing(metadata: &TableMetadata) -> Result<Vec<TableUpdate>> {
    let spec = metadata.default_partition_spec().as_ref().clone().into_unbound();
    let mut updates = vec![
        TableUpdate::AssignUuid { uuid: metadata.uuid() },
        TableUpdate::UpgradeFormatVersion { format_version: metadata.format_version() },
        TableUpdate::AddSchema { schema: metadata.current_schema().as_ref().clone() },
        TableUpdate::SetCurrentSchema { schema_id: -1 },
        TableUpdate::AddSpec { spec },
        TableUpdate::SetDefaultSpec { spec_id: -1 },
        TableUpdate::AddSortOrder { sort_order: metadata.default_sort_order().as_ref().clone() },
        TableUpdate::SetDefaultSortOrder { sort_order_id: -1 },
        TableUpdate::SetLocation { location: metadata.location().to_owned() },
        TableUpdate::SetProperties { updates: metadata.properties().clone() },
    ];
    if metadata.snapshots().len() > 1 {
        let message = "a table cannot be created with more than one snapshot";
        return Err(Error::new(ErrorKind::Internal, message));
    }
    if let Some(snapshot) = metadata.current_snapshot() {
        let retention = SnapshotRetention::branch(None, None, None);
        let reference = SnapshotReference::new(snapshot.snapshot_id(), retention);
        updates.push(TableUpdate::AddSnapshot { snapshot: snapshot.as_ref().clone() });
        updates.push(TableUpdate::SetSnapshotRef { ref_name: MAIN_BRANCH.to_owned(), reference });
    }
    Ok(updates)
}
