//! What the nodes of a query share about it while it runs. It hangs on the session of the query as
//! an extension: on the coordinator that of the statement, on workers that of the task.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::TaskKey;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::address::WorkerAddress;
use crate::error::RemoteError;
use crate::fragment::Grant;

/// Hands out the access to the stores of a query.
#[async_trait]
pub trait Renewals: fmt::Debug + Send + Sync {
    /// The access to each store that `plan` reads, with keys that hold for a while.
    async fn grants(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<Grant>>;

    /// The access to one of them, with new keys.
    async fn renew(&self, storage: u64) -> Result<Vec<u8>>;
}

/// A task as people and system tables name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// Of the run of the plan: a query that is run again has another one.
    pub query: Uuid,
    /// From 1.
    pub stage: usize,
    /// From 0.
    pub task: usize,
}

impl From<TaskKey> for TaskId {
    fn from(key: TaskKey) -> Self {
        Self { query: key.query_id, stage: key.stage_id, task: key.task_number }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.query, self.stage, self.task)
    }
}

/// How far a task is, as its coordinator knows.
#[derive(Debug, Clone)]
pub struct TaskState {
    /// Where it runs.
    pub worker: WorkerAddress,
    /// When it was sent.
    pub sent_at: SystemTime,
    /// From sending to the worker's acceptance.
    pub accepted_after: Option<Duration>,
    /// From sending to its end.
    pub ended_after: Option<Duration>,
    /// What the worker counted, after the end.
    pub totals: TaskTotals,
    /// Why it failed.
    pub error: Option<String>,
}

/// What a task did in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskTotals {
    /// Rows that it gave to its consumers.
    pub rows: u64,
    /// Bytes of those on the wire.
    pub exchanged_bytes: u64,
    /// Bytes that its scans read.
    pub read_bytes: u64,
    /// Bytes that its operators wrote to disk.
    pub spilled_bytes: u64,
}

/// A query, or the part of it that runs on one worker.
pub struct Query {
    /// Who asked.
    pub user: String,
    /// Settings that are not the default.
    pub options: HashMap<String, String>,
    /// When all that is left of it ends.
    pub expires_at: SystemTime,
    /// W3C trace context, empty without one.
    pub trace_parent: String,
    /// The access to its stores; none on workers, which ask the coordinator.
    pub renewals: Option<Arc<dyn Renewals>>,
    over: CancellationToken,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The first that went wrong: what comes after it follows from it.
    failure: Option<RemoteError>,
    tasks: HashMap<TaskKey, TaskState>,
}

impl Query {
    /// A query that has not begun.
    pub fn new(user: String, expires_at: SystemTime) -> Self {
        Self {
            user,
            options: HashMap::new(),
            expires_at,
            trace_parent: String::new(),
            renewals: None,
            over: CancellationToken::new(),
            state: Mutex::default(),
        }
    }

    /// The query that a task belongs to.
    pub fn of(task: &TaskContext) -> Option<Arc<Self>> {
        task.session_config().get_extension::<Self>()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It is changed by whole values only.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it for a reason; the first one counts.
    pub fn fail(&self, error: RemoteError) {
        self.state().failure.get_or_insert(error);
        self.over.cancel();
    }

    /// Why it ended before its time.
    pub fn failure(&self) -> Option<RemoteError> {
        self.state().failure.clone()
    }

    /// Ends it without a reason: nobody waits for it any more.
    pub fn end(&self) {
        self.over.cancel();
    }

    /// Cancelled when it is over.
    pub fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// What is left of its time.
    pub(crate) fn time_left(&self) -> Duration {
        self.expires_at.duration_since(SystemTime::now()).unwrap_or_default()
    }

    /// Its tasks, sorted.
    pub fn tasks(&self) -> Vec<(TaskId, TaskState)> {
        let tasks = self.state().tasks.clone().into_iter();
        let mut tasks: Vec<_> = tasks.map(|(key, state)| (key.into(), state)).collect();
        tasks.sort_by_key(|(id, _)| *id);
        tasks
    }

    pub(crate) fn sent(&self, key: TaskKey, worker: WorkerAddress) {
        let task = TaskState {
            worker,
            sent_at: SystemTime::now(),
            accepted_after: None,
            ended_after: None,
            totals: TaskTotals::default(),
            error: None,
        };
        self.state().tasks.insert(key, task);
    }

    pub(crate) fn change(&self, key: TaskKey, change: impl FnOnce(&mut TaskState)) {
        if let Some(task) = self.state().tasks.get_mut(&key) {
            change(task);
        }
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The moment when so much time will have gone by, or one that is far away.
pub(crate) fn after(time: Duration) -> tokio::time::Instant {
    const FAR: Duration = Duration::from_secs(30 * 86_400);
    tokio::time::Instant::from_std(Instant::now() + time.min(FAR))
}
