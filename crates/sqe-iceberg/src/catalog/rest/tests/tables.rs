//! Tables: revalidation, keys, and commits whose answers were lost.

use iceberg::TableUpdate;
use serde_json::json;

use super::*;
use crate::catalog::conformance::{change, set_property};
use crate::catalog::{Catalog, CatalogSource, TableChange};
use crate::token::NoToken;
use crate::{Error, ErrorKind, Table};

const TABLE: &str = "/api/v1/namespaces/s/tables/t";

fn with_etag(mut reply: Reply, etag: &str) -> Reply {
    reply.headers_mut().insert("etag", etag.parse().unwrap());
    reply
}

fn is_ann(seen: &Seen) -> bool {
    seen.header("authorization").unwrap().contains("ann")
}

#[tokio::test]
async fn a_table_is_revalidated_for_each_user() {
    let metadata = metadata("file:///nowhere/t");
    let table = loaded(&metadata, json!({}));
    let replies = move |seen: &Seen| {
        assert_eq!(seen.header("x-iceberg-access-delegation"), Some("vended-credentials"));
        match (is_ann(seen), seen.header("if-none-match")) {
            (_, Some("\"1\"")) => empty(304),
            // The third request of all is bob's second.
            (false, None) if seen.repetition > 2 => error_reply(403, "ForbiddenException", "no"),
            (_, _) => with_etag(json_reply(200, table.clone()), "\"1\""),
        }
    };
    let server = Server::start(json!({}), replies).await;
    let source = server.source();
    let (ann, bob) = (open(&source, "ann"), open(&source, "bob"));
    let first = ann.load_table(&ident()).await.unwrap();
    assert_eq!(*first.metadata, metadata);
    let second = ann.load_table(&ident()).await.unwrap();
    assert!(Arc::ptr_eq(&first.metadata, &second.metadata));
    assert_eq!(server.last().header("if-none-match"), Some("\"1\""));

    // Another user has no keys yet, so the answer must have them; the metadata is not parsed twice.
    let theirs = bob.load_table(&ident()).await.unwrap();
    assert_eq!(server.last().header("if-none-match"), None);
    assert!(Arc::ptr_eq(&first.metadata, &theirs.metadata));
    assert_eq!(server.requests(), vec![format!("GET {TABLE}"); 3]);
    assert!(source.0.tables.size_bytes().await > 0);

    // What others may see says nothing about a user who may not.
    let stranger = open(&source, "bob");
    let error = stranger.load_table(&ident()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
}

#[tokio::test]
async fn a_changed_table_is_read_anew() {
    let replies = |seen: &Seen| {
        let etag = format!("\"{}\"", seen.repetition);
        let metadata = metadata("file:///nowhere/t");
        with_etag(json_reply(200, loaded(&metadata, json!({}))), &etag)
    };
    let server = Server::start(json!({}), replies).await;
    let catalog = server.catalog();
    let first = catalog.load_table(&ident()).await.unwrap();
    let second = catalog.load_table(&ident()).await.unwrap();
    assert_eq!(server.last().header("if-none-match"), Some("\"0\""));
    assert_ne!(first.metadata.uuid(), second.metadata.uuid());
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_explained() {
    let check = async |change: fn(&mut Value), kind, expected: &str| {
        let mut table = loaded(&metadata("file:///nowhere/t"), json!({"s3.token": "hidden"}));
        change(&mut table);
        let server = Server::start(json!({}), move |_| json_reply(200, table.clone())).await;
        let error = server.catalog().load_table(&ident()).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, expected));
    };
    check(
        |table| table["metadata"]["schemas"][0]["fields"][0]["type"] = "variant".into(),
        ErrorKind::Unsupported,
        r#"column "id" of table s.t has type variant, which is not supported"#,
    )
    .await;
    check(
        |table| table["metadata"]["format-version"] = 4.into(),
        ErrorKind::Unsupported,
        "table s.t has format version 4, only versions 1 and 2 are supported",
    )
    .await;
    check(
        |table| table["metadata"]["schemas"] = "hidden".into(),
        ErrorKind::Corrupt,
        "metadata of table s.t is not what its format demands",
    )
    .await;
    check(
        |table| table["metadata"]["location"] = "gs://bucket/t".into(),
        ErrorKind::Unsupported,
        "table s.t is at gs://bucket/t, and only S3 and files are supported",
    )
    .await;
}

