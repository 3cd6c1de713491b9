//! Queries: SELECT, VALUES, EXPLAIN, COPY.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::parser::Statement as DfStatement;
use futures::FutureExt;

use crate::distributed::{self, Asked, Attempts, Planned};
use crate::plan::Planner;
use crate::planning::on_own_thread;
use crate::runtime::Entry;
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

    pub(super) async fn run(&self, session: &Session, entry: &Arc<Entry>) -> Result<Output> {
        let entry = Arc::clone(entry);
        let (session, state) = (session.clone(), Arc::new(session.snapshot()));
        let mut plan = Arc::clone(&self.plan);
        if session.engine().cluster().is_none() {
            let planned = physical_plan(&session, &entry, &state, &plan).await?;
            return Ok(Output::Rows(execute_stream(planned.plan, planned.context)?));
        }
        let is_analyze = match self.plan.as_ref() {
            LogicalPlan::Analyze(analyze) => {
                plan = Arc::clone(&analyze.input);
                true
            }
            _ => false,
        };
        let plan = move || {
            let (session, state, plan) = (session.clone(), Arc::clone(&state), Arc::clone(&plan));
            let entry = Arc::clone(&entry);
            async move { physical_plan(&session, &entry, &state, &plan).await }.boxed()
        };
        let run = if is_analyze { distributed::analyzed } else { distributed::rows };
        Ok(Output::Rows(run(self.schema(), Arc::new(plan))))
    }
}

/// A physical plan of its own for one run: one that has run is used up.
async fn physical_plan(
    session: &Session,
    entry: &Arc<Entry>,
    state: &Arc<SessionState>,
    plan: &Arc<LogicalPlan>,
) -> Result<Planned> {
    let (session, state, plan) = (session.clone(), Arc::clone(state), Arc::clone(plan));
    let entry = Arc::clone(entry);
    on_own_thread(move || async move {
        let engine = session.engine();
        match engine.cluster() {
            Some(cluster) => {
                let (user, timeout) = (&session.identity().user, engine.statement_timeout());
                let asked = Asked { state: &state, user, timeout, entry: &entry };
                cluster.plan(asked, &plan).await
            }
            None => Planned::local(&state, &plan).await,
        }
    })
    .await
}

/// Gives the physical plan of `query` to `write`, a new one where a worker was lost: then nothing
/// was committed, because the rows did not come to their end.
pub(super) async fn written<F: Future<Output = sqe_iceberg::Result<u64>>>(
    session: &Session,
    entry: &Arc<Entry>,
    query: &Arc<LogicalPlan>,
    write: impl Fn(Arc<dyn ExecutionPlan>, Arc<TaskContext>) -> F,
) -> Result<u64> {
    let state = Arc::new(session.snapshot());
    let mut attempts = Attempts::default();
    loop {
        let input = physical_plan(session, entry, &state, query).await?;
        let _over = input.over();
        match write(Arc::clone(&input.plan), Arc::clone(&input.context)).await {
            Ok(rows) => return Ok(rows),
            Err(error) if attempts.again(&error).await => {}
            Err(error) => return Err(input.cause(error.into())),
        }
    }
}
