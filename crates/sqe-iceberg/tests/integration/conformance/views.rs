//! Views, and names that tables and views share.

use iceberg::spec::{ViewMetadata, ViewMetadataBuilder, ViewRepresentation};
use iceberg::{TableIdent, ViewCreation};
use sqe_iceberg::ErrorKind;

use super::{Suite, check_error, create, new_table};

/// A view that leaves its location to the catalog.
fn new_view(ident: &TableIdent, sql: &str) -> ViewMetadata {
    // The list of representations has no constructor.
    let representations = serde_json::json!([{"type": "sql", "sql": sql, "dialect": "sqe"}]);
    let creation = ViewCreation::builder()
        .name(ident.name.clone())
        .location(String::new())
        .representations(serde_json::from_value(representations).unwrap())
        .schema(new_table(ident).schema)
        .default_namespace(ident.namespace.clone())
        .build();
    let builder = ViewMetadataBuilder::from_view_creation(creation).unwrap();
    builder.build().unwrap().metadata
}

fn sql(view: &ViewMetadata) -> &str {
    let ViewRepresentation::Sql(sql) =
        view.current_version().representations().iter().next().unwrap();
    &sql.sql
}

impl Suite<'_> {
    pub(super) async fn views(&self) {
        let (catalog, space) = (self.catalog, self.create_namespace("views").await);
        let (v, t) = (self.ident("views", "v"), self.ident("views", "t"));
        check_error(catalog.load_view(&v).await, ErrorKind::NotFound, "views.v");
        check_error(catalog.drop_view(&v).await, ErrorKind::NotFound, "views.v");

        let view = new_view(&v, "SELECT 1");
        catalog.create_view(&v, view.clone(), false).await.unwrap();
        let loaded = catalog.load_view(&v).await.unwrap();
        assert!(!loaded.location().is_empty());
        assert_eq!(loaded.current_schema().as_struct(), view.current_schema().as_struct());
        let (version, expected) = (loaded.current_version(), view.current_version());
        assert_eq!(version.representations(), expected.representations());
        assert_eq!(version.default_namespace(), expected.default_namespace());

        self.create(&t).await;
        for replace in [false, true] {
            let result = catalog.create_view(&t, new_view(&t, "SELECT 3"), replace).await;
            check_error(result, ErrorKind::AlreadyExists, "views.t");
        }
        check_error(create(catalog, &v).await, ErrorKind::AlreadyExists, "views.v");
        check_error(catalog.load_table(&v).await, ErrorKind::NotFound, "views.v");
        check_error(catalog.drop_table(&v).await, ErrorKind::NotFound, "views.v");
        check_error(catalog.load_view(&t).await, ErrorKind::NotFound, "views.t");
        check_error(catalog.drop_view(&t).await, ErrorKind::NotFound, "views.t");
        assert!(!catalog.table_exists(&v).await.unwrap());
        assert_eq!(catalog.list_views(&space).await.unwrap(), ["v"]);
        assert_eq!(catalog.list_tables(&space).await.unwrap(), ["t"]);
        check_error(catalog.drop_namespace(&space).await, ErrorKind::InvalidArgument, "views");

        let w = self.ident("views", "w");
        check_error(catalog.rename_view(&v, &t).await, ErrorKind::AlreadyExists, "views.t");
        catalog.rename_view(&v, &w).await.unwrap();
        check_error(catalog.rename_view(&v, &w).await, ErrorKind::NotFound, "views.v");
        assert_eq!(sql(&catalog.load_view(&w).await.unwrap()), "SELECT 1");
        catalog.drop_view(&w).await.unwrap();
        self.drop_all(&space, &["t"]).await;
    }

    pub(super) async fn replaced_views(&self) {
        let (catalog, v) = (self.catalog, self.ident("replaced", "v"));
        let space = self.create_namespace("replaced").await;
        catalog.create_view(&v, new_view(&v, "SELECT 1"), true).await.unwrap();
        let again = catalog.create_view(&v, new_view(&v, "SELECT 2"), false).await;
        check_error(again, ErrorKind::AlreadyExists, "replaced.v");
        assert_eq!(sql(&catalog.load_view(&v).await.unwrap()), "SELECT 1");
        for text in ["SELECT 2", "SELECT 3", "SELECT 1"] {
            catalog.create_view(&v, new_view(&v, text), true).await.unwrap();
            assert_eq!(sql(&catalog.load_view(&v).await.unwrap()), text);
        }
        catalog.drop_view(&v).await.unwrap();
        self.drop_all(&space, &[]).await;
    }
}
