//! Files that are of no table.

use futures::TryStreamExt;
use object_store::path::Path;

use super::fake::{FakeS3, Reply, content};
use super::{keys, scope};
use crate::ErrorKind;
use crate::storage::Storage;

fn files(fake: &FakeS3, prefixes: &[&str]) -> Storage {
    let prefixes: Vec<String> = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    let endpoint = scope(fake, "s3://b", "k").endpoint;
    Storage::s3_files(&prefixes, &endpoint, &keys("k", None)).unwrap()
}

#[tokio::test]
async fn nothing_outside_of_the_prefixes_is_asked_for() {
    let fake = FakeS3::start().await;
    let storage = files(&fake, &["s3://b/landing/", "s3://c/x"]);
    fake.always(Reply::Content);
    for (location, path) in [("s3://b/landing/f", "/b/landing/f"), ("s3a://c/x/g", "/c/x/g")] {
        assert_eq!(storage.read(location).await.unwrap(), content());
        let asked = fake.asked().pop().unwrap();
        assert_eq!((asked.path.as_str(), asked.signed_by()), (path, "k"));
    }
    for location in ["s3://b/landings/f", "s3://b", "s3://d/landing/f"] {
        let error = storage.read(location).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    }
    for path in ["n/b/other", "n/b", "n"] {
        let path = Path::parse(path).unwrap();
        let list = storage.store().list(Some(&path)).try_collect::<Vec<_>>().await;
        assert_eq!(crate::Error::from(list.unwrap_err()).kind(), ErrorKind::Forbidden);
        let level = storage.store().list_with_delimiter(Some(&path)).await;
        assert_eq!(crate::Error::from(level.unwrap_err()).kind(), ErrorKind::Forbidden);
    }
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn one_level_is_listed_with_the_slash() {
    let fake = FakeS3::start().await;
    let storage = files(&fake, &["s3://b/landing"]);
    fake.will([Reply::Success(
        "<ListBucketResult><KeyCount>2</KeyCount><IsTruncated>false</IsTruncated><Contents>\
         <Key>landing/f</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>100</Size>\
         </Contents><CommonPrefixes><Prefix>landing/d/</Prefix></CommonPrefixes>\
         </ListBucketResult>",
    )]);
    let root = storage.path("s3://b/landing/").unwrap();
    let level = storage.store().list_with_delimiter(Some(&root)).await.unwrap();
    let query = fake.asked().pop().unwrap().query;
    assert!(
        query.contains("prefix=landing%2F&") || query.ends_with("prefix=landing%2F"),
        "{query}"
    );
    let objects = level.objects.iter().map(|found| storage.location(&found.location));
    assert_eq!(objects.collect::<Vec<_>>(), ["s3://b/landing/f"]);
    let folders = level.common_prefixes.iter().map(|folder| storage.location(folder));
    assert_eq!(folders.collect::<Vec<_>>(), ["s3://b/landing/d"]);
}

#[tokio::test]
async fn keys_that_are_refused_are_tried_again_and_stay() {
    let fake = FakeS3::start().await;
    let storage = files(&fake, &["s3://b/landing"]);
    let refused = Reply::Error(403, "InvalidAccessKeyId");
    fake.will([refused.clone(), refused, Reply::Content]);
    let error = storage.read("s3://b/landing/f").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    assert_eq!(storage.read("s3://b/landing/f").await.unwrap(), content());
}

#[tokio::test]
async fn paths_are_those_of_no_other_store() {
    let fake = FakeS3::start().await;
    let open = || files(&fake, &["s3://b/t"]).path("s3://b/t/f").unwrap();
    assert_ne!(open(), open());
    let table = super::table(&fake).0.path("s3://b/t/f").unwrap();
    assert_ne!(open(), table);
}
