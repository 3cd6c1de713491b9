//! `CREATE VIEW`: the text is planned once, so that a broken view is refused when it is made.

use std::collections::{HashMap, HashSet};

use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement as DfStatement;
use sqe_iceberg::spec::{ViewMetadata, ViewMetadataBuilder, ViewRepresentations};
use sqe_iceberg::{ViewCreation, schema};
use sqlparser::ast::Statement as SqlStatement;

use crate::catalogs::{TableName, namespace};
use crate::parse;
use crate::plan::{Planner, VIEW_DIALECT, ident_name, resolve_name};
use crate::{Error, ErrorKind, Output, Result, Session};

/// A view to create.
#[derive(Debug)]
pub(crate) struct CreateView {
    name: TableName,
    replace: bool,
    if_not_exists: bool,
    schema: sqe_iceberg::Schema,
    text: String,
    default_catalog: String,
    default_schema: String,
}

pub(super) async fn plan(
    session: &Session,
    state: &SessionState,
    statement: parse::CreateView,
) -> Result<CreateView> {
    let name = resolve_name(state, &statement.name)?;
    session.catalogs_of_user().writable(&name.catalog)?;
    let query = SqlStatement::Query(Box::new(statement.query));
    let query = DfStatement::Statement(Box::new(query));
    let planner = Planner::of_new_view(session, state, &name);
    let plan = planner.plan(query).await?;
    let columns = plan.schema().as_arrow().fields();
    let names: Vec<String> = match statement.columns.is_empty() {
        true => columns.iter().map(|column| column.name().clone()).collect(),
        false => statement.columns.iter().map(ident_name).collect(),
    };
    if names.len() != columns.len() {
        let (given, needed) = (names.len(), columns.len());
        let message = format!("the view names {given} columns, its query has {needed}");
        return Err(Error::new(ErrorKind::InvalidStatement, message));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        let message = format!("column {twice:?} is given twice");
        return Err(Error::new(ErrorKind::InvalidStatement, message));
    }
    let fields = columns.iter().zip(names);
    let fields = fields.map(|(field, name)| field.as_ref().clone().with_name(name));
    let columns = arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
    let defaults = &state.config_options().catalog;
    Ok(CreateView {
        name,
        replace: statement.replace,
        if_not_exists: statement.if_not_exists,
        schema: schema::from_arrow(&columns)?,
        text: statement.text,
        default_catalog: defaults.default_catalog.clone(),
        default_schema: defaults.default_schema.clone(),
    })
}

impl CreateView {
    pub(super) async fn run(&self, session: &Session) -> Result<Output> {
        let catalogs = session.catalogs_of_user();
        let catalog = catalogs.writable(&self.name.catalog)?;
        if !catalogs.has_schema(&self.name.catalog, &self.name.schema).await? {
            return Err(catalogs.schema_not_found(&self.name.catalog, &self.name.schema).await);
        }
        let ident = self.name.ident()?;
        match catalog.create_view(&ident, self.metadata()?, self.replace).await {
            Ok(()) => {}
            Err(error) if error.kind() == sqe_iceberg::ErrorKind::AlreadyExists => {
                if !self.if_not_exists {
                    let message = format!("{:?} exists already", self.name.to_string());
                    return Err(Error::new(ErrorKind::AlreadyExists, message));
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Output::Done { affected: None })
    }

    /// The catalog decides where it goes.
    fn metadata(&self) -> Result<ViewMetadata> {
        let sql = serde_json::json!([{"type": "sql", "sql": self.text, "dialect": VIEW_DIALECT}]);
        let representations: ViewRepresentations = serde_json::from_value(sql)
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let creation = ViewCreation::builder()
            .name(self.name.table.clone())
            .location(String::new())
            .representations(representations)
            .schema(self.schema.clone())
            .default_namespace(namespace(&self.default_schema)?)
            .default_catalog(Some(self.default_catalog.clone()))
            .summary(HashMap::from([
                ("engine-name".to_owned(), "sqe".to_owned()),
                ("engine-version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ]))
            .build();
        let built = ViewMetadataBuilder::from_view_creation(creation).and_then(|view| view.build());
        Ok(built.map_err(sqe_iceberg::Error::from)?.metadata)
    }
}
