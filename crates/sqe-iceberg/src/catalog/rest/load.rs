//! Loading tables: the metadata, and access to the files.

use std::sync::Arc;

use iceberg::TableIdent;
use iceberg::spec::{TableMetadata, TableMetadataRef};
use reqwest::header::IF_NONE_MATCH;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::call::{Answer, Call};
use super::failure::Failure;
use super::keys::{self, Config, StorageCredential, TableKeys, Vended};
use super::table_cache::CachedTable;
use super::{Connection, RestCatalog, RestOptions, tables};
use crate::catalog::metadata_file;
use crate::storage::{KeySource, S3Scope, Storage};
use crate::{Error, ErrorKind, Result, Table};

/// What the server answers for a table.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Loaded<M> {
    #[serde(default)]
    pub(super) metadata_location: Option<String>,
    pub(super) metadata: M,
    #[serde(default)]
    config: Option<Config>,
    #[serde(default)]
    storage_credentials: Option<Vec<StorageCredential>>,
}

impl<M> Loaded<M> {
    pub(super) fn vended(&mut self) -> Vended {
        let config = self.config.take().unwrap_or_default();
        Vended { config, credentials: self.storage_credentials.take().unwrap_or_default() }
    }
}

/// The table, with access to its files. One request, which costs the server and us little where
/// the table is as it was.
pub(super) async fn load(catalog: &RestCatalog, ident: &TableIdent) -> Result<Table> {
    let (connection, access) = (&catalog.connection, &catalog.access);
    let cached = connection.source.tables.get(ident).await;
    let storage = match &cached {
        Some(cached) => access.get(ident, cached.metadata.location()).await,
        None => None,
    };
    // Without a store the answer must bring keys, so it must not be "not modified".
    let known = cached.as_ref().zip(storage.as_ref());
    let etag = known.map(|(cached, _)| cached.etag.as_str());
    let answer = match request(connection, ident, etag).await {
        Ok(answer) => answer,
        Err(error) => {
            access.forget(ident).await;
            return Err(error);
        }
    };
    if answer.status == StatusCode::NOT_MODIFIED {
        return match (cached, storage) {
            (Some(cached), Some(storage)) => {
                connection.source.tables.count(true, &answer.catalog);
                Ok(table(ident, &cached, storage))
            }
            _ => Err(answer.bad("to a question that was not asked").into()),
        };
    }
    let (state, vended) = read(connection, ident, &answer, cached).await?;
    let storage = open(connection, ident, &state.metadata, &vended).await?;
    access.put(ident, state.metadata.location(), storage.clone()).await;
    Ok(table(ident, &state, storage))
}

/// The storage with keys that are made now.
pub(super) async fn fresh_storage(catalog: &RestCatalog, table: &Table) -> Result<Storage> {
    let vended = vended(&catalog.connection, &table.ident).await?;
    let storage = open(&catalog.connection, &table.ident, &table.metadata, &vended).await?;
    let location = table.metadata.location();
    catalog.access.put(&table.ident, location, storage.clone()).await;
    Ok(storage)
}

/// The keys of a table, made now.
pub(super) async fn vended(catalog: &Connection, ident: &TableIdent) -> Result<Vended> {
    let answer = request(catalog, ident, None).await?;
    let mut loaded: Loaded<IgnoredAny> = answer.json().await?;
    Ok(loaded.vended())
}

/// The state of a table without access to its files.
pub(super) async fn state(
    catalog: &Connection,
    ident: &TableIdent,
) -> Result<Loaded<TableMetadata>> {
    let server = catalog.negotiated().await?;
    let url = server.url(&server.named("tables", ident)?)?;
    let call = Call::read(Method::GET, url, &tables::subject(ident)).of_name_alone();
    let answer = catalog.client.send(&call).await?;
    Ok(parse(ident, &answer).await?)
}

