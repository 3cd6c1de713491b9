//! Storages that are opened on another node.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use object_store::ObjectStoreExt;
use proptest::prelude::*;

use super::fake::{FakeS3, Reply, content};
use super::{Source, check_clean, manners, scope, storage};
use crate::ErrorKind;
use crate::storage::{S3Endpoint, S3Keys, S3Scope, Storage, StorageGrant};

/// The grant of `storage` on another node.
async fn sent(storage: &Storage) -> StorageGrant {
    let grant = storage.grant().await.unwrap();
    check_clean(&format!("{grant:?}"));
    StorageGrant::decode(&grant.encode()).unwrap()
}

#[tokio::test]
async fn an_opened_storage_reads_the_same_files_with_the_same_keys() {
    let fake = FakeS3::start().await;
    let scopes = vec![scope(&fake, "s3://b/w/t", "table"), scope(&fake, "s3://b/w", "wide")];
    let here = storage("s3://b/w/t", scopes.clone(), Source::new(scopes.clone()));
    let source = Source::new(scopes);
    let grant = sent(&here).await;
    assert!(!grant.is_local());
    assert_eq!(grant.prefixes().collect::<Vec<_>>(), ["s3://b/w/t", "s3://b/w"]);
    let there = Storage::open_with(grant, Arc::<Source>::clone(&source), manners()).unwrap();
    assert_eq!(here.id(), there.id());
    fake.always(Reply::Content);
    for (location, id) in [("s3://b/w/t/f", "table"), ("s3a://b/w/other/f", "wide")] {
        let path = here.path(location).unwrap();
        assert_eq!(path, there.path(location).unwrap());
        let read = there.store().get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!((read, fake.asked().pop().unwrap().signed_by()), (content(), id));
    }
    let error = there.path("s3://b/x/f").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);

    fake.will([Reply::Error(403, "ExpiredToken"), Reply::Content]);
    there.read("s3://b/w/t/f").await.unwrap();
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn files_outside_of_the_table_are_those_of_one_storage() {
    let fake = FakeS3::start().await;
    let scopes = vec![scope(&fake, "s3://b", "k")];
    let open = || storage("s3://b/t", scopes.clone(), Source::new(Vec::new()));
    let (one, two) = (open(), open());
    assert_ne!(one.id(), two.id());
    let path = |storage: &Storage| storage.path("s3://b/other/f").unwrap();
    let there = Storage::open(sent(&one).await, Source::new(Vec::new())).unwrap();
    assert_eq!(path(&one), path(&there));
    assert_ne!(path(&two), path(&there));
}

#[tokio::test]
async fn keys_that_end_are_renewed_before_they_are_granted() {
    let fake = FakeS3::start().await;
    let mut first = scope(&fake, "s3://b/t", "old");
    first.keys.expires_at = Some(UNIX_EPOCH);
    let source = Source::new(vec![scope(&fake, "s3://b/t", "k")]);
    let here = storage("s3://b/t", vec![first.clone()], Arc::clone(&source));
    let scopes = sent(&here).await.into_scopes();
    assert_eq!((scopes[0].keys.access_key_id.as_str(), source.asked()), ("k1", 1));

    let error = crate::Error::new(ErrorKind::Unauthenticated, "login is over");
    *source.failing.lock().unwrap() = Some(error);
    let here = storage("s3://b/t", vec![first], source);
    let error = here.grant().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("login is over"), "{error}");
}

#[tokio::test]
async fn files_of_a_machine_are_granted_by_their_place() {
    let error = Storage::local().grant().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);

    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for name in ["t", "u"] {
        std::fs::create_dir(at(name)).unwrap();
        std::fs::write(at(&format!("{name}/f")), content()).unwrap();
    }
    let here = Storage::local_below(vec![format!("file://{}", at("t"))]);
    let grant = sent(&here).await;
    assert!(grant.is_local());
    let there = Storage::open(grant, Source::new(Vec::new())).unwrap();
    assert_eq!(here.path(&at("t/f")).unwrap(), there.path(&at("t/f")).unwrap());
    assert_eq!(there.read(&at("t/f")).await.unwrap(), content());
    assert_eq!(here.read(&at("u/f")).await.unwrap(), content());
    let error = there.read(&at("u/f")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    // It can be handed on, and no further than it reaches.
    assert_eq!(sent(&there).await.prefixes().count(), 1);
}

#[test]
fn what_is_no_grant_is_refused() {
    let error = StorageGrant::decode(b"no grant").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

fn any_scope() -> impl Strategy<Value = S3Scope> {
    let text = || prop::option::of(".{0,12}");
    let parts = ("[a-z]{1,9}", ".{0,40}", text(), prop::option::of(0_u64..1 << 40));
    let keys = parts.prop_map(|(id, secret, token, end)| S3Keys {
        secret_access_key: secret.into(),
        session_token: token.map(Into::into),
        expires_at: end.map(|end| UNIX_EPOCH + std::time::Duration::from_millis(end)),
        ..super::keys(&id, None)
    });
    let endpoint = (text(), text(), any::<bool>());
    let endpoint =
        endpoint.prop_map(|(url, region, path_style)| S3Endpoint { url, region, path_style });
    (".{0,20}", endpoint, keys).prop_map(|(prefix, endpoint, keys)| S3Scope {
        prefix,
        endpoint,
        keys,
    })
}

proptest! {
    #[test]
    fn grants_survive_as_bytes(
        id in any::<u64>(),
        table in prop::option::of(".{0,20}"),
        scopes in prop::collection::vec(any_scope(), 0..4),
        prefixes in prop::collection::vec(".{0,20}", 0..4),
        is_local in any::<bool>(),
    ) {
        let grant = match is_local {
            true => StorageGrant::local(id, prefixes),
            false => StorageGrant::s3(id, table, scopes.clone()),
        };
        let bytes = grant.encode();
        let read = StorageGrant::decode(&bytes).unwrap();
        prop_assert_eq!(&*read.encode(), &*bytes);
        prop_assert_eq!((read.id(), read.is_local()), (id, is_local));
        prop_assert_eq!(format!("{read:?}"), format!("{grant:?}"));
        if !is_local {
            for (read, scope) in read.into_scopes().iter().zip(&scopes) {
                prop_assert_eq!(&read.prefix, &scope.prefix);
                prop_assert_eq!(&read.endpoint, &scope.endpoint);
                prop_assert_eq!(read.keys.expires_at, scope.keys.expires_at);
                prop_assert_eq!(&read.keys.access_key_id, &scope.keys.access_key_id);
            }
        }
    }

    #[test]
    fn no_bytes_end_in_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = StorageGrant::decode(&bytes);
    }
}
