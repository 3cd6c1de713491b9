//! The tasks of a worker: those that run, those that are waited for, and those that were and may not
//! come again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use datafusion_distributed::TaskKey;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::error::RemoteError;
use crate::query::Query;

/// A known task or envelope is swept out so long after it expired; clocks differ.
const GRACE: Duration = Duration::from_secs(60);

/// The tasks of a worker.
#[derive(Debug)]
pub struct Tasks {
    max_running: usize,
    is_draining: AtomicBool,
    known: Mutex<Known>,
    /// How many run.
    running: watch::Sender<usize>,
    /// A task has come.
    arrivals: Notify,
}

#[derive(Debug, Default)]
struct Known {
    tasks: HashMap<TaskKey, Arc<Task>>,
    /// The nonces of envelopes that were opened, until they expire.
    nonces: HashMap<[u8; 24], SystemTime>,
    swept_at: Option<SystemTime>,
}

/// A task that was sent here.
#[derive(Debug)]
pub(crate) struct Task {
    /// The part of the query that runs here.
    pub(crate) query: Arc<Query>,
    /// Whether the plan has been decoded, and can be executed.
    pub(crate) is_ready: watch::Sender<bool>,
    pub(crate) rows: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// How much a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskCounts {
    /// Tasks that run.
    pub running: usize,
    /// No new ones are taken.
    pub is_draining: bool,
}

/// Why a task is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// It was here before.
    Replayed,
    /// Too many run.
    Busy,
    /// The worker is about to stop.
    Draining,
}

impl Tasks {
    pub(super) fn new(max_running: usize) -> Self {
        let (is_draining, known) = (AtomicBool::new(false), Mutex::default());
        let (running, arrivals) = (watch::Sender::new(0), Notify::new());
        Self { max_running, is_draining, known, running, arrivals }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // It is changed by whole values only.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What runs.
    pub fn counts(&self) -> TaskCounts {
        let running = *self.running.borrow();
        TaskCounts { running, is_draining: self.is_draining.load(Ordering::Acquire) }
    }

    /// Takes no new tasks from now on.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    /// Waits until nothing runs.
    pub async fn idle(&self) {
        // The sender is here as long as this is.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }

    /// Ends all that runs.
    pub fn end_all(&self) {
        self.known().tasks.values().for_each(|task| task.query.end());
    }

    /// Whether an envelope is here for the first time. It is remembered until it expires.
    pub(crate) fn is_new(&self, nonce: [u8; 24], expires_at: SystemTime) -> bool {
        let mut known = self.known();
        known.sweep();
        known.nonces.insert(nonce, expires_at + GRACE).is_none()
    }

    /// Takes a task, which runs until [`Running`] is dropped.
    pub(crate) fn take(self: &Arc<Self>, key: TaskKey, query: Query) -> Result<Running, NotTaken> {
        if self.is_draining.load(Ordering::Acquire) {
            return Err(NotTaken::Draining);
        }
        let task = Arc::new(Task {
            query: Arc::new(query),
            is_ready: watch::Sender::new(false),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        {
            let mut known = self.known();
            if *self.running.borrow() >= self.max_running {
                return Err(NotTaken::Busy);
            }
            if known.tasks.contains_key(&key) {
                return Err(NotTaken::Replayed);
            }
            known.tasks.insert(key, Arc::clone(&task));
            self.running.send_modify(|running| *running += 1);
        }
        self.arrivals.notify_waiters();
        metrics::gauge!("sqe_worker_running_tasks").increment(1);
        metrics::counter!("sqe_worker_tasks_total").increment(1);
        Ok(Running { tasks: Arc::clone(self), key, task })
    }

    /// Waits until a task can be executed. Errors: why it ended before, or nothing where it did
    /// not come in time.
    pub(crate) async fn ready(
        &self,
        key: &TaskKey,
        limit: Duration,
    ) -> Result<Arc<Task>, Option<RemoteError>> {
        let task = timeout(limit, self.arrived(key)).await.map_err(|_| None)?;
        let mut is_ready = task.is_ready.subscribe();
        tokio::select! {
            biased;
            _ = is_ready.wait_for(|ready| *ready) => Ok(task),
            () = task.query.over().cancelled() => Err(task.query.failure()),
        }
    }

    async fn arrived(&self, key: &TaskKey) -> Arc<Task> {
        loop {
            let mut arrival = std::pin::pin!(self.arrivals.notified());
            // One that comes between the look and the wait counts too.
            arrival.as_mut().enable();
            if let Some(task) = self.known().tasks.get(key) {
                return Arc::clone(task);
            }
            arrival.await;
        }
    }
}

impl Known {
    fn sweep(&mut self) {
        let now = SystemTime::now();
        let due = self.swept_at.is_none_or(|at| now.duration_since(at).is_ok_and(|t| t > GRACE));
        if due {
            self.swept_at = Some(now);
            self.nonces.retain(|_, expires_at| *expires_at > now);
        }
    }
}

/// A task that runs. When this is dropped it is over.
#[derive(Debug)]
pub(crate) struct Running {
    tasks: Arc<Tasks>,
    pub(crate) key: TaskKey,
    pub(crate) task: Arc<Task>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.query.end();
        self.tasks.known().tasks.remove(&self.key);
        self.tasks.running.send_modify(|running| *running -= 1);
        metrics::gauge!("sqe_worker_running_tasks").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn key(task_number: usize) -> TaskKey {
        TaskKey { query_id: Uuid::from_u128(1), stage_id: 1, task_number }
    }

    fn query() -> Query {
        Query::new("ada".to_owned(), SystemTime::now() + Duration::from_secs(60))
    }

    #[tokio::test]
    async fn so_many_run_and_no_more() {
        let tasks = Arc::new(Tasks::new(2));
        let first = tasks.take(key(1), query()).unwrap();
        assert_eq!(tasks.take(key(1), query()).unwrap_err(), NotTaken::Replayed);
        let second = tasks.take(key(2), query()).unwrap();
        assert_eq!(tasks.take(key(3), query()).unwrap_err(), NotTaken::Busy);
        let over = first.task.query.over().clone();
        drop(first);
        assert!(over.is_cancelled());
        let third = tasks.take(key(3), query()).unwrap();
        tasks.drain();
        assert_eq!(tasks.take(key(4), query()).unwrap_err(), NotTaken::Draining);
        assert_eq!(tasks.counts(), TaskCounts { running: 2, is_draining: true });
        drop((second, third));
        tasks.idle().await;
    }

    #[test]
    fn an_envelope_is_new_once() {
        let tasks = Tasks::new(1);
        let later = SystemTime::now() + Duration::from_secs(60);
        assert!(tasks.is_new([1; 24], later));
        assert!(!tasks.is_new([1; 24], later));
        assert!(tasks.is_new([2; 24], later));
    }
}