async fn request(catalog: &Connection, ident: &TableIdent, etag: Option<&str>) -> Result<Answer> {
    let server = catalog.negotiated().await?;
    let url = server.url(&server.named("tables", ident)?)?;
    let call = Call::read(Method::GET, url, &tables::subject(ident)).of_name_alone();
    let mut call = call.with_delegation();
    if let Some(etag) = etag {
        call = call.with_header(IF_NONE_MATCH, etag);
    }
    Ok(catalog.client.send(&call).await?)
}

/// Reads an answer. Where its tag is that of a state that is known, its metadata is not parsed.
async fn read(
    catalog: &Connection,
    ident: &TableIdent,
    answer: &Answer,
    cached: Option<Arc<CachedTable>>,
) -> Result<(Arc<CachedTable>, Vended)> {
    if let Some(cached) = cached.filter(|cached| Some(&cached.etag) == answer.etag.as_ref()) {
        let mut loaded: Loaded<IgnoredAny> = answer.json().await?;
        if loaded.metadata_location.as_ref() == Some(&cached.metadata_location) {
            catalog.source.tables.count(true, &answer.catalog);
            return Ok((cached, loaded.vended()));
        }
    }
    catalog.source.tables.count(false, &answer.catalog);
    let mut loaded: Loaded<TableMetadata> = parse(ident, answer).await?;
    metadata_file::check_version(ident, &loaded.metadata)?;
    let vended = loaded.vended();
    let Some(metadata_location) = loaded.metadata_location else {
        return Err(answer.bad("without the location of the metadata").into());
    };
    let state = Arc::new(CachedTable {
        etag: answer.etag.clone().unwrap_or_default(),
        metadata_location,
        metadata: Arc::new(loaded.metadata),
        json_bytes: answer.body.len() as u64,
    });
    if answer.etag.is_some() {
        let (tables, name) = (&catalog.source.tables, &catalog.options().name);
        tables.put(ident, Arc::clone(&state), name).await;
    }
    Ok((state, vended))
}

/// Parses an answer with metadata, and says what is wrong with metadata that does not parse.
pub(super) async fn parse<M: DeserializeOwned + Send + 'static>(
    ident: &TableIdent,
    answer: &Answer,
) -> Result<Loaded<M>, Failure> {
    let failure = match answer.json().await {
        Ok(loaded) => return Ok(loaded),
        Err(failure) if failure.error.kind() == ErrorKind::BadAnswer => failure,
        Err(failure) => return Err(failure),
    };
    match answer.json::<Loaded<Value>>().await {
        Ok(loaded) => Err(Failure::of(metadata_file::explain_table(ident, &loaded.metadata))),
        Err(_) => Err(failure),
    }
}

async fn open(
    catalog: &Arc<Connection>,
    ident: &TableIdent,
    metadata: &TableMetadataRef,
    vended: &Vended,
) -> Result<Storage> {
    let locations = keys::locations(metadata);
    let scopes = keys::scopes(catalog.options(), ident, &locations, vended)?;
    let keys = TableKeys::of_table(catalog, ident, locations, vended).await?;
    open_storage(catalog.options(), metadata.location(), scopes, Arc::new(keys))
}

/// Errors: `Forbidden` for files of this machine where they are not to be used.
pub(super) fn open_storage(
    options: &RestOptions,
    location: &str,
    scopes: Vec<S3Scope>,
    keys: Arc<dyn KeySource>,
) -> Result<Storage> {
    match keys::needs_keys(location) {
        true => Storage::s3(location, scopes, keys),
        false if options.allow_local_files => Ok(Storage::local_below(vec![location.to_owned()])),
        false => {
            let message = format!("files of the server, such as those of {location}, are not used");
            Err(Error::new(ErrorKind::Forbidden, message))
        }
    }
}

fn table(ident: &TableIdent, state: &CachedTable, storage: Storage) -> Table {
    Table {
        ident: ident.clone(),
        metadata: Arc::clone(&state.metadata),
        metadata_location: state.metadata_location.clone(),
        storage,
    }
}
