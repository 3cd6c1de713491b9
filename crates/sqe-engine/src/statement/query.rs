//! Queries: SELECT, VALUES, EXPLAIN, COPY.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::parser::Statement as DfStatement;

use crate::plan::Planner;
use crate::planning::on_own_thread;
use crate::{Output, Result, Session};

/// A query whose tables are pinned to their snapshots.
#[derive(Debug)]
pub(crate) struct Query {
    plan: Arc<LogicalPlan>,
}

pub(super) async fn plan(
    session: &Session,
    state: &SessionState,
    statement: DfStatement,
) -> Result<Query> {
    if let Some(target) = copy_target(&statement) {
        session.engine().file_access().check_copy(target)?;
    }
    let plan = Planner::new(session, state).plan(statement).await?;
    Ok(Query { plan: Arc::new(explain_input_of_writes(plan)) })
}

/// Where a COPY writes to, which EXPLAIN ANALYZE runs as well.
fn copy_target(statement: &DfStatement) -> Option<&str> {
    match statement {
        DfStatement::CopyTo(copy) => Some(&copy.target),
        DfStatement::Explain(explain) => copy_target(&explain.statement),
        _ => None,
    }
}

/// The physical plan of a write is made where it runs; EXPLAIN shows the query below it.
fn explain_input_of_writes(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Explain(mut explain) => {
            if let LogicalPlan::Dml(dml) = explain.plan.as_ref() {
                explain.plan = Arc::clone(&dml.input);
            }
            LogicalPlan::Explain(explain)
        }
        other => other,
    }
}

impl Query {
    pub(super) fn schema(&self) -> SchemaRef {
        let schema = self.plan.schema().as_arrow();
        Arc::new(Schema::new(schema.fields().clone()))
    }

    pub(super) async fn run(&self, session: &Session) -> Result<Output> {
        let state = Arc::new(session.snapshot());
        let physical = physical_plan(&state, &self.plan).await?;
        Ok(Output::Rows(execute_stream(physical, state.task_ctx())?))
    }
}

/// A physical plan of its own for one run: one that has run is used up.
pub(super) async fn physical_plan(
    state: &Arc<SessionState>,
    plan: &Arc<LogicalPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let (state, plan) = (Arc::clone(state), Arc::clone(plan));
    on_own_thread(move || async move { Ok(state.create_physical_plan(&plan).await?) }).await
}
