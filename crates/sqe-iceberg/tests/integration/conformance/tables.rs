//! Tables: create, stage, register, rename, drop.

use iceberg::spec::TableMetadata;
use sqe_iceberg::ErrorKind;

use super::{Suite, assert_same, check_error, create, new_table};

impl Suite<'_> {
    pub(super) async fn tables(&self) {
        let (catalog, t) = (self.catalog, self.ident("tables", "t"));
        check_error(create(catalog, &t).await, ErrorKind::NotFound, "tables");
        let space = self.create_namespace("tables").await;
        check_error(catalog.load_table(&t).await, ErrorKind::NotFound, "tables.t");
        check_error(catalog.drop_table(&t).await, ErrorKind::NotFound, "tables.t");
        assert!(!catalog.table_exists(&t).await.unwrap());

        let created = self.create(&t).await;
        assert!(catalog.table_exists(&t).await.unwrap());
        let loaded = catalog.load_table(&t).await.unwrap();
        assert_eq!(loaded.ident, t);
        assert_same(&loaded.metadata, &created.metadata);
        assert_eq!(loaded.metadata_location, created.metadata_location);
        let directory = format!("{}/metadata/00000-", created.metadata.location());
        assert!(created.metadata_location.starts_with(&directory), "{}", created.metadata_location);
        assert_eq!(loaded.metadata.current_schema().as_struct().fields()[0].name, "id");

        check_error(create(catalog, &t).await, ErrorKind::AlreadyExists, "tables.t");
        self.create(&self.ident("tables", "T")).await;
        self.create(&self.ident("tables", "a")).await;
        assert_eq!(catalog.list_tables(&space).await.unwrap(), ["T", "a", "t"]);
        check_error(catalog.drop_namespace(&space).await, ErrorKind::InvalidArgument, "tables");

        catalog.drop_table(&t).await.unwrap();
        assert!(!catalog.table_exists(&t).await.unwrap());
        check_error(catalog.load_table(&t).await, ErrorKind::NotFound, "tables.t");
        created.storage.read(&created.metadata_location).await.unwrap();
        let again = self.create(&t).await;
        assert_ne!(again.metadata.uuid(), created.metadata.uuid());
        if self.habits.locations_are_new {
            assert_ne!(again.metadata.location(), created.metadata.location());
        }
        self.drop_all(&space, &["T", "a", "t"]).await;
    }

    pub(super) async fn staged_tables(&self) {
        let (catalog, t) = (self.catalog, self.ident("staged", "t"));
        if self.habits.stages_only_what_can_be {
            check_error(new_table(&t).stage(catalog).await, ErrorKind::NotFound, "staged");
        }
        let space = self.create_namespace("staged").await;
        let staged = new_table(&t).stage(catalog).await.unwrap();
        assert_eq!(staged.ident, t);
        assert!(!staged.metadata.location().is_empty());
        assert!(!staged.metadata.location().ends_with('/'), "{}", staged.metadata.location());
        assert!(!catalog.table_exists(&t).await.unwrap());
        assert!(catalog.list_tables(&space).await.unwrap().is_empty());

        let metadata = TableMetadata::clone(&staged.metadata);
        catalog.create_table(&t, metadata.clone()).await.unwrap();
        let loaded = catalog.load_table(&t).await.unwrap();
        assert_eq!(loaded.metadata.uuid(), staged.metadata.uuid());
        assert_eq!(loaded.metadata.location(), staged.metadata.location());
        assert_eq!(loaded.metadata.current_schema(), staged.metadata.current_schema());
        let again = catalog.create_table(&t, metadata).await;
        check_error(again, ErrorKind::AlreadyExists, "staged.t");
        if self.habits.stages_only_what_can_be {
            check_error(new_table(&t).stage(catalog).await, ErrorKind::AlreadyExists, "staged.t");
        }
        self.drop_all(&space, &["t"]).await;
    }

    pub(super) async fn registered_tables(&self) {
        let (catalog, t, u) =
            (self.catalog, self.ident("registered", "t"), self.ident("registered", "u"));
        let space = self.create_namespace("registered").await;
        let created = self.create(&t).await;
        let again = catalog.register_table(&t, &created.metadata_location).await;
        check_error(again, ErrorKind::AlreadyExists, "registered.t");

        catalog.drop_table(&t).await.unwrap();
        catalog.register_table(&u, &created.metadata_location).await.unwrap();
        let registered = catalog.load_table(&u).await.unwrap();
        assert_eq!(registered.metadata.uuid(), created.metadata.uuid());
        assert_eq!(registered.metadata.location(), created.metadata.location());
        assert_eq!(catalog.list_tables(&space).await.unwrap(), ["u"]);
        self.drop_all(&space, &["u"]).await;
    }

    pub(super) async fn renamed_tables(&self) {
        let catalog = self.catalog;
        let (space, other) =
            (self.create_namespace("renamed").await, self.create_namespace("renamed2").await);
        let [t, u] = ["t", "u"].map(|name| self.ident("renamed", name));
        let far = self.ident("renamed2", "t");
        check_error(catalog.rename_table(&t, &u).await, ErrorKind::NotFound, "renamed.t");

        let created = self.create(&t).await;
        catalog.rename_table(&t, &u).await.unwrap();
        check_error(catalog.load_table(&t).await, ErrorKind::NotFound, "renamed.t");
        let renamed = catalog.load_table(&u).await.unwrap();
        assert_eq!(renamed.metadata.uuid(), created.metadata.uuid());
        assert_eq!(renamed.metadata.location(), created.metadata.location());
        let nowhere = catalog.rename_table(&u, &self.ident("nowhere", "t")).await;
        check_error(nowhere, ErrorKind::NotFound, "nowhere");
        catalog.rename_table(&u, &far).await.unwrap();
        assert_eq!(catalog.list_tables(&other).await.unwrap(), ["t"]);

        let v = self.ident("renamed", "v");
        self.create(&v).await;
        check_error(catalog.rename_table(&far, &v).await, ErrorKind::AlreadyExists, "renamed.v");
        self.drop_all(&space, &["v"]).await;
        self.drop_all(&other, &["t"]).await;
    }
}
