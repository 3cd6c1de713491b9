//! The tables of `system.runtime`, made from what is known at the moment.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use sqe_exchange::membership::NodeState;

use super::ledger::Entry;
use crate::{Error, ErrorKind, Result, Session};

/// The names of the tables.
pub(crate) const TABLES: [&str; 3] = ["nodes", "queries", "tasks"];

/// A table as the user of `session` may see it. Errors: `NotFound`.
pub(crate) fn table(session: &Session, name: &str) -> Result<Arc<dyn TableProvider>> {
    let columns = match name {
        "nodes" => nodes(session),
        "queries" => queries(session),
        "tasks" => tasks(session),
        _ => {
            let message = format!("table \"system.runtime.{name}\" not found");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
    };
    let fields =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)
        .map_err(datafusion::error::DataFusionError::from)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

type Columns = Vec<(&'static str, ArrayRef)>;

fn text<T: ToString>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    let values = values.map(|value| value.map(|value| value.to_string()));
    Arc::new(values.collect::<StringArray>())
}

fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(values.map(|value| i64::try_from(value).ok()).collect::<Int64Array>())
}

fn seconds(values: impl Iterator<Item = Option<Duration>>) -> ArrayRef {
    Arc::new(values.map(|value| value.map(|value| value.as_secs_f64())).collect::<Float64Array>())
}

fn moments(values: impl Iterator<Item = SystemTime>) -> ArrayRef {
    let micros = values.map(|moment| {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).ok()
    });
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn nodes(session: &Session) -> Columns {
    let nodes = session.engine().cluster().map(|cluster| cluster.workers().nodes());
    let nodes = nodes.unwrap_or_default();
    let state = |state: &NodeState| match state {
        NodeState::Active => "ACTIVE",
        NodeState::Draining => "DRAINING",
        NodeState::OtherBuild => "OTHER_BUILD",
        NodeState::Lost => "LOST",
    };
    let each = || nodes.iter().map(|(node, ..)| node);
    vec![
        ("node_id", text(each().map(|node| Some(node.address.incarnation())))),
        ("address", text(each().map(|node| Some(node.address.host())))),
        ("state", text(nodes.iter().map(|(_, found, _)| Some(state(found))))),
        ("build", text(each().map(|node| Some(&node.build)))),
        ("cores", numbers(each().map(|node| node.cores))),
        ("memory_bytes", numbers(each().map(|node| node.memory_bytes))),
        ("memory_used_bytes", numbers(each().map(|node| node.memory_used_bytes))),
        ("running_tasks", numbers(each().map(|node| node.running_tasks))),
        ("silent_seconds", seconds(nodes.iter().map(|(.., silent)| Some(*silent)))),
    ]
}

fn entries(session: &Session) -> Vec<Arc<Entry>> {
    let (engine, user) = (session.engine(), &session.identity().user);
    engine.ledger().seen_by(user, engine.is_operator(user))
}

fn queries(session: &Session) -> Columns {
    let entries = entries(session);
    let progress: Vec<_> = entries.iter().map(|entry| entry.progress()).collect();
    vec![
        ("query_id", text(entries.iter().map(|entry| Some(entry.id)))),
        ("user", text(entries.iter().map(|entry| Some(&entry.user)))),
        ("state", text(progress.iter().map(|progress| Some(progress.state())))),
        ("query", text(entries.iter().map(|entry| Some(&entry.text)))),
        ("started_at", moments(entries.iter().map(|entry| entry.started_at))),
        ("elapsed_seconds", seconds(entries.iter().map(|entry| Some(entry.elapsed())))),
        ("rows", numbers(progress.iter().map(|progress| progress.rows))),
        ("runs", numbers(progress.iter().map(|progress| progress.runs.len() as u64))),
        ("error", text(progress.iter().map(|progress| progress.error.as_ref()))),
    ]
}

fn tasks(session: &Session) -> Columns {
    let tasks: Vec<_> = entries(session)
        .into_iter()
        .flat_map(|entry| {
            let runs = entry.progress().runs.into_iter();
            runs.flat_map(|run| run.tasks()).map(move |(id, task)| (entry.id, id, task))
        })
        .collect();
    let state = |task: &sqe_exchange::TaskState| match (task.ended_after, &task.error) {
        (_, Some(_)) => "FAILED",
        (Some(_), None) => "FINISHED",
        (None, None) if task.accepted_after.is_some() => "RUNNING",
        (None, None) => "SENT",
    };
    let each = || tasks.iter().map(|(.., task)| task);
    vec![
        ("query_id", text(tasks.iter().map(|(query, ..)| Some(query)))),
        ("run_id", text(tasks.iter().map(|(_, id, _)| Some(id.query)))),
        ("stage", numbers(tasks.iter().map(|(_, id, _)| id.stage as u64))),
        ("task", numbers(tasks.iter().map(|(_, id, _)| id.task as u64))),
        ("worker", text(each().map(|task| Some(task.worker.host())))),
        ("state", text(each().map(|task| Some(state(task))))),
        ("sent_at", moments(each().map(|task| task.sent_at))),
        ("accepted_seconds", seconds(each().map(|task| task.accepted_after))),
        ("elapsed_seconds", seconds(each().map(|task| task.ended_after))),
        ("rows", numbers(each().map(|task| task.totals.rows))),
        ("read_bytes", numbers(each().map(|task| task.totals.read_bytes))),
        ("exchanged_bytes", numbers(each().map(|task| task.totals.exchanged_bytes))),
        ("spilled_bytes", numbers(each().map(|task| task.totals.spilled_bytes))),
        ("error", text(each().map(|task| task.error.as_ref()))),
    ]
}
