//! What every catalog has to do, as functions over the trait. Each works in namespaces of its own,
//! so all of them may run on one catalog, one after the other.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};
use futures::future::join_all;
use iceberg::spec::{ViewMetadata, ViewMetadataBuilder, ViewRepresentation};
use iceberg::{NamespaceIdent, TableIdent, TableRequirement, TableUpdate, ViewCreation};

use super::Catalog;
use crate::create::NewTable;
use crate::{ErrorKind, Result, Table, schema};

/// Runs the whole suite.
pub(crate) async fn all(catalog: &dyn Catalog) {
    namespaces(catalog).await;
    nested_namespaces(catalog).await;
    tables(catalog).await;
    commits(catalog).await;
    concurrent_commits(catalog).await;
    locations(catalog).await;
    odd_names(catalog).await;
    views(catalog).await;
}

pub(crate) fn namespace(text: &str) -> NamespaceIdent {
    NamespaceIdent::from_strs(text.split('.')).unwrap()
}

pub(crate) fn ident(namespace_text: &str, name: &str) -> TableIdent {
    TableIdent::new(namespace(namespace_text), name.to_owned())
}

/// Creates an empty table with one column.
pub(crate) async fn create(catalog: &dyn Catalog, ident: &TableIdent) -> Result<Table> {
    new_table(ident).create(catalog).await
}

fn new_table(ident: &TableIdent) -> NewTable {
    let columns = vec![Field::new("id", DataType::Int64, true)];
    NewTable {
        ident: ident.clone(),
        schema: schema::from_arrow(&arrow::datatypes::Schema::new(columns)).unwrap(),
        partitioning: vec![],
        properties: HashMap::new(),
        location: None,
    }
}

pub(crate) fn set_property(key: &str, value: &str) -> Vec<TableUpdate> {
    let updates = HashMap::from([(key.to_owned(), value.to_owned())]);
    vec![TableUpdate::SetProperties { updates }]
}

async fn new_view(catalog: &dyn Catalog, ident: &TableIdent, sql: &str) -> ViewMetadata {
    // The list of representations has no constructor.
    let representations = serde_json::json!([{"type": "sql", "sql": sql, "dialect": "sqe"}]);
    let creation = ViewCreation::builder()
        .name(ident.name.clone())
        .location(catalog.new_table_location(ident).await.unwrap())
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

#[track_caller]
fn check_error<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, names: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(names), "{error} does not name {names}");
}

async fn namespaces(catalog: &dyn Catalog) {
    let (a, b) = (namespace("conformance_b"), namespace("conformance_a"));
    check_error(catalog.namespace_properties(&a).await, ErrorKind::NotFound, "conformance_b");
    check_error(catalog.drop_namespace(&a).await, ErrorKind::NotFound, "conformance_b");
    check_error(catalog.list_tables(&a).await, ErrorKind::NotFound, "conformance_b");
    check_error(catalog.list_views(&a).await, ErrorKind::NotFound, "conformance_b");

    let owner = HashMap::from([("owner".to_owned(), "it's \"me\"".to_owned())]);
    catalog.create_namespace(&a, owner.clone()).await.unwrap();
    catalog.create_namespace(&b, HashMap::new()).await.unwrap();
    let again = catalog.create_namespace(&a, HashMap::new()).await;
    check_error(again, ErrorKind::AlreadyExists, "conformance_b");
    let properties = catalog.namespace_properties(&a).await.unwrap();
    assert_eq!(properties.get("owner"), owner.get("owner"));
    assert_eq!(catalog.namespace_properties(&b).await.unwrap().get("owner"), None);
    assert!(catalog.list_tables(&a).await.unwrap().is_empty());
    assert!(catalog.list_views(&a).await.unwrap().is_empty());

    let mut listed = catalog.list_namespaces().await.unwrap();
    assert!(listed.is_sorted());
    listed.retain(|namespace| *namespace == a || *namespace == b);
    assert_eq!(listed, [b.clone(), a.clone()]);

    catalog.drop_namespace(&a).await.unwrap();
    catalog.drop_namespace(&b).await.unwrap();
    check_error(catalog.drop_namespace(&a).await, ErrorKind::NotFound, "conformance_b");
    assert!(!catalog.list_namespaces().await.unwrap().contains(&a));
}

