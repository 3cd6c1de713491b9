//! Writes and deletions.

use std::sync::Arc;

use axum::http::Method;
use bytes::Bytes;
use object_store::{ObjectStoreExt, PutMode, PutPayload};

use super::fake::{FakeS3, Reply};
use super::{RETRIES, check_clean, table};
use crate::{Error, ErrorKind};

const BEGUN: Reply = Reply::Success(
    "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
);
const COMPLETE: Reply = Reply::Success(
    "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>",
);
const PUT: Reply = Reply::Success("");

fn payload() -> PutPayload {
    PutPayload::from_static(b"part")
}

#[tokio::test]
async fn a_part_that_outlasts_its_keys_keeps_its_number() {
    let fake = FakeS3::start().await;
    let (storage, source) = table(&fake);
    let path = storage.path("s3://b/t/f").unwrap();
    fake.will([BEGUN, PUT, Reply::Error(403, "ExpiredToken"), PUT, COMPLETE]);
    let mut upload = storage.store().put_multipart(&path).await.unwrap();
    upload.put_part(payload()).await.unwrap();
    upload.put_part(payload()).await.unwrap();
    upload.complete().await.unwrap();
    let asked = fake.asked();
    let numbers: Vec<&str> = asked.iter().map(|asked| asked.query.as_str()).collect();
    let part = |number| format!("partNumber={number}&uploadId=u1");
    assert_eq!(numbers[1..4], [part(1), part(2), part(2)]);
    assert_eq!((asked[4].signed_by(), source.asked()), ("k1", 1));
}

#[tokio::test]
async fn a_failed_upload_stays_the_error_it_was() {
    let fake = FakeS3::start().await;
    let (storage, _) = table(&fake);
    let path = storage.path("s3://b/t/f").unwrap();
    let denied = Reply::Error(403, "AccessDenied");
    let late =
        Reply::Success("<Error><Code>EntityTooSmall</Code><Message>TELLTALE</Message></Error>");
    fake.will([BEGUN, PUT, late, denied]);
    let upload = storage.store().put_multipart(&path).await.unwrap();
    let mut writer = object_store::WriteMultipart::new(upload);
    writer.write(b"bytes");
    let error = Error::from(writer.finish().await.unwrap_err());
    assert!(error.to_string().contains("EntityTooSmall"), "{error}");
    check_clean(&error.to_string());
    assert_eq!(fake.asked().last().unwrap().method, Method::DELETE);

    fake.will([BEGUN, Reply::Error(507, "XMinioStorageFull")]);
    fake.always(Reply::Error(403, "AccessDenied"));
    let mut upload = storage.store().put_multipart(&path).await.unwrap();
    let error = Error::from(upload.put_part(payload()).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert_eq!(fake.asked().last().unwrap().method, Method::DELETE);
    upload.complete().await.unwrap_err();
    upload.abort().await.unwrap();
}

#[tokio::test]
async fn writes_that_are_refused_say_so() {
    let fake = FakeS3::start().await;
    let (storage, _) = table(&fake);
    fake.will([Reply::Error(403, "AccessDenied")]);
    let error = storage.write("s3://b/t/f", Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(
        error.to_string().contains("s3://b/t/f: the store answered 403 AccessDenied"),
        "{error}"
    );

    let asked = |method| fake.asked().iter().all(|asked| asked.method == method);
    assert!(asked(Method::PUT));
    let denied = "<DeleteResult><Error><Key>t/f</Key><Code>AccessDenied</Code>\
                  <Message>TELLTALE</Message></Error></DeleteResult>";
    fake.will([Reply::Success(denied)]);
    let error = storage.delete("s3://b/t/f").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    check_clean(&error.to_string());
    fake.will([Reply::Success("<DeleteResult><Deleted><Key>t/f</Key></Deleted></DeleteResult>")]);
    storage.delete("s3://b/t/f").await.unwrap();
    assert!(asked(Method::POST));
}

#[tokio::test]
async fn a_new_object_is_not_put_twice() {
    let fake = FakeS3::start().await;
    let (storage, _) = table(&fake);
    let path = storage.path("s3://b/t/f").unwrap();
    let check = async |reply: Reply, requests: usize, kind: ErrorKind| {
        fake.always(reply);
        let put = storage.store().put_opts(&path, payload(), PutMode::Create.into()).await;
        let asked = fake.asked();
        assert!(asked.iter().all(|asked| asked.header("if-none-match") == "*"));
        assert_eq!((Error::from(put.unwrap_err()).kind(), asked.len()), (kind, requests));
    };
    check(Reply::Error(412, "PreconditionFailed"), 1, ErrorKind::AlreadyExists).await;
    check(Reply::Error(500, "InternalError"), 1, ErrorKind::Unavailable).await;
    check(Reply::Error(503, "SlowDown"), RETRIES + 1, ErrorKind::Unavailable).await;
    fake.always(PUT);
    storage.store().put_opts(&path, payload(), PutMode::Create.into()).await.unwrap();
}

#[tokio::test]
async fn errors_of_uploads_keep_their_kind_through_the_parquet_writer() {
    let fake = FakeS3::start().await;
    let (storage, _) = table(&fake);
    fake.always(Reply::Error(403, "AccessDenied"));
    let path = storage.path("s3://b/t/f").unwrap();
    let mut writer = object_store::buffered::BufWriter::new(Arc::clone(storage.store()), path);
    writer.put(Bytes::from_static(b"x")).await.unwrap();
    let error = tokio::io::AsyncWriteExt::shutdown(&mut writer).await.unwrap_err();
    let error = parquet::errors::ParquetError::from(error);
    assert_eq!(crate::storage::kind_below(&error), Some(ErrorKind::Forbidden));
    check_clean(&error.to_string());
}
