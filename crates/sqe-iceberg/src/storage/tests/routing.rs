//! Which keys a request is made with, and which files are taken for the same.

use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::fake::{FakeS3, Reply, content};
use super::{Source, check_clean, scope, storage, table};
use crate::ErrorKind;
use crate::storage::{S3Endpoint, S3Scope};

#[tokio::test]
async fn the_longest_prefix_wins() {
    let fake = FakeS3::start().await;
    let scopes = vec![
        scope(&fake, "s3://b/w", "wide"),
        scope(&fake, "s3a://b/w/t/", "table"),
        scope(&fake, "s3://c", "whole"),
    ];
    let storage = storage("s3://b/w/t", scopes.clone(), Source::new(scopes));
    fake.always(Reply::Content);
    let check = async |location: &str, path: &str, id: &str| {
        assert_eq!(storage.read(location).await.unwrap(), content());
        let asked = fake.asked().pop().unwrap();
        assert_eq!((asked.path.as_str(), asked.signed_by()), (path, id));
    };
    check("s3://b/w/t/data/f", "/b/w/t/data/f", "table").await;
    check("s3n://b/w/table", "/b/w/table", "wide").await;
    check("s3://c/f", "/c/f", "whole").await;
    check(
        "s3://b/w/t/p=a%20b/ü ?#+&=%2F.parquet",
        "/b/w/t/p%3Da%2520b/%C3%BC%20%3F%23%2B%26%3D%252F.parquet",
        "table",
    )
    .await;

    for location in ["s3://b/x", "s3://b/wx", "s3://d/w/t/f", "s3://b"] {
        let error = storage.read(location).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
        assert!(error.to_string().contains(location), "{error}");
    }
    for path in ["n/d/f", "n/b/x", "f", ""] {
        let error = storage.store().get(&Path::parse(path).unwrap()).await.unwrap_err();
        assert_eq!(crate::Error::from(error).kind(), ErrorKind::Forbidden);
    }
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn equal_paths_are_equal_files() {
    let (one, two) = (FakeS3::start().await, FakeS3::start().await);
    let open = |fake: &FakeS3, id: &str| {
        let scopes = vec![scope(fake, "s3://b", id)];
        storage("s3://b/t", scopes.clone(), Source::new(scopes))
    };
    let (user, other, elsewhere) = (open(&one, "u"), open(&one, "o"), open(&two, "u"));
    let path = |storage: &super::Storage, location: &str| storage.path(location).unwrap();
    assert_eq!(path(&user, "s3://b/t/f"), path(&other, "s3a://b/t/f"));
    assert_ne!(path(&user, "s3://b/t/f"), path(&elsewhere, "s3://b/t/f"));
    assert_ne!(path(&user, "s3://b/t2/f"), path(&other, "s3://b/t2/f"));
    assert_eq!(path(&user, "s3://b/t2/f"), path(&user.clone(), "s3://b/t2/f"));
}

#[tokio::test]
async fn lists_have_the_slash_and_come_back_as_paths() {
    let fake = FakeS3::start().await;
    let (storage, _) = table(&fake);
    fake.will([Reply::Success(
        "<ListBucketResult><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents>\
         <Key>t/d/a%20b</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>100</Size>\
         </Contents></ListBucketResult>",
    )]);
    let root = storage.path("s3://b/t/d").unwrap();
    let found: Vec<_> = storage.store().list(Some(&root)).try_collect().await.unwrap();
    assert!(fake.asked()[0].query.contains("prefix=t%2Fd%2F"));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].location, storage.path("s3://b/t/d/a%20b").unwrap());
    let below = storage.below("s3://b/t/d").unwrap();
    fake.will([Reply::Content]);
    below.get(&Path::parse("x").unwrap()).await.unwrap();
    assert_eq!(fake.asked()[0].path, "/b/t/d/x");
}

#[tokio::test]
async fn nothing_shows_keys() {
    let fake = FakeS3::start().await;
    let (storage, _) = table(&fake);
    let shown = format!("{storage:?} {:?} {}", storage.store(), storage.store());
    assert!(shown.contains("s3://b/t"), "{shown}");
    check_clean(&shown);
    check_clean(&format!("{:?}", scope(&fake, "s3://b", "k").keys));
    check_clean(&format!("{:?}", storage.file_io()));
}

#[test]
fn prefixes_and_addresses_that_make_no_sense_are_refused() {
    let open = |prefix: &str, url: Option<&str>| {
        let endpoint = S3Endpoint { url: url.map(str::to_owned), ..S3Endpoint::default() };
        let keys = super::keys("k", None);
        let scopes = vec![S3Scope { prefix: prefix.to_owned(), endpoint, keys }];
        super::Storage::s3("s3://b/t", scopes, Source::new(Vec::new())).map(drop)
    };
    open("s3://b/t", None).unwrap();
    open("s3://b.c/t", Some("https://s3.example.com")).unwrap();
    assert_eq!(open("s3", None).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(open("s3://b/t", Some("x")).unwrap_err().kind(), ErrorKind::InvalidArgument);
}