async fn nested_namespaces(catalog: &dyn Catalog) {
    let levels = ["outer", "outer.inner", "outer.inner.leaf"].map(namespace);
    for level in &levels {
        catalog.create_namespace(level, HashMap::new()).await.unwrap();
    }
    catalog.create_namespace(&namespace("outer2"), HashMap::new()).await.unwrap();
    let listed = catalog.list_namespaces().await.unwrap();
    let below: Vec<_> = listed.iter().filter(|namespace| namespace[0] == "outer").collect();
    assert_eq!(below, levels.iter().collect::<Vec<_>>());

    create(catalog, &ident("outer.inner", "t")).await.unwrap();
    assert!(catalog.list_tables(&levels[0]).await.unwrap().is_empty());
    assert_eq!(catalog.list_tables(&levels[1]).await.unwrap(), ["t"]);
    check_error(catalog.load_table(&ident("outer", "t")).await, ErrorKind::NotFound, "outer.t");
    check_error(catalog.drop_namespace(&levels[0]).await, ErrorKind::InvalidArgument, "outer");

    catalog.drop_table(&ident("outer.inner", "t")).await.unwrap();
    for level in levels.iter().rev() {
        catalog.drop_namespace(level).await.unwrap();
    }
    assert!(catalog.list_namespaces().await.unwrap().contains(&namespace("outer2")));
    catalog.drop_namespace(&namespace("outer2")).await.unwrap();
}

async fn tables(catalog: &dyn Catalog) {
    let (space, t) = (namespace("tables"), ident("tables", "t"));
    let metadata = new_table(&t).metadata("file:///tmp/sqe-conformance".into()).unwrap();
    check_error(catalog.create_table(&t, metadata).await, ErrorKind::NotFound, "tables");
    catalog.create_namespace(&space, HashMap::new()).await.unwrap();
    check_error(catalog.load_table(&t).await, ErrorKind::NotFound, "tables.t");
    check_error(catalog.drop_table(&t).await, ErrorKind::NotFound, "tables.t");

    let created = create(catalog, &t).await.unwrap();
    let loaded = catalog.load_table(&t).await.unwrap();
    assert_eq!(loaded.ident, t);
    assert_eq!(loaded.metadata, created.metadata);
    assert_eq!(loaded.metadata_location, created.metadata_location);
    let directory = format!("{}/metadata/00000-", created.metadata.location());
    assert!(created.metadata_location.starts_with(&directory), "{}", created.metadata_location);
    assert_eq!(loaded.metadata.current_schema().as_struct().fields()[0].name, "id");

    check_error(create(catalog, &t).await, ErrorKind::AlreadyExists, "tables.t");
    create(catalog, &ident("tables", "T")).await.unwrap();
    create(catalog, &ident("tables", "a")).await.unwrap();
    assert_eq!(catalog.list_tables(&space).await.unwrap(), ["T", "a", "t"]);
    check_error(catalog.drop_namespace(&space).await, ErrorKind::InvalidArgument, "tables");

    for name in ["T", "a", "t"] {
        catalog.drop_table(&ident("tables", name)).await.unwrap();
    }
    check_error(catalog.load_table(&t).await, ErrorKind::NotFound, "tables.t");
    assert!(created.storage.read(&created.metadata_location).await.is_ok());
    catalog.drop_namespace(&space).await.unwrap();
}

async fn commits(catalog: &dyn Catalog) {
    let (space, t) = (namespace("commits"), ident("commits", "t"));
    catalog.create_namespace(&space, HashMap::new()).await.unwrap();
    let missing = catalog.commit(&t, vec![], set_property("a", "1")).await;
    check_error(missing, ErrorKind::NotFound, "commits.t");

    let created = create(catalog, &t).await.unwrap();
    let uuid = created.metadata.uuid();
    let same = TableRequirement::UuidMatch { uuid };
    let committed = catalog.commit(&t, vec![same], set_property("a", "1")).await.unwrap();
    assert_ne!(committed.metadata_location, created.metadata_location);
    assert_eq!(committed.metadata.properties().get("a").unwrap(), "1");
    let log: Vec<&str> =
        committed.metadata.metadata_log().iter().map(|log| log.metadata_file.as_str()).collect();
    assert_eq!(log, [created.metadata_location.as_str()]);

    let no_snapshot = |snapshot_id| TableRequirement::RefSnapshotIdMatch {
        r#ref: "main".to_owned(),
        snapshot_id,
    };
    for refused in [no_snapshot(Some(1)), TableRequirement::NotExist] {
        let requirements = vec![no_snapshot(None), refused];
        let result = catalog.commit(&t, requirements, set_property("a", "2")).await;
        check_error(result, ErrorKind::Conflict, "commits.t");
    }
    let unknown = vec![TableUpdate::SetCurrentSchema { schema_id: 77 }];
    let result = catalog.commit(&t, vec![], unknown).await;
    check_error(result, ErrorKind::InvalidArgument, "commits.t");

    let loaded = catalog.load_table(&t).await.unwrap();
    assert_eq!(loaded.metadata_location, committed.metadata_location);
    assert_eq!(loaded.metadata, committed.metadata);
    catalog.drop_table(&t).await.unwrap();
    catalog.drop_namespace(&space).await.unwrap();
}

/// Commits until nobody else was first.
pub(crate) async fn commit_retrying(catalog: &dyn Catalog, ident: &TableIdent, property: &str) {
    loop {
        match catalog.commit(ident, vec![], set_property(property, "set")).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
    }
}

