//! The statements of a process, those that run and the last ones that have ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;
use sqe_exchange::Query;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Error, ErrorKind, Result};

/// So many statements that have ended are remembered.
const REMEMBERED: usize = 1000;

/// So much of the text of a statement is remembered, in characters.
const MAX_TEXT: usize = 10_000;

/// All statements of a process.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Mutex<VecDeque<Arc<Entry>>>,
}

/// One statement.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: Uuid,
    pub(crate) user: String,
    pub(crate) text: String,
    pub(crate) started_at: SystemTime,
    began: Instant,
    /// Cancelled when an operator ends the statement.
    killed: CancellationToken,
    progress: Mutex<Progress>,
}

/// How far a statement is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) rows: u64,
    /// The runs of its plans on workers, subqueries and runs after a loss included.
    pub(crate) runs: Vec<Arc<Query>>,
    pub(crate) ended_after: Option<Duration>,
    pub(crate) error: Option<Error>,
    kill_reason: Option<String>,
}

impl Ledger {
    fn entries(&self) -> MutexGuard<'_, VecDeque<Arc<Entry>>> {
        // It is changed by whole entries only.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A statement begins.
    pub(crate) fn begin(&self, user: &str, text: &str) -> Arc<Entry> {
        let entry = Arc::new(Entry {
            id: Uuid::now_v7(),
            user: user.to_owned(),
            text: text.chars().take(MAX_TEXT).collect(),
            started_at: SystemTime::now(),
            began: Instant::now(),
            killed: CancellationToken::new(),
            progress: Mutex::default(),
        });
        let mut entries = self.entries();
        entries.push_back(Arc::clone(&entry));
        if entries.len() > REMEMBERED
            && let Some(oldest) = entries.iter().position(|entry| entry.progress().ended())
        {
            entries.remove(oldest);
        }
        entry
    }

    /// The statements that a user may see, in the order in which they began.
    pub(crate) fn seen_by(&self, user: &str, is_operator: bool) -> Vec<Arc<Entry>> {
        let entries = self.entries();
        entries.iter().filter(|entry| is_operator || entry.user == user).cloned().collect()
    }
}

impl Progress {
    fn ended(&self) -> bool {
        self.ended_after.is_some()
    }

    /// `RUNNING`, `FINISHED`, `CANCELLED` or `FAILED`.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.ended_after, &self.error) {
            (None, _) => "RUNNING",
            (Some(_), None) => "FINISHED",
            (Some(_), Some(error)) if error.kind == ErrorKind::Cancelled => "CANCELLED",
            (Some(_), Some(_)) => "FAILED",
        }
    }
}

impl Entry {
    pub(crate) fn progress(&self) -> Progress {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Each field is a value of its own.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it has run, or did.
    pub(crate) fn elapsed(&self) -> Duration {
        self.lock().ended_after.unwrap_or_else(|| self.began.elapsed())
    }

    /// A plan of it runs on workers.
    pub(crate) fn runs(&self, query: &Arc<Query>) {
        self.lock().runs.push(Arc::clone(query));
    }

    /// Ends it, as if it were cancelled by its client, but with a reason.
    pub(crate) fn kill(&self, reason: &str) {
        self.lock().kill_reason.get_or_insert(reason.to_owned());
        self.killed.cancel();
    }

    fn killed(&self) -> Error {
        let reason = self.lock().kill_reason.clone().unwrap_or_default();
        Error::new(ErrorKind::Cancelled, format!("the query was killed: {reason}"))
    }

    /// What `work` answers, unless the statement is killed.
    pub(crate) async fn bound<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.killed.run_until_cancelled(work).await {
            Some(done) => done,
            None => Err(self.killed()),
        }
    }

    /// The rows of the statement, which ends with them.
    pub(crate) fn follow(
        self: Arc<Self>,
        rows: SendableRecordBatchStream,
        end: End,
    ) -> SendableRecordBatchStream {
        let schema = rows.schema();
        let counted = rows.inspect_ok(move |batch| end.0.lock().rows += batch.num_rows() as u64);
        let killed = self.killed.clone();
        let entry = Arc::clone(&self);
        let bounded = futures::stream::unfold(Some(counted), move |rows| {
            let (killed, entry) = (killed.clone(), Arc::clone(&entry));
            async move {
                let mut rows = rows?;
                let next = killed.run_until_cancelled(rows.try_next()).await;
                match next.unwrap_or_else(|| Err(entry.killed().into())) {
                    Ok(Some(batch)) => Some((Ok(batch), Some(rows))),
                    Ok(None) => {
                        entry.end(0, None);
                        None
                    }
                    Err(error) => {
                        entry.end(0, Some(Error::from_shared(&error)));
                        Some((Err(error), None))
                    }
                }
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, bounded))
    }

    /// What ends it at the latest when it is dropped.
    pub(crate) fn ends_with(self: &Arc<Self>) -> End {
        End(Arc::clone(self))
    }

    /// It has ended, after `more` rows than were counted; the first end counts.
    pub(crate) fn end(&self, more: u64, error: Option<Error>) {
        let mut progress = self.lock();
        if progress.ended_after.is_none() {
            progress.rows += more;
            progress.ended_after = Some(self.began.elapsed());
            progress.error = error;
        }
    }
}

/// A statement that nobody waits for any more has ended.
pub(crate) struct End(Arc<Entry>);

impl Drop for End {
    fn drop(&mut self) {
        let dropped = Error::new(ErrorKind::Cancelled, "its client went away or had enough");
        self.0.end(0, Some(dropped));
    }
}
