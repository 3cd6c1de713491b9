//! `CREATE SCHEMA`.

use std::collections::HashMap;

use datafusion::execution::SessionState;
use sqlparser::ast::ObjectName;

use crate::catalogs::namespace;
use crate::parse;
use crate::plan::name_parts;
use crate::{Error, ErrorKind, Output, Result, Session};

/// A schema to create.
#[derive(Debug)]
pub(crate) struct CreateSchema {
    catalog: String,
    schema: String,
    if_not_exists: bool,
    properties: HashMap<String, String>,
}

pub(super) fn plan(state: &SessionState, statement: parse::CreateSchema) -> Result<CreateSchema> {
    let (catalog, schema) = schema_name(state, &statement.name)?;
    Ok(CreateSchema {
        catalog,
        schema,
        if_not_exists: statement.if_not_exists,
        properties: statement.properties.into_iter().collect(),
    })
}

/// Catalog and schema of `schema` or `catalog.schema`.
pub(super) fn schema_name(state: &SessionState, name: &ObjectName) -> Result<(String, String)> {
    let current = &state.config_options().catalog.default_catalog;
    match name_parts(name)?.as_slice() {
        [schema] => Ok((current.clone(), schema.clone())),
        [catalog, schema] => Ok((catalog.clone(), schema.clone())),
        _ => Err(Error::new(
            ErrorKind::InvalidStatement,
            format!("schema name {name} has more than two parts"),
        )
        .with_hint("put the levels of a nested schema in one pair of double quotes")),
    }
}

impl CreateSchema {
    pub(super) async fn run(&self, session: &Session) -> Result<Output> {
        let catalog = session.catalogs_of_user().writable(&self.catalog)?;
        let namespace = namespace(&self.schema)?;
        match catalog.create_namespace(&namespace, self.properties.clone()).await {
            Ok(()) => {}
            Err(error) if error.kind() == sqe_iceberg::ErrorKind::AlreadyExists => {
                if !self.if_not_exists {
                    let name = format!("{}.{}", self.catalog, self.schema);
                    let message = format!("schema {name:?} exists already");
                    return Err(Error::new(ErrorKind::AlreadyExists, message));
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Output::Done { affected: None })
    }
}
