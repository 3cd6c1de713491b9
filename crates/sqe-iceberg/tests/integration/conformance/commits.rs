//! Commits: requirements, races, several tables at once.

use futures::future::join_all;
use iceberg::{TableRequirement, TableUpdate};
use sqe_iceberg::{ErrorKind, Result};

use super::{Suite, assert_same, change, check_error, commit_retrying, create, set_property};

fn main_is_at(snapshot_id: Option<i64>) -> TableRequirement {
    TableRequirement::RefSnapshotIdMatch { r#ref: "main".to_owned(), snapshot_id }
}

impl Suite<'_> {
    pub(super) async fn commits(&self) {
        let (catalog, t) = (self.catalog, self.ident("commits", "t"));
        let space = self.create_namespace("commits").await;
        let missing = catalog.commit(change(&t, vec![], set_property("a", "1"))).await;
        check_error(missing, ErrorKind::NotFound, "commits.t");

        let created = self.create(&t).await;
        let same = TableRequirement::UuidMatch { uuid: created.metadata.uuid() };
        catalog.commit(change(&t, vec![same], set_property("a", "1"))).await.unwrap();
        let committed = catalog.load_table(&t).await.unwrap();
        assert_ne!(committed.metadata_location, created.metadata_location);
        assert_eq!(committed.metadata.properties().get("a").unwrap(), "1");
        if self.habits.logs_metadata {
            let log = committed.metadata.metadata_log().iter();
            let log: Vec<_> = log.map(|log| log.metadata_file.as_str()).collect();
            assert_eq!(log, [created.metadata_location.as_str()]);
        }

        let other = TableRequirement::UuidMatch { uuid: uuid::Uuid::new_v4() };
        for refused in [vec![main_is_at(None), main_is_at(Some(1))], vec![other]] {
            let result = catalog.commit(change(&t, refused, set_property("a", "2"))).await;
            check_error(result, ErrorKind::Conflict, "commits.t");
        }
        let unknown = vec![TableUpdate::SetCurrentSchema { schema_id: 77 }];
        let result = catalog.commit(change(&t, vec![], unknown)).await;
        check_error(result, ErrorKind::InvalidArgument, "commits.t");

        let loaded = catalog.load_table(&t).await.unwrap();
        assert_eq!(loaded.metadata_location, committed.metadata_location);
        assert_same(&loaded.metadata, &committed.metadata);
        self.drop_all(&space, &["t"]).await;
    }

    pub(super) async fn concurrent_commits(&self) {
        let (catalog, t) = (self.catalog, self.ident("concurrent", "t"));
        let space = self.create_namespace("concurrent").await;
        let attempts = join_all((0..8).map(|_| create(catalog, &t))).await;
        assert_eq!(attempts.iter().filter(|attempt| attempt.is_ok()).count(), 1);
        for attempt in attempts.into_iter().filter(Result::is_err) {
            check_error(attempt, ErrorKind::AlreadyExists, "concurrent.t");
        }

        let properties: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
        join_all(properties.iter().map(|property| commit_retrying(catalog, &t, property))).await;
        let metadata = catalog.load_table(&t).await.unwrap().metadata;
        assert!(properties.iter().all(|property| metadata.properties().contains_key(property)));
        if self.habits.logs_metadata {
            assert_eq!(metadata.metadata_log().len(), properties.len());
        }
        self.drop_all(&space, &["t"]).await;
    }

    pub(super) async fn commits_of_several_tables(&self) {
        let catalog = self.catalog;
        let space = self.create_namespace("several").await;
        let [t, u] = ["t", "u"].map(|name| self.ident("several", name));
        for ident in [&t, &u] {
            self.create(ident).await;
        }
        let changes = |value: &str, of_u: Vec<TableRequirement>| {
            vec![
                change(&t, vec![main_is_at(None)], set_property("a", value)),
                change(&u, of_u, set_property("a", value)),
            ]
        };
        let value_of = async |ident| {
            let table = catalog.load_table(ident).await.unwrap();
            table.metadata.properties().get("a").cloned()
        };
        catalog.commit_tables(changes("1", vec![main_is_at(None)])).await.unwrap();
        assert_eq!(value_of(&t).await.as_deref(), Some("1"));
        assert_eq!(value_of(&u).await.as_deref(), Some("1"));

        let refused = catalog.commit_tables(changes("2", vec![main_is_at(Some(1))])).await;
        check_error(refused, ErrorKind::Conflict, "several.");
        assert_eq!(value_of(&t).await.as_deref(), Some("1"));
        assert_eq!(value_of(&u).await.as_deref(), Some("1"));
        catalog.commit_tables(vec![]).await.unwrap();
        self.drop_all(&space, &["t", "u"]).await;
    }
}
