//! REST catalogs: the conformance suite, and where the two differ.

use std::sync::Arc;
use std::time::Duration;

use iceberg::{NamespaceIdent, TableIdent};
use sqe_iceberg::ErrorKind;
use sqe_iceberg::catalog::rest::{RestOptions, RestSource};
use sqe_iceberg::catalog::{Catalog, CatalogSource};
use sqe_iceberg::storage::S3Endpoint;
use sqe_iceberg::token::{NoToken, TokenSource};

use crate::conformance::{self, Habits};
use crate::tokens::{root, service, setting, user};

/// A catalog of the test stack by the setting of its address.
pub(crate) fn open(uri: &str, tokens: Arc<dyn TokenSource>) -> Arc<dyn Catalog> {
    let options = RestOptions {
        name: "lake".to_owned(),
        uri: setting(uri).parse().unwrap(),
        warehouse: Some(setting("WAREHOUSE")),
        endpoint: S3Endpoint::default(),
        static_keys: None,
        allow_local_files: false,
        request_timeout: Duration::from_secs(20),
        table_cache_bytes: 16 << 20,
    };
    RestSource::new(options).unwrap().open(tokens)
}

pub(crate) const POLARIS: &str = "CATALOG_URI";
pub(crate) const NESSIE: &str = "NESSIE_URI";

fn table(name: &str) -> TableIdent {
    TableIdent::new(NamespaceIdent::new("test_ns".to_owned()), name.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the test stack"]
async fn polaris_conforms() {
    let habits = Habits {
        names: &["it's", "50%", "a b", "Größe", "a.b", "a+b", "😀"],
        locations_are_new: false,
        stages_only_what_can_be: true,
        logs_metadata: true,
        guards_parents: true,
    };
    conformance::all(open(POLARIS, Arc::new(root().await)).as_ref(), habits).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the test stack"]
async fn nessie_conforms() {
    let habits = Habits {
        names: &["it's", "50%", "a b", "Größe", "a+b", "😀"],
        locations_are_new: true,
        stages_only_what_can_be: false,
        logs_metadata: false,
        guards_parents: true,
    };
    conformance::all(open(NESSIE, Arc::new(service().await)).as_ref(), habits).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the test stack"]
async fn each_user_sees_what_the_catalog_lets_them() {
    for uri in [POLARIS, NESSIE] {
        let catalog = open(uri, Arc::new(user("user_a").await));
        catalog.load_table(&table("table_a")).await.unwrap();
        let error = catalog.load_table(&table("table_b")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
        let error = catalog.load_table(&table("table_c")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        open(uri, Arc::new(user("user_ab").await)).load_table(&table("table_b")).await.unwrap();
    }
}

/// Not Nessie's readers: the policy of their keys names another bucket (Nessie 0.99).
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the test stack"]
async fn keys_reach_the_files_of_their_table_alone() {
    let readers: [(_, Arc<dyn TokenSource>); 2] =
        [(POLARIS, Arc::new(user("user_ab").await)), (NESSIE, Arc::new(service().await))];
    for (uri, tokens) in readers {
        let catalog = open(uri, tokens);
        let [a, b] = ["table_a", "table_b"].map(table);
        let (a, b) = (catalog.load_table(&a).await.unwrap(), catalog.load_table(&b).await.unwrap());
        a.storage.read(&a.metadata_location).await.unwrap();
        b.storage.read(&b.metadata_location).await.unwrap();
        assert!(a.storage.read(&b.metadata_location).await.is_err(), "keys of another table");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the test stack"]
async fn without_a_token_nothing_is_seen() {
    for uri in [POLARIS, NESSIE] {
        let error = open(uri, Arc::new(NoToken)).list_namespaces().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the test stack"]
async fn a_table_that_did_not_change_is_not_read_again() {
    let catalog = open(POLARIS, Arc::new(root().await));
    let first = catalog.load_table(&table("table_a")).await.unwrap();
    let second = catalog.load_table(&table("table_a")).await.unwrap();
    assert!(Arc::ptr_eq(&first.metadata, &second.metadata));
}
