//! The sessions in which tasks run. What a session needs was opened with the fragment; it waits here
//! until datafusion-distributed asks for the session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion_distributed::{TaskKey, WorkerQueryContext, WorkerSessionBuilder};
use http::{HeaderMap, HeaderValue};

use super::renewals::Renewal;
use crate::fragment::Grant;
use crate::query::{Query, TaskId};

/// The header that names the task.
const TASK: &str = "sqe-task";

/// A task whose session is to be made.
#[derive(Debug)]
pub struct OpenedTask {
    /// Who asked, settings, deadline.
    pub query: Arc<Query>,
    /// The stores that it may read.
    pub grants: Vec<Grant>,
    /// Asks for new keys.
    pub renewal: Arc<Renewal>,
}

/// Makes the sessions in which tasks run.
#[async_trait]
pub trait TaskSessions: std::fmt::Debug + Send + Sync {
    /// The session of a task. `builder` has the memory pool and what datafusion-distributed put
    /// into its configuration, which must stay there.
    async fn session(&self, builder: SessionStateBuilder, task: OpenedTask)
    -> Result<SessionState>;
}

/// Tasks that wait for their sessions.
#[derive(Debug, Clone, Default)]
pub(super) struct Opened(Arc<Mutex<HashMap<String, OpenedTask>>>);

impl Opened {
    /// Keeps a task until its session is asked for with `headers`.
    pub(super) fn put(&self, key: TaskKey, task: OpenedTask, headers: &mut HeaderMap) {
        let name = TaskId::from(key).to_string();
        if let Ok(value) = HeaderValue::from_str(&name) {
            headers.insert(TASK, value);
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, task);
    }

    fn take(&self, headers: &HeaderMap) -> Option<OpenedTask> {
        let name = headers.get(TASK)?.to_str().ok()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    pub(super) fn builder(
        &self,
        sessions: Arc<dyn TaskSessions>,
    ) -> impl WorkerSessionBuilder + Send + Sync + 'static {
        Builder { opened: self.clone(), sessions }
    }
}

struct Builder {
    opened: Opened,
    sessions: Arc<dyn TaskSessions>,
}

#[async_trait]
impl WorkerSessionBuilder for Builder {
    async fn build_session_state(&self, context: WorkerQueryContext) -> Result<SessionState> {
        match self.opened.take(&context.headers) {
            Some(task) => self.sessions.session(context.builder, task).await,
            None => internal_err!("a task came without its fragment"),
        }
    }
}
