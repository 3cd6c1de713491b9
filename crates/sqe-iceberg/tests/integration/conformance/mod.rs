//! What every catalog has to do, as functions over the trait. They know the catalogs' habits only
//! from [`Habits`]. Each works in namespaces of its own, so all of them may run on one catalog,
//! one after the other, and other runs of them at the same time.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};
use iceberg::spec::TableMetadata;
use iceberg::{NamespaceIdent, TableIdent, TableRequirement, TableUpdate};
use sqe_iceberg::catalog::{Catalog, TableChange};
use sqe_iceberg::create::NewTable;
use sqe_iceberg::{ErrorKind, Result, Table, schema};

mod commits;
mod names;
mod namespaces;
mod tables;
mod views;

/// Where catalogs may differ.
pub(crate) struct Habits {
    /// Names of tables that the catalog can have, beyond plain ones.
    pub(crate) names: &'static [&'static str],
    /// A table that is created where one was dropped gets a location of its own.
    pub(crate) locations_are_new: bool,
    /// A table that could not be created is not staged either.
    pub(crate) stages_only_what_can_be: bool,
    /// A table's metadata names the metadata files before.
    pub(crate) logs_metadata: bool,
    /// An empty namespace may be dropped only when no namespace is below it.
    pub(crate) guards_parents: bool,
}

/// The suite for one catalog.
pub(crate) struct Suite<'a> {
    catalog: &'a dyn Catalog,
    habits: Habits,
    /// First part of all namespaces.
    run: String,
}

/// Runs the whole suite.
pub(crate) async fn all(catalog: &dyn Catalog, habits: Habits) {
    let run = format!("conformance_{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let suite = Suite { catalog, habits, run };
    suite.namespaces().await;
    suite.nested_namespaces().await;
    suite.tables().await;
    suite.staged_tables().await;
    suite.registered_tables().await;
    suite.renamed_tables().await;
    suite.commits().await;
    suite.concurrent_commits().await;
    suite.commits_of_several_tables().await;
    suite.odd_names().await;
    suite.views().await;
    suite.replaced_views().await;
}

impl Suite<'_> {
    fn namespace(&self, text: &str) -> NamespaceIdent {
        namespace(&format!("{}_{text}", self.run))
    }

    fn ident(&self, namespace_text: &str, name: &str) -> TableIdent {
        TableIdent::new(self.namespace(namespace_text), name.to_owned())
    }

    async fn create_namespace(&self, text: &str) -> NamespaceIdent {
        let namespace = self.namespace(text);
        self.catalog.create_namespace(&namespace, HashMap::new()).await.unwrap();
        namespace
    }

    async fn create(&self, ident: &TableIdent) -> Table {
        create(self.catalog, ident).await.unwrap()
    }

    /// Drops a namespace with these tables in it.
    async fn drop_all(&self, namespace: &NamespaceIdent, tables: &[&str]) {
        for name in tables {
            let ident = TableIdent::new(namespace.clone(), (*name).to_owned());
            self.catalog.drop_table(&ident).await.unwrap();
        }
        self.catalog.drop_namespace(namespace).await.unwrap();
    }
}

pub(crate) fn namespace(text: &str) -> NamespaceIdent {
    NamespaceIdent::from_strs(text.split('.')).unwrap()
}

pub(crate) fn new_table(ident: &TableIdent) -> NewTable {
    let columns = vec![Field::new("id", DataType::Int64, true)];
    NewTable {
        ident: ident.clone(),
        schema: schema::from_arrow(&arrow::datatypes::Schema::new(columns)).unwrap(),
        partitioning: vec![],
        properties: HashMap::new(),
        location: None,
    }
}

/// Creates an empty table with one column, and loads it.
pub(crate) async fn create(catalog: &dyn Catalog, ident: &TableIdent) -> Result<Table> {
    new_table(ident).create(catalog).await?;
    catalog.load_table(ident).await
}

pub(crate) fn change(
    ident: &TableIdent,
    requirements: Vec<TableRequirement>,
    updates: Vec<TableUpdate>,
) -> TableChange {
    TableChange { ident: ident.clone(), requirements, updates }
}

pub(crate) fn set_property(key: &str, value: &str) -> Vec<TableUpdate> {
    let updates = HashMap::from([(key.to_owned(), value.to_owned())]);
    vec![TableUpdate::SetProperties { updates }]
}

/// Commits until nobody else was first.
pub(crate) async fn commit_retrying(catalog: &dyn Catalog, ident: &TableIdent, property: &str) {
    loop {
        match catalog.commit(change(ident, vec![], set_property(property, "set"))).await {
            Ok(()) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
    }
}

#[track_caller]
/// Compares two states of one table. Nessie tells in a property of each table which of its commits
/// was the last, of whatever table.
fn assert_same(found: &TableMetadata, expected: &TableMetadata) {
    let of_table = |metadata: &TableMetadata| {
        let mut metadata = serde_json::to_value(metadata).unwrap();
        if let Some(properties) = metadata["properties"].as_object_mut() {
            properties.remove("nessie.commit.id");
        }
        metadata
    };
    assert_eq!(of_table(found), of_table(expected));
}

fn check_error<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, names: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(names), "{error} does not name {names}");
}
