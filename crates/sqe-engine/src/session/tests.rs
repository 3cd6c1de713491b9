//! What sessions of different users share, and what they do not.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use futures::TryStreamExt;
use sqe_iceberg::catalog::rest::{RestOptions, RestSource};
use sqe_iceberg::catalog::sqlite::{SqliteCatalog, SqliteOptions};
use sqe_iceberg::catalog::{Catalog, CatalogSource};
use tempfile::TempDir;

use super::*;
use crate::{EngineOptions, Error, ErrorKind};

/// A catalog that shows each user other tables.
#[derive(Debug)]
struct OfUsers(Vec<(Identity, Arc<dyn Catalog>)>);

impl CatalogSource for OfUsers {
    fn open(&self, tokens: Arc<dyn TokenSource>) -> Arc<dyn Catalog> {
        let own = self.0.iter().find(|(user, _)| Arc::ptr_eq(&user.tokens, &tokens));
        Arc::clone(&own.unwrap().1)
    }
}

/// A token source that is no other, which one of no size could be.
#[derive(Debug)]
struct Own(#[expect(dead_code, reason = "gives it a size")] String);

#[async_trait::async_trait]
impl TokenSource for Own {
    async fn token(&self) -> sqe_iceberg::Result<Option<secrecy::SecretString>> {
        Ok(None)
    }

    async fn replace(
        &self,
        _: &secrecy::SecretString,
    ) -> sqe_iceberg::Result<Option<secrecy::SecretString>> {
        Ok(None)
    }
}

/// The sessions of two users of an engine with the catalog `lake` and one that is down.
async fn sessions(dir: &TempDir) -> (Session, Session) {
    let mut users = Vec::new();
    for name in ["ada", "bob"] {
        let catalog = SqliteCatalog::open(SqliteOptions {
            path: dir.path().join(name).join("catalog.db"),
            warehouse: dir.path().join(name),
            catalog_name: "lake".to_owned(),
        });
        let identity = Identity { user: name.to_owned(), tokens: Arc::new(Own(name.to_owned())) };
        users.push((identity, Arc::new(catalog.await.unwrap()) as Arc<dyn Catalog>));
    }
    let identities: Vec<Identity> = users.iter().map(|(user, _)| user.clone()).collect();
    let down = RestSource::new(RestOptions {
        name: "down".to_owned(),
        uri: "http://127.0.0.1:1/".parse().unwrap(),
        warehouse: None,
        endpoint: Default::default(),
        static_keys: None,
        allow_local_files: false,
        request_timeout: Duration::from_millis(200),
        table_cache_bytes: 0,
    });
    let lake: Arc<dyn CatalogSource> = Arc::new(OfUsers(users));
    let down: Arc<dyn CatalogSource> = Arc::new(down.unwrap());
    let engine = Engine::new(EngineOptions {
        catalogs: BTreeMap::from([("lake".to_owned(), lake), ("down".to_owned(), down)]),
        default_catalog: "lake".to_owned(),
        default_schema: "main".to_owned(),
        memory_bytes: 64 << 20,
        spill_dir: Some(dir.path().join("spill")),
        spill_bytes: 1 << 20,
        statement_timeout: Duration::from_secs(60),
        manifest_cache_bytes: 1 << 20,
        file_access: Default::default(),
        cluster: None,
        operators: Vec::new(),
    });
    let engine = engine.unwrap();
    let [ada, bob] = identities.as_slice() else { panic!("two users") };
    let sessions = (engine.session(ada.clone()), engine.session(bob.clone()));
    run(&sessions.0, "CREATE SCHEMA main").await.unwrap();
    run(&sessions.0, "CREATE TABLE t AS SELECT 1 AS a").await.unwrap();
    sessions
}

/// The first column of the answer, sorted.
async fn run(session: &Session, sql: &str) -> Result<Vec<String>> {
    execute(&session.prepare(sql).await?).await
}

async fn execute(prepared: &Prepared) -> Result<Vec<String>> {
    let Output::Rows(rows) = prepared.execute().await? else { return Ok(Vec::new()) };
    let batches: Vec<RecordBatch> = rows.try_collect().await.map_err(Error::from)?;
    let mut values = Vec::new();
    for batch in batches {
        let column = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8);
        values.extend(column.unwrap().as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    values.sort();
    Ok(values)
}

#[tokio::test]
async fn a_catalog_is_opened_for_each_user() {
    let dir = TempDir::new().unwrap();
    let (ada, bob) = sessions(&dir).await;
    assert_eq!(run(&ada, "SELECT a FROM t").await.unwrap(), ["1"]);
    let error = run(&bob, "SELECT a FROM t").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(bob.schemas("lake").await.unwrap(), ["information_schema"]);
}

#[tokio::test]
async fn a_prepared_statement_asks_for_its_tables_again() {
    let dir = TempDir::new().unwrap();
    let (ada, _) = sessions(&dir).await;
    run(&ada, "CREATE VIEW v AS SELECT a FROM t").await.unwrap();
    let prepared = ada.prepare("SELECT a FROM v").await.unwrap();
    run(&ada, "INSERT INTO t VALUES (2)").await.unwrap();
    assert_eq!(execute(&prepared.renewed().await.unwrap()).await.unwrap(), ["1", "2"]);
    run(&ada, "DROP TABLE t").await.unwrap();
    assert_eq!(prepared.renewed().await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_catalog_that_is_down_fails_where_it_is_named() {
    let dir = TempDir::new().unwrap();
    let (ada, _) = sessions(&dir).await;
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'";
    assert_eq!(run(&ada, sql).await.unwrap(), ["t"]);
    let sql = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'main'";
    assert_eq!(run(&ada, sql).await.unwrap(), ["a"]);
    let error = run(&ada, "SHOW SCHEMAS FROM down").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let error = run(&ada, "SELECT * FROM t, down.main.t AS other").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
}