async fn concurrent_commits(catalog: &dyn Catalog) {
    let (space, t) = (namespace("concurrent"), ident("concurrent", "t"));
    catalog.create_namespace(&space, HashMap::new()).await.unwrap();
    let attempts = join_all((0..8).map(|_| create(catalog, &t))).await;
    assert_eq!(attempts.iter().filter(|attempt| attempt.is_ok()).count(), 1);
    for attempt in attempts.into_iter().filter(Result::is_err) {
        check_error(attempt, ErrorKind::AlreadyExists, "concurrent.t");
    }

    let properties: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    join_all(properties.iter().map(|property| commit_retrying(catalog, &t, property))).await;
    let metadata = catalog.load_table(&t).await.unwrap().metadata;
    assert!(properties.iter().all(|property| metadata.properties().contains_key(property)));
    assert_eq!(metadata.metadata_log().len(), properties.len());
    catalog.drop_table(&t).await.unwrap();
    catalog.drop_namespace(&space).await.unwrap();
}

async fn locations(catalog: &dyn Catalog) {
    let (space, t) = (namespace("locations"), ident("locations", "t"));
    check_error(catalog.new_table_location(&t).await, ErrorKind::NotFound, "locations");
    catalog.create_namespace(&space, HashMap::new()).await.unwrap();
    let first = create(catalog, &t).await.unwrap();
    let first = first.metadata.location();
    assert!(!first.ends_with('/'), "{first}");
    assert_ne!(catalog.new_table_location(&t).await.unwrap(), first);
    catalog.drop_table(&t).await.unwrap();
    let second = create(catalog, &t).await.unwrap();
    assert_ne!(second.metadata.location(), first);
    assert!(catalog.new_table_storage(second.metadata.location()).await.is_ok());
    catalog.drop_table(&t).await.unwrap();
    catalog.drop_namespace(&space).await.unwrap();
}

async fn odd_names(catalog: &dyn Catalog) {
    let names =
        ["..", ".", "a/../../b", "it's", "say \"hi\"", "50%", "a b", "Größe", "a.b", "😀;--"];
    let space = NamespaceIdent::new("odd / '%' name".to_owned());
    catalog.create_namespace(&space, HashMap::new()).await.unwrap();
    for name in names {
        let ident = TableIdent::new(space.clone(), name.to_owned());
        let created = create(catalog, &ident).await.unwrap();
        assert_eq!(catalog.load_table(&ident).await.unwrap().metadata, created.metadata);
        catalog.commit(&ident, vec![], set_property("a", "1")).await.unwrap();
    }
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(catalog.list_tables(&space).await.unwrap(), sorted);
    for name in names {
        catalog.drop_table(&TableIdent::new(space.clone(), name.to_owned())).await.unwrap();
    }
    catalog.drop_namespace(&space).await.unwrap();
}

async fn views(catalog: &dyn Catalog) {
    let space = namespace("views");
    let (v, t) = (ident("views", "v"), ident("views", "t"));
    catalog.create_namespace(&space, HashMap::new()).await.unwrap();
    check_error(catalog.load_view(&v).await, ErrorKind::NotFound, "views.v");
    check_error(catalog.drop_view(&v).await, ErrorKind::NotFound, "views.v");

    let metadata = new_view(catalog, &v, "SELECT 1").await;
    catalog.create_view(&v, metadata.clone(), false).await.unwrap();
    assert_eq!(catalog.load_view(&v).await.unwrap(), metadata);
    let second = new_view(catalog, &v, "SELECT 2").await;
    let again = catalog.create_view(&v, second.clone(), false).await;
    check_error(again, ErrorKind::AlreadyExists, "views.v");
    assert_eq!(sql(&catalog.load_view(&v).await.unwrap()), "SELECT 1");
    catalog.create_view(&v, second, true).await.unwrap();
    assert_eq!(sql(&catalog.load_view(&v).await.unwrap()), "SELECT 2");

    create(catalog, &t).await.unwrap();
    let over_table = new_view(catalog, &t, "SELECT 3").await;
    for replace in [false, true] {
        let result = catalog.create_view(&t, over_table.clone(), replace).await;
        check_error(result, ErrorKind::AlreadyExists, "views.t");
    }
    check_error(create(catalog, &v).await, ErrorKind::AlreadyExists, "views.v");
    check_error(catalog.load_table(&v).await, ErrorKind::NotFound, "views.v");
    check_error(catalog.drop_table(&v).await, ErrorKind::NotFound, "views.v");
    check_error(catalog.load_view(&t).await, ErrorKind::NotFound, "views.t");
    check_error(catalog.drop_view(&t).await, ErrorKind::NotFound, "views.t");
    assert_eq!(catalog.list_views(&space).await.unwrap(), ["v"]);
    assert_eq!(catalog.list_tables(&space).await.unwrap(), ["t"]);

    check_error(catalog.drop_namespace(&space).await, ErrorKind::InvalidArgument, "views");
    catalog.drop_table(&t).await.unwrap();
    catalog.drop_view(&v).await.unwrap();
    catalog.drop_namespace(&space).await.unwrap();
}
