//! `DESCRIBE table` and `DESCRIBE query`.

use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::execution::SessionState;

use super::rows::{Row, listing, text_schema};
use super::types::column_type;
use crate::parse;
use crate::plan::{Planner, resolve_name};
use crate::{Output, Result, Session};

/// The columns of something.
#[derive(Debug)]
pub(crate) struct Describe {
    columns: Vec<FieldRef>,
}

pub(super) async fn plan(
    session: &Session,
    state: &SessionState,
    statement: parse::Describe,
) -> Result<Describe> {
    let planner = Planner::new(session, state);
    let columns = match statement {
        parse::Describe::Table(name) => {
            let name = resolve_name(state, &name)?;
            planner.load(&name).await?.schema().fields().iter().cloned().collect()
        }
        parse::Describe::Query(query) => {
            let plan = planner.plan(query).await?;
            plan.schema().as_arrow().fields().iter().cloned().collect()
        }
    };
    Ok(Describe { columns })
}

impl Describe {
    pub(super) fn schema(&self) -> SchemaRef {
        text_schema(&["column_name", "data_type", "is_nullable"])
    }

    pub(super) fn run(&self) -> Result<Output> {
        listing(self.schema(), column_rows(&self.columns), None)
    }
}

/// Name, type and nullability of each column.
pub(super) fn column_rows(columns: &[FieldRef]) -> Vec<Row> {
    let row = |column: &FieldRef| {
        let nullable = if column.is_nullable() { "YES" } else { "NO" };
        vec![Some(column.name().clone()), Some(column_type(column)), Some(nullable.to_owned())]
    };
    columns.iter().map(row).collect()
}
