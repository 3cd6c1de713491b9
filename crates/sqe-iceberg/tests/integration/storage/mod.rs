//! A real store that holds keys to their prefix.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutMode, WriteMultipart};
use sqe_iceberg::storage::Storage;
use sqe_iceberg::{Error, ErrorKind};

mod sts;

use sts::{Never, READ, Vending, WRITE, bucket, keys, scope, unknown_keys};

/// A prefix that no other test and no other run uses.
fn new_prefix() -> String {
    format!("storage-tests/{}", uuid::Uuid::now_v7())
}

fn at(prefix: &str, name: &str) -> String {
    format!("s3://{}/{prefix}/{name}", bucket())
}

/// The store of a table at `prefix`, with keys that may do `actions` there.
async fn open(prefix: &str, actions: &[&str]) -> Storage {
    let scopes = vec![scope(prefix, keys(prefix, actions).await)];
    Storage::s3(&at(prefix, ""), scopes, Arc::new(Never)).unwrap()
}

#[tokio::test]
#[ignore = "needs scripts/test-stack.sh"]
async fn files_of_any_name_are_written_listed_read_and_deleted() {
    let prefix = new_prefix();
    let storage = open(&prefix, WRITE).await;
    let names = [
        "plain", "a b", "a%20b", "a+b", "p=1/q=ü", "#?&=", "it's", "100%", "a:b", "😀", "%2F",
        "<&>",
    ];
    for name in names {
        storage.write(&at(&prefix, name), Bytes::from(name)).await.unwrap();
    }
    let root = storage.path(&at(&prefix, "")).unwrap();
    let found: Vec<_> = storage.store().list(Some(&root)).try_collect().await.unwrap();
    assert_eq!(found.len(), names.len());
    for name in names {
        let location = at(&prefix, name);
        assert_eq!(storage.read(&location).await.unwrap(), name);
        let path = storage.path(&location).unwrap();
        assert!(found.iter().any(|found| found.location == path), "{name}");
        storage.delete(&location).await.unwrap();
        assert_eq!(
            storage.read(&location).await.unwrap_err().kind(),
            ErrorKind::NotFound,
            "{name}"
        );
        storage.delete(&location).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs scripts/test-stack.sh"]
async fn large_files_go_in_parts_and_come_back_in_ranges() {
    let prefix = new_prefix();
    let storage = open(&prefix, WRITE).await;
    let path = storage.path(&at(&prefix, "large")).unwrap();
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|index| (index % 251) as u8).collect();
    let upload = storage.store().put_multipart(&path).await.unwrap();
    let mut writer = WriteMultipart::new_with_chunk_size(upload, 8 << 20);
    writer.write(&bytes);
    writer.finish().await.unwrap();
    let ranges = [0..10, 5_000_000..5_000_100, 8_388_600..8_388_700, 19_999_990..20_000_000];
    let read = storage.store().get_ranges(&path, &ranges).await.unwrap();
    for (range, read) in ranges.into_iter().zip(read) {
        assert_eq!(read, bytes[range.start as usize..range.end as usize]);
    }
    assert_eq!(storage.read(&at(&prefix, "large")).await.unwrap(), bytes);

    // Vended keys may not do this, and nobody is told.
    let mut upload = storage.store().put_multipart(&path).await.unwrap();
    upload.put_part(Bytes::from_static(b"part").into()).await.unwrap();
    upload.abort().await.unwrap();
    storage.delete(&at(&prefix, "large")).await.unwrap();
}

#[tokio::test]
#[ignore = "needs scripts/test-stack.sh"]
async fn a_store_refuses_what_keys_are_not_for() {
    let (prefix, other) = (new_prefix(), new_prefix());
    open(&other, WRITE).await.write(&at(&other, "f"), Bytes::from_static(b"x")).await.unwrap();
    // The client believes that these are for the whole bucket; the store knows better.
    let scopes = vec![scope("", keys(&prefix, READ).await)];
    let storage = Storage::s3(&at(&prefix, ""), scopes, Arc::new(Never)).unwrap();
    let check = |result: Result<(), Error>, kind, words: &str| {
        let error = result.unwrap_err();
        let text = error.to_string();
        assert!(error.kind() == kind && text.contains(words), "{text}");
        assert!(!text.contains("http://") && !text.contains("RequestId"), "{text}");
    };
    let denied = "403 AccessDenied";
    let read = async |location: &str| storage.read(location).await.map(drop);
    check(read(&at(&prefix, "missing")).await, ErrorKind::NotFound, "404 NoSuchKey");
    check(read(&at(&other, "f")).await, ErrorKind::Forbidden, denied);
    check(read(&at(&other, "missing")).await, ErrorKind::Forbidden, denied);
    let write = storage.write(&at(&prefix, "f"), Bytes::from_static(b"x")).await;
    check(write, ErrorKind::Forbidden, denied);
    check(storage.delete(&at(&other, "f")).await, ErrorKind::Forbidden, denied);
    let root = storage.path(&at(&other, "")).unwrap();
    let listing = storage.store().list(Some(&root)).try_collect::<Vec<_>>().await;
    check(listing.map(drop).map_err(Error::from), ErrorKind::Forbidden, denied);
    let upload = storage.store().put_multipart(&storage.path(&at(&prefix, "f")).unwrap()).await;
    check(upload.map(drop).map_err(Error::from), ErrorKind::Forbidden, denied);
    let own = open(&other, WRITE).await;
    assert_eq!(own.read(&at(&other, "f")).await.unwrap(), "x");
    own.delete(&at(&other, "f")).await.unwrap();
}

#[tokio::test]
#[ignore = "needs scripts/test-stack.sh"]
async fn keys_that_the_store_does_not_take_are_renewed() {
    let prefix = new_prefix();
    let renewing = Arc::new(Vending { prefix: prefix.clone(), renewals: AtomicUsize::new(0) });
    let scopes = vec![scope(&prefix, unknown_keys())];
    let storage = Storage::s3(&at(&prefix, ""), scopes, Arc::clone(&renewing) as _).unwrap();
    let location = at(&prefix, "f");
    storage.write(&location, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(storage.read(&location).await.unwrap(), "x");
    assert_eq!(renewing.renewals.load(Ordering::Relaxed), 1);
    storage.delete(&location).await.unwrap();

    let scopes = vec![scope(&prefix, unknown_keys())];
    let storage = Storage::s3(&at(&prefix, ""), scopes, Arc::new(Never)).unwrap();
    let error = storage.read(&location).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
#[ignore = "needs scripts/test-stack.sh"]
async fn of_two_that_make_a_file_one_is_first() {
    let prefix = new_prefix();
    let storage = open(&prefix, WRITE).await;
    let path = storage.path(&at(&prefix, "f")).unwrap();
    let put = |bytes: &'static [u8]| {
        storage.store().put_opts(&path, Bytes::from_static(bytes).into(), PutMode::Create.into())
    };
    put(b"first").await.unwrap();
    let error = Error::from(put(b"second").await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(storage.read(&at(&prefix, "f")).await.unwrap(), "first");
    storage.delete(&at(&prefix, "f")).await.unwrap();
}
