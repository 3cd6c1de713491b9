//! `CREATE TABLE`, with or without a query.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as DfStatement;
use sqe_iceberg::create::{NewTable, PartitionBy};
use sqe_iceberg::{Transform, schema, write};
use sqlparser::ast::Statement as SqlStatement;

use super::query::written;
use super::types;
use crate::catalogs::{INFORMATION_SCHEMA, TableName};
use crate::parse::{self, PartitionField};
use crate::plan::{Planner, name_parts, resolve_name};
use crate::runtime::Entry;
use crate::suggest::hint_nearest;
use crate::{Error, ErrorKind, Output, Result, Session};

/// A table to create.
#[derive(Debug)]
pub(crate) struct CreateTable {
    name: TableName,
    if_not_exists: bool,
    table: NewTable,
    query: Option<Arc<LogicalPlan>>,
}

const TRANSFORMS: [&str; 8] =
    ["identity", "bucket", "truncate", "year", "month", "day", "hour", "void"];

pub(super) async fn plan(
    session: &Session,
    state: &SessionState,
    statement: parse::CreateTable,
) -> Result<CreateTable> {
    let name = resolve_name(state, &statement.name)?;
    session.catalogs_of_user().writable(&name.catalog)?;
    if name.schema == INFORMATION_SCHEMA {
        let message = format!("schema {INFORMATION_SCHEMA:?} is read-only");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let query = match statement.query {
        Some(query) => {
            if !statement.columns.is_empty() {
                return Err(Error::new(
                    ErrorKind::InvalidStatement,
                    "CREATE TABLE .. AS takes its columns from the query",
                )
                .with_hint("name and cast the columns in the query"));
            }
            let query = DfStatement::Statement(Box::new(SqlStatement::Query(query)));
            Some(Arc::new(Planner::new(session, state).plan(query).await?))
        }
        None => None,
    };
    let schema = match &query {
        Some(plan) => query_schema(plan)?,
        None => types::schema(&statement.columns)?,
    };
    if let Some(location) = &statement.location {
        session.engine().file_access().check_location(location)?;
    }
    let properties = statement.properties.into_iter().collect::<HashMap<_, _>>();
    session.engine().file_access().check_properties(&properties)?;
    let partitioning = statement.partitioned_by.iter().map(partition_by);
    let table = NewTable {
        ident: name.ident()?,
        schema,
        partitioning: partitioning.collect::<Result<_>>()?,
        properties,
        location: statement.location,
    };
    table.check()?;
    Ok(CreateTable { name, if_not_exists: statement.if_not_exists, table, query })
}

/// Columns of a new table may all be null: that none is now says nothing about later rows.
fn query_schema(plan: &LogicalPlan) -> Result<sqe_iceberg::Schema> {
    let columns = plan.schema().as_arrow().fields();
    let mut names = std::collections::HashSet::new();
    if let Some(twice) = columns.iter().find(|column| !names.insert(column.name())) {
        let message = format!("column {:?} is given twice", twice.name());
        return Err(Error::new(ErrorKind::InvalidStatement, message)
            .with_hint("give the columns of the query different names"));
    }
    let nullable = columns.iter().map(|column| column.as_ref().clone().with_nullable(true));
    let nullable = arrow::datatypes::Schema::new(nullable.collect::<Vec<_>>());
    Ok(schema::from_arrow(&nullable)?)
}

fn partition_by(field: &PartitionField) -> Result<PartitionBy> {
    let column = name_parts(&field.column)?.join(".");
    let (name, place) = (field.transform.as_str(), field.place);
    let parameter = |what: &str| match field.parameter.map(u32::try_from) {
        Some(Ok(parameter)) if parameter > 0 => Ok(parameter),
        _ => {
            let message = format!("{name} needs {what} from 1, as in {name}(16, {column})");
            Err(Error::new(ErrorKind::InvalidStatement, message).at(place))
        }
    };
    let transform = match name {
        "bucket" => Transform::Bucket(parameter("a number of buckets")?),
        "truncate" => Transform::Truncate(parameter("a width")?),
        known if field.parameter.is_some() && is_known(known) => {
            let message = format!("{name} takes no number");
            return Err(Error::new(ErrorKind::InvalidStatement, message).at(place));
        }
        "identity" => Transform::Identity,
        "year" | "years" => Transform::Year,
        "month" | "months" => Transform::Month,
        "day" | "days" | "date" => Transform::Day,
        "hour" | "hours" => Transform::Hour,
        "void" => Transform::Void,
        other => {
            let message = format!("partition transform {other:?} is not known");
            let error = Error::new(ErrorKind::InvalidStatement, message).at(place);
            return Err(hint_nearest(error, other, TRANSFORMS));
        }
    };
    Ok(PartitionBy { column, transform })
}

/// Spark says `months`, Trino `month`.
fn is_known(transform: &str) -> bool {
    let singular = transform.strip_suffix('s').unwrap_or(transform);
    TRANSFORMS.contains(&transform) || ["year", "month", "day", "hour"].contains(&singular)
}

impl CreateTable {
    pub(super) async fn run(&self, session: &Session, entry: &Arc<Entry>) -> Result<Output> {
        let catalogs = session.catalogs_of_user();
        let catalog = catalogs.writable(&self.name.catalog)?;
        if !catalogs.has_schema(&self.name.catalog, &self.name.schema).await? {
            return Err(catalogs.schema_not_found(&self.name.catalog, &self.name.schema).await);
        }
        // Looked up before the query runs, which may take long; the catalog decides at the end.
        let taken = catalogs.is_taken(&self.name).await?;
        if taken {
            return self.already_there();
        }
        let created = match &self.query {
            Some(query) => {
                let rows = written(session, entry, query, |plan, context| {
                    write::create_table_as(catalog, self.table.clone(), plan, context)
                });
                rows.await.map(Some)
            }
            None => match self.table.create(catalog.as_ref()).await {
                Ok(_) => Ok(None),
                Err(error) => Err(error.into()),
            },
        };
        match created {
            Ok(affected) => Ok(Output::Done { affected }),
            Err(error) if error.kind == ErrorKind::AlreadyExists => self.already_there(),
            Err(error) => Err(error),
        }
    }

    fn already_there(&self) -> Result<Output> {
        match self.if_not_exists {
            true => Ok(Output::Done { affected: None }),
            false => Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("table {:?} exists already", self.name.to_string()),
            )),
        }
    }
}
