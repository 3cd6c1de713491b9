//! `INSERT INTO table [(columns)] query`.

use std::sync::Arc;

use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{LogicalPlan, WriteOp};
use datafusion::sql::parser::Statement as DfStatement;
use sqe_iceberg::Table;
use sqe_iceberg::provider::IcebergTable;
use sqe_iceberg::write;

use super::query::written;
use crate::catalogs::TableName;
use crate::plan::{Planner, resolve};
use crate::runtime::Entry;
use crate::{Error, ErrorKind, Output, Result, Session};

/// An INSERT whose target and sources are pinned to their snapshots.
#[derive(Debug)]
pub(crate) struct Insert {
    name: TableName,
    table: Table,
    input: Arc<LogicalPlan>,
}

pub(super) async fn plan(
    session: &Session,
    state: &SessionState,
    statement: DfStatement,
) -> Result<Insert> {
    let plan = Planner::new(session, state).plan(statement).await?;
    let LogicalPlan::Dml(dml) = plan else {
        return Err(Error::new(ErrorKind::Internal, "INSERT was not planned as a write"));
    };
    if dml.op != WriteOp::Insert(InsertOp::Append) {
        let what = format!("{} is not supported yet", dml.op.name());
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    let name = resolve(state, dml.table_name.clone());
    let provider = source_as_provider(&dml.target)?;
    let Some(target) = (provider.as_ref() as &dyn std::any::Any).downcast_ref::<IcebergTable>()
    else {
        let message = format!("{:?} is not a table that can be written to", name.to_string());
        return Err(Error::new(ErrorKind::Unsupported, message));
    };
    Ok(Insert { name, table: target.table().clone(), input: dml.input })
}

impl Insert {
    pub(super) async fn run(&self, session: &Session, entry: &Arc<Entry>) -> Result<Output> {
        let catalog = session.catalogs_of_user().writable(&self.name.catalog)?;
        let rows = written(session, entry, &self.input, |plan, context| {
            write::append(catalog, &self.table, plan, context)
        });
        Ok(Output::Done { affected: Some(rows.await?) })
    }
}
