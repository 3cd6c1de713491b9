//! `DROP TABLE`, `DROP VIEW`, `DROP SCHEMA`. The files of a dropped table stay where they are.

use datafusion::execution::SessionState;

use super::create_schema::schema_name;
use crate::catalogs::{TableName, namespace};
use crate::parse::{self, DropKind};
use crate::plan::resolve_name;
use crate::{Error, ErrorKind, Output, Result, Session};

/// Something to drop.
#[derive(Debug)]
pub(crate) struct Drop {
    target: Target,
    if_exists: bool,
}

#[derive(Debug)]
enum Target {
    Table(TableName),
    View(TableName),
    Schema { catalog: String, schema: String },
}

pub(super) fn plan(state: &SessionState, statement: &parse::Drop) -> Result<Drop> {
    let target = match statement.kind {
        DropKind::Table => Target::Table(resolve_name(state, &statement.name)?),
        DropKind::View => Target::View(resolve_name(state, &statement.name)?),
        DropKind::Schema => {
            let (catalog, schema) = schema_name(state, &statement.name)?;
            Target::Schema { catalog, schema }
        }
    };
    Ok(Drop { target, if_exists: statement.if_exists })
}

impl Drop {
    pub(super) async fn run(&self, session: &Session) -> Result<Output> {
        match self.drop(session).await {
            Err(error) if error.kind == ErrorKind::NotFound && self.if_exists => {}
            other => other?,
        }
        Ok(Output::Done { affected: None })
    }

    async fn drop(&self, session: &Session) -> Result<()> {
        let catalogs = session.catalogs_of_user();
        let (dropped, missing) = match &self.target {
            Target::Table(name) => {
                let catalog = catalogs.writable(&name.catalog)?;
                (catalog.drop_table(&name.ident()?).await, Some(name))
            }
            Target::View(name) => {
                let catalog = catalogs.writable(&name.catalog)?;
                (catalog.drop_view(&name.ident()?).await, Some(name))
            }
            Target::Schema { catalog, schema } => {
                let iceberg = catalogs.writable(catalog)?;
                (iceberg.drop_namespace(&namespace(schema)?).await, None)
            }
        };
        match (dropped, missing) {
            (Ok(()), _) => Ok(()),
            (Err(error), _) if error.kind() != sqe_iceberg::ErrorKind::NotFound => {
                Err(error.into())
            }
            (Err(_), Some(name)) => Err(self.wrong_kind(session, name).await),
            (Err(error), None) => Err(match &self.target {
                Target::Schema { catalog, schema } => {
                    catalogs.schema_not_found(catalog, schema).await
                }
                _ => Error::from(error),
            }),
        }
    }

    /// Why a table or view was not found: perhaps it is of the other kind.
    async fn wrong_kind(&self, session: &Session, name: &TableName) -> Error {
        let catalogs = session.catalogs_of_user();
        let (kind, other) = match self.target {
            Target::View(_) => ("view", "table"),
            _ => ("table", "view"),
        };
        match catalogs.load(name).await {
            Ok(_) => Error::new(
                ErrorKind::InvalidStatement,
                format!("{:?} is a {other}, not a {kind}", name.to_string()),
            )
            .with_hint(format!("use DROP {}", other.to_uppercase())),
            Err(error) => error,
        }
    }
}
