//! What only this catalog promises: other programs' rows, failing commits, several processes.

use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::ErrorKind;
use crate::catalog::conformance::{
    self, Habits, change, commit_retrying, create, namespace, set_property,
};

fn options(directory: &Path, catalog_name: &str) -> SqliteOptions {
    SqliteOptions {
        path: directory.join("deep/catalog.db"),
        warehouse: directory.join("warehouse"),
        catalog_name: catalog_name.to_owned(),
    }
}

async fn open(directory: &Path) -> SqliteCatalog {
    SqliteCatalog::open(options(directory, "c")).await.unwrap()
}

/// A catalog with the empty table `s.t`, and a second connection to its file.
async fn with_table() -> (TempDir, SqliteCatalog, Table, Connection) {
    let directory = tempfile::tempdir().unwrap();
    let catalog = open(directory.path()).await;
    catalog.create_namespace(&namespace("s"), HashMap::new()).await.unwrap();
    let table = create(&catalog, &ident("s", "t")).await.unwrap();
    let other = Connection::open(directory.path().join("deep/catalog.db")).unwrap();
    (directory, catalog, table, other)
}

fn ident(namespace_text: &str, name: &str) -> TableIdent {
    TableIdent::new(namespace(namespace_text), name.to_owned())
}

fn metadata_files(table: &Table) -> Vec<PathBuf> {
    let directory = table.metadata.location().strip_prefix("file://").unwrap().to_owned();
    let entries = std::fs::read_dir(directory + "/metadata").unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let directory = tempfile::tempdir().unwrap();
    let habits = Habits {
        names: &[
            "..",
            ".",
            "a/../../b",
            "it's",
            "say \"hi\"",
            "50%",
            "a b",
            "Größe",
            "a.b",
            "😀;--",
        ],
        locations_are_new: true,
        stages_only_what_can_be: true,
        logs_metadata: true,
        guards_parents: true,
    };
    conformance::all(&open(directory.path()).await, habits).await;
    let outside = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(outside, 2, "only the database and the warehouse");
}

#[tokio::test]
async fn rows_of_other_programs_are_read() {
    let (_directory, catalog, table, other) = with_table().await;
    let rows = "
        INSERT INTO iceberg_tables SELECT catalog_name, 'deep.er', 'old', metadata_location, NULL, NULL
            FROM iceberg_tables WHERE table_name = 't';
        INSERT INTO iceberg_tables VALUES ('c', 'deep.er', 'function', 'f', NULL, 'FUNC');
        INSERT INTO iceberg_tables VALUES ('c', 'deep.er', 'empty', NULL, NULL, 'TABLE');
        INSERT INTO iceberg_tables VALUES ('other', 'o', 't', 'f', NULL, 'TABLE');
        INSERT INTO iceberg_namespace_properties VALUES ('c', 'bare', 'exists', 'true');
        INSERT INTO iceberg_namespace_properties VALUES ('c', 'x..y', 'exists', 'true');
    ";
    other.execute_batch(rows).unwrap();

    let expected = ["bare", "deep", "deep.er", "s"].map(namespace);
    assert_eq!(catalog.list_namespaces().await.unwrap(), expected);
    assert!(catalog.namespace_properties(&namespace("bare")).await.unwrap().is_empty());
    assert_eq!(catalog.list_tables(&namespace("deep.er")).await.unwrap(), ["empty", "old"]);
    assert!(catalog.list_views(&namespace("deep.er")).await.unwrap().is_empty());
    let old = catalog.load_table(&ident("deep.er", "old")).await.unwrap();
    assert_eq!(old.metadata_location, table.metadata_location);

    let check = |result: Result<Table>, kind, message: &str| {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.message()), (kind, message));
    };
    check(
        catalog.load_table(&ident("deep.er", "empty")).await,
        ErrorKind::Corrupt,
        "table deep.er.empty has no metadata location",
    );
    check(
        create(&catalog, &ident("deep.er", "function")).await,
        ErrorKind::AlreadyExists,
        "object of another type deep.er.function exists already",
    );
    let dotted = TableIdent::from_strs(["deep.er", "old"]).unwrap();
    check(
        catalog.load_table(&dotted).await,
        ErrorKind::NotFound,
        "table deep.er.old does not exist",
    );
}

