//! Reads from a store that does its work badly: either whole or an error, and in bounded time.

use std::time::Instant;

use object_store::ObjectStoreExt;

use super::fake::{FakeS3, Reply, content};
use super::{RETRIES, STALL, check_clean, table};
use crate::ErrorKind;

/// A read of a range and one of the whole, each with these replies, end whole.
async fn check_whole(replies: &[Reply]) {
    let fake = FakeS3::start().await;
    let (storage, _) = table(&fake);
    fake.will(replies.to_vec());
    assert_eq!(storage.read("s3://b/t/f").await.unwrap(), content(), "{replies:?}");
    assert_eq!(fake.asked().len(), replies.len());
    fake.will(replies.to_vec());
    let path = storage.path("s3://b/t/f").unwrap();
    let range = storage.store().get_range(&path, 10..90).await.unwrap();
    assert_eq!(range, content().slice(10..90), "{replies:?}");
    assert_eq!(fake.asked().len(), replies.len());
}

#[tokio::test]
async fn reads_go_on_after_passing_faults() {
    use Reply::{Breaks, Content, Error, Silence, Stalls};
    check_whole(&[Content]).await;
    check_whole(&[Error(503, "SlowDown"), Error(500, "InternalError"), Content]).await;
    check_whole(&[Error(429, ""), Content]).await;
    check_whole(&[Silence, Content]).await;
    check_whole(&[Breaks(30), Content]).await;
    check_whole(&[Stalls(30), Breaks(10), Content]).await;
}

/// A read that is always answered so ends as an error with `kind` and these words.
async fn check_error(reply: Reply, kind: ErrorKind, words: &str, requests: usize) {
    let fake = FakeS3::start().await;
    let (storage, _) = table(&fake);
    fake.always(reply.clone());
    let begun = Instant::now();
    let path = storage.path("s3://b/t/f").unwrap();
    let error = storage.store().get_range(&path, 0..80).await.unwrap_err();
    let error = crate::Error::from(error);
    assert!(begun.elapsed() < STALL * (RETRIES as u32 + 3), "{reply:?} {:?}", begun.elapsed());
    assert_eq!((error.kind(), fake.asked().len()), (kind, requests), "{reply:?} {error}");
    let text = error.to_string();
    assert!(text.contains("s3://b/t/f") && text.contains(words), "{reply:?} {text}");
    check_clean(&text);
    check_clean(&format!("{error:?}"));
}

#[tokio::test]
async fn lasting_faults_are_errors() {
    use Reply::{Breaks, Error, Everything, Short, Silence, Stalls};
    let all = RETRIES + 1;
    check_error(Error(503, "SlowDown"), ErrorKind::Unavailable, "503 SlowDown", all).await;
    check_error(Error(500, ""), ErrorKind::Unavailable, "500", all).await;
    check_error(Silence, ErrorKind::Unavailable, "did not answer", all).await;
    check_error(Stalls(0), ErrorKind::Unavailable, "did not answer", all).await;
    check_error(Breaks(0), ErrorKind::Unavailable, "did not answer", all).await;
    check_error(Short(40), ErrorKind::BadAnswer, "40 bytes of 80", 1).await;
    check_error(Everything, ErrorKind::BadAnswer, "answer that S3 does not have", 1).await;
    check_error(Error(404, "NoSuchKey"), ErrorKind::NotFound, "404 NoSuchKey", 1).await;
    check_error(Error(403, "AccessDenied"), ErrorKind::Forbidden, "403 AccessDenied", 1).await;
    check_error(Error(400, "<b>TELLTALE"), ErrorKind::Forbidden, "400", 2).await;
    check_error(Error(301, "PermanentRedirect"), ErrorKind::BadAnswer, "301", 1).await;
    check_error(Error(401, "Odd"), ErrorKind::Unauthenticated, "401 Odd", 1).await;
}

#[tokio::test]
async fn a_store_that_is_not_there_is_unavailable() {
    let mut fake = FakeS3::start().await;
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    fake.url = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let (storage, _) = table(&fake);
    let error = storage.read("s3://b/t/f").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    check_clean(&error.to_string());
}

#[tokio::test]
async fn errors_keep_their_kind_through_the_iceberg_crate() {
    let fake = FakeS3::start().await;
    let (storage, _) = table(&fake);
    fake.always(Reply::Error(403, "AccessDenied"));
    let read = storage.file_io().new_input("s3://b/t/m").unwrap().read().await;
    let error = crate::Error::from(read.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    let outside = storage.file_io().new_input("s3://b/other").unwrap().read().await;
    let error = crate::Error::from(outside.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
}