#[tokio::test]
async fn a_lost_commit_is_read_back() {
    let snapshot = json!({
        "snapshot-id": 7, "sequence-number": 1, "timestamp-ms": i64::MAX / 1_000_000,
        "manifest-list": "/m", "summary": {"operation": "append"}, "schema-id": 0,
    });
    let append = json!({"action": "add-snapshot", "snapshot": snapshot});
    let append: TableUpdate = serde_json::from_value(append).unwrap();
    let check = async |update: TableUpdate, there: bool, expected: Result<(), ErrorKind>| {
        let before = metadata("file:///nowhere/t");
        let builder = before.clone().into_builder(None);
        let after = update.clone().apply(builder).unwrap().build().unwrap().metadata;
        let table = loaded(if there { &after } else { &before }, json!({}));
        let replies = move |seen: &Seen| match seen.method.as_str() {
            "POST" => reply(200, "text/html", "<html>"),
            _ => json_reply(200, table.clone()),
        };
        let server = Server::start(json!({}), replies).await;
        let result = server.catalog().commit(change(&ident(), vec![], vec![update])).await;
        assert_eq!(result.map_err(|error: Error| error.kind()), expected);
        assert_eq!(server.requests(), [format!("POST {TABLE}"), format!("GET {TABLE}")]);
    };
    let [property] = <[_; 1]>::try_from(set_property("a", "1")).unwrap();
    for update in [append, property] {
        check(update.clone(), true, Ok(())).await;
        check(update, false, Err(ErrorKind::Unavailable)).await;
    }
}

#[tokio::test]
async fn a_conflict_is_told_from_a_name_that_is_taken() {
    let taken = |_: &Seen| error_reply(409, "CommitFailedException", "requirement failed");
    let server = Server::start(json!({}), taken).await;
    let catalog = server.catalog();
    let check = |result: Result<()>, kind| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().ends_with("requirement failed"), "{error}");
    };
    let commit: TableChange = change(&ident(), vec![], vec![]);
    check(catalog.commit(commit).await, ErrorKind::Conflict);
    let metadata = metadata("file:///nowhere/t");
    check(catalog.create_table(&ident(), metadata).await, ErrorKind::AlreadyExists);
    let body = server.last().body;
    assert_eq!(body["requirements"], json!([{"type": "assert-create"}]));
    assert_eq!(body["updates"][2]["last-column-id"], 1);
}

#[tokio::test]
async fn files_of_this_machine_are_not_the_catalog_s_to_give() {
    let staged = metadata("file:///chosen/t");
    let answer = json!({"metadata": staged, "metadata-location": "file:///chosen/m", "config": {}});
    let server = Server::start(json!({}), move |_| json_reply(200, answer.clone())).await;
    let options = RestOptions { allow_local_files: false, ..server.options() };
    let catalog = RestSource::new(options).unwrap().open(Arc::new(NoToken));
    let check = |result: Result<Table>| {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Forbidden);
    };
    check(catalog.load_table(&ident()).await);
    check(catalog.stage_table(&ident(), metadata("")).await);
}

#[tokio::test]
async fn a_new_table_is_where_the_server_puts_it() {
    let staged = metadata("file:///chosen/t");
    let (uuid, answer) = (staged.uuid(), json!({"metadata": staged, "config": {}}));
    let server = Server::start(json!({}), move |_| json_reply(200, answer.clone())).await;
    let table = server.catalog().stage_table(&ident(), metadata("")).await.unwrap();
    assert_eq!((table.metadata.uuid(), table.metadata.location()), (uuid, "file:///chosen/t"));
    assert!(table.metadata_location.is_empty());
    let body = server.last().body;
    assert_eq!((&body["stage-create"], &body["name"]), (&json!(true), &json!("t")));
    assert_eq!(body["properties"], json!({"format-version": "2"}));
    assert_eq!(body.get("location"), None);
}