#[tokio::test]
async fn a_namespace_that_cannot_be_stored_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = open(directory.path()).await;
    for levels in [vec!["a.b"], vec!["a", ""]] {
        let ident = NamespaceIdent::from_strs(levels).unwrap();
        let error = catalog.create_namespace(&ident, HashMap::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    assert!(catalog.list_namespaces().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_of_version_0_is_upgraded() {
    let directory = tempfile::tempdir().unwrap();
    let old = Connection::open(directory.path().join("catalog.db")).unwrap();
    old.execute_batch(
        "CREATE TABLE iceberg_tables (
             catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL,
             table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000),
             previous_metadata_location VARCHAR(1000),
             PRIMARY KEY (catalog_name, table_namespace, table_name));
         INSERT INTO iceberg_tables VALUES ('c', 's', 't', '/f', NULL);",
    )
    .unwrap();
    let path = directory.path().join("catalog.db");
    let options = SqliteOptions { path, ..options(directory.path(), "c") };
    let catalog = SqliteCatalog::open(options).await.unwrap();
    assert_eq!(catalog.list_tables(&namespace("s")).await.unwrap(), ["t"]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("deep")).unwrap();
    std::fs::write(directory.path().join("deep/catalog.db"), "not a database".repeat(100)).unwrap();
    let error = SqliteCatalog::open(options(directory.path(), "c")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().ends_with("deep/catalog.db"), "{error}");
}

#[tokio::test]
async fn metadata_that_cannot_be_read_concerns_its_table_alone() {
    let (_directory, catalog, table, _) = with_table().await;
    let path = table.metadata_location.strip_prefix("file://").unwrap();
    create(&catalog, &ident("s", "fine")).await.unwrap();
    let whole = std::fs::read_to_string(path).unwrap();

    let check = async |content: Option<&str>, kind, message: &str| {
        match content {
            Some(content) => std::fs::write(path, content).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let error = catalog.load_table(&ident("s", "t")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.message(), message.replace("FILE", &table.metadata_location));
        catalog.load_table(&ident("s", "fine")).await.unwrap();
    };
    let corrupt = ErrorKind::Corrupt;
    check(Some(&whole[..50]), corrupt, "metadata file FILE of table s.t is not JSON").await;
    check(
        Some(&whole.replace("\"format-version\":2", "\"format-version\":3,\"next-row-id\":0")),
        ErrorKind::Unsupported,
        "table s.t has format version 3, only versions 1 and 2 are supported",
    )
    .await;
    check(
        Some(&whole.replace("\"long\"", "\"variant\"")),
        ErrorKind::Unsupported,
        r#"column "id" of table s.t has type variant, which is not supported"#,
    )
    .await;
    check(None, corrupt, "metadata file FILE of table s.t is missing").await;
    catalog.drop_table(&ident("s", "t")).await.unwrap();
}

#[tokio::test]
async fn compressed_metadata_is_written_and_read() {
    let (_directory, catalog, _, _) = with_table().await;
    let t = ident("s", "t");
    let gzip = set_property("write.metadata.compression-codec", "gzip");
    catalog.commit(change(&t, vec![], gzip)).await.unwrap();
    let compressed = catalog.load_table(&t).await.unwrap();
    assert!(compressed.metadata_location.ends_with(".gz.metadata.json"));
    let bytes = compressed.storage.read(&compressed.metadata_location).await.unwrap();
    assert_eq!(bytes[..2], [0x1f, 0x8b]);
    assert_eq!(compressed.metadata.metadata_log().len(), 1);

    let unknown = set_property("write.metadata.compression-codec", "zstd");
    let error = catalog.commit(change(&t, vec![], unknown)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
}

#[tokio::test]
async fn a_failed_commit_changes_nothing_and_leaves_no_file() {
    let (directory, catalog, table, other) = with_table().await;
    // A foreign key that is checked by COMMIT itself, after each statement has succeeded.
    other
        .execute_batch(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TABLE child (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER u AFTER UPDATE ON iceberg_tables BEGIN INSERT INTO child VALUES (1); END;
             CREATE TRIGGER i AFTER INSERT ON iceberg_tables BEGIN INSERT INTO child VALUES (1); END;",
        )
        .unwrap();
    let t = ident("s", "t");
    catalog.commit(change(&t, vec![], set_property("a", "1"))).await.unwrap_err();
    create(&catalog, &ident("s", "u")).await.unwrap_err();

    let loaded = catalog.load_table(&t).await.unwrap();
    assert_eq!(loaded.metadata_location, table.metadata_location);
    assert_eq!(metadata_files(&table).len(), 1);
    assert_eq!(catalog.list_tables(&namespace("s")).await.unwrap(), ["t"]);
    assert!(!directory.path().join("warehouse/s/u").exists());

    other.execute_batch("DROP TRIGGER u; DROP TRIGGER i;").unwrap();
    catalog.commit(change(&t, vec![], set_property("a", "1"))).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_lost_is_a_conflict_and_leaves_no_file() {
    let (_directory, catalog, table, other) = with_table().await;
    // Somebody else is first between the check of the requirements and the swap.
    other
        .execute_batch(
            "CREATE TABLE moved (id);
             CREATE TRIGGER m BEFORE UPDATE ON iceberg_tables WHEN NOT EXISTS (SELECT 1 FROM moved)
             BEGIN
                 INSERT INTO moved VALUES (1);
                 UPDATE iceberg_tables SET metadata_location = '/elsewhere';
                 SELECT RAISE(IGNORE);
             END;",
        )
        .unwrap();
    let lost = change(&ident("s", "t"), vec![], set_property("a", "1"));
    let error = catalog.commit(lost).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.message().contains("s.t"), "{error}");
    assert_eq!(metadata_files(&table).len(), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_settled_by_reading_back() {
    let (_directory, catalog, table, _) = with_table().await;
    let key = catalog.key(&ident("s", "t")).unwrap();
    let check = |metadata_location: &str, expected: Result<(), ErrorKind>| {
        let metadata_location = metadata_location.to_owned();
        let entry = Entry { kind: EntryKind::Table, metadata_location };
        let broken = Error::new(ErrorKind::Unavailable, "disk");
        let settled = changes::settle(&catalog.database, &[(&key, &entry)], broken);
        assert_eq!(settled.map_err(|error| error.kind()), expected);
    };
    check(&table.metadata_location, Ok(()));
    check("/another", Err(ErrorKind::Unavailable));
}

#[tokio::test]
async fn catalogs_in_one_file_see_only_their_own_rows() {
    let (directory, _catalog, table, _) = with_table().await;
    let second = SqliteCatalog::open(options(directory.path(), "d")).await.unwrap();
    assert!(second.list_namespaces().await.unwrap().is_empty());
    second.create_namespace(&namespace("s"), HashMap::new()).await.unwrap();
    let other = create(&second, &ident("s", "t")).await.unwrap();
    assert_ne!(other.metadata.location(), table.metadata.location());
}

#[tokio::test]
async fn two_tables_never_share_a_location() {
    let (_directory, catalog, table, _) = with_table().await;
    let metadata = TableMetadata::clone(&table.metadata);
    let error = catalog.create_table(&ident("s", "u"), metadata).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().ends_with("belongs to s.t"), "{error}");
    assert_eq!(metadata_files(&table).len(), 1);
}

/// The directory that a copy of this test, in a process of its own, works in.
const SHARED: &str = "SQE_TEST_SHARED_CATALOG";

#[tokio::test(flavor = "multi_thread")]
async fn commits_of_several_processes_all_land() {
    let t = ident("s", "t");
    if let Ok(directory) = std::env::var(SHARED) {
        let catalog = open(Path::new(&directory)).await;
        for number in 0..10 {
            let property = format!("{}-{number}", std::process::id());
            commit_retrying(&catalog, &t, &property).await;
        }
        return;
    }
    let (directory, catalog, _, _) = with_table().await;
    let name = "catalog::sqlite::tests::commits_of_several_processes_all_land";
    let mut processes: Vec<_> = (0..3)
        .map(|_| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", name]).env(SHARED, directory.path()).spawn().unwrap()
        })
        .collect();
    for process in &mut processes {
        assert!(process.wait().unwrap().success());
    }
    let table = catalog.load_table(&t).await.unwrap();
    assert_eq!(table.metadata.properties().len(), 30);
    assert_eq!(table.metadata.metadata_log().len(), 30);
    assert_eq!(metadata_files(&table).len(), 31);
}
