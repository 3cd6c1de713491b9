//! Commits: requirements and updates, for one table or for several at once.

use iceberg::TableUpdate;
use iceberg::spec::TableMetadata;
use reqwest::Method;
use serde_json::{Value, json};

use super::call::Call;
use super::{Connection, endpoint, load, settle, tables};
use crate::catalog::TableChange;
use crate::{Error, ErrorKind, Result};

pub(super) async fn commit(catalog: &Connection, change: &TableChange) -> Result<()> {
    let call = call(catalog, change).await?;
    let sent = catalog.client.send(&call).await;
    settle::settle(sent, shows(catalog, change)).await
}

/// The request for one table.
pub(super) async fn call(catalog: &Connection, change: &TableChange) -> Result<Call> {
    let server = catalog.negotiated().await?;
    let url = server.url(&server.named("tables", &change.ident)?)?;
    let subject = tables::subject(&change.ident);
    Call::change(server, Method::POST, url, &subject).with_body(&body(change)?)
}

pub(super) async fn commit_all(catalog: &Connection, changes: &[TableChange]) -> Result<()> {
    if let [change] = changes {
        return commit(catalog, change).await;
    }
    if changes.is_empty() {
        return Ok(());
    }
    catalog.require(endpoint::COMMIT_TABLES).await?;
    let server = catalog.negotiated().await?;
    let bodies = changes.iter().map(body).collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = changes.iter().map(|change| change.ident.to_string()).collect();
    let subject = format!("tables {}", names.join(", "));
    let call = Call::change(server, Method::POST, server.url("transactions/commit")?, &subject)
        .with_body(&json!({ "table-changes": bodies }))?;
    let sent = catalog.client.send(&call).await;
    let all_show = async {
        for change in changes {
            if !shows(catalog, change).await? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    settle::settle(sent, all_show).await
}

fn body(change: &TableChange) -> Result<Value> {
    let updates = change.updates.iter().map(update).collect::<Result<Vec<_>>>()?;
    let (ident, requirements) = (&change.ident, &change.requirements);
    Ok(json!({ "identifier": ident, "requirements": requirements, "updates": updates }))
}

fn update(update: &TableUpdate) -> Result<Value> {
    let mut value = serde_json::to_value(update).map_err(|error| {
        Error::new(ErrorKind::Internal, "an update that cannot be written").with_source(error)
    })?;
    // The protocol has given it up, but servers that are a little older demand it.
    if let TableUpdate::AddSchema { schema } = update {
        value["last-column-id"] = schema.highest_field_id().into();
    }
    Ok(value)
}

/// Whether a table shows a change that may or may not have been made.
async fn shows(catalog: &Connection, change: &TableChange) -> Result<bool> {
    let metadata = load::state(catalog, &change.ident).await?.metadata;
    Ok(contains(&metadata, change))
}

/// A snapshot has an id that nobody else chose; whatever else was in its commit came with it.
/// Without one, the change shows where making it would change nothing.
pub(super) fn contains(metadata: &TableMetadata, change: &TableChange) -> bool {
    let same_table = |requirement: &iceberg::TableRequirement| match requirement {
        iceberg::TableRequirement::UuidMatch { uuid } => *uuid == metadata.uuid(),
        _ => true,
    };
    if !change.requirements.iter().all(same_table) {
        return false;
    }
    let mut snapshots = change.updates.iter().filter_map(|update| match update {
        TableUpdate::AddSnapshot { snapshot } => Some(snapshot.snapshot_id()),
        _ => None,
    });
    if let Some(id) = snapshots.next() {
        return metadata.snapshot_by_id(id).is_some();
    }
    let mut again = change.updates.iter().cloned();
    let applied = again
        .try_fold(metadata.clone().into_builder(None), |builder, update| update.apply(builder))
        .and_then(iceberg::spec::TableMetadataBuilder::build);
    let state = |metadata: &TableMetadata| {
        let mut value = serde_json::to_value(metadata).ok()?;
        value.as_object_mut()?.remove("last-updated-ms");
        Some(value)
    };
    match applied {
        Ok(applied) => state(metadata).is_some() && state(&applied.metadata) == state(metadata),
        Err(_) => false,
    }
}
