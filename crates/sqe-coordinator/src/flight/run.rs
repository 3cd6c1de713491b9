//! One run of a statement: cancellable, bounded in time, inside its span.

use std::future::Future;

use datafusion::execution::SendableRecordBatchStream;
use sqe_engine::{Error, ErrorKind, Output, Prepared, Result};
use tracing::{Instrument, Span, info_span};
use uuid::Uuid;

use super::deadline::Deadline;
use crate::session::{ClientSession, Running};

/// A statement that runs. Whoever drops it ends it.
///
/// The engine's futures are boxed: they are large, and every layer around them would copy them.
pub(crate) struct Run {
    running: Running,
    deadline: Deadline,
    span: Span,
}

impl Run {
    pub(crate) fn new(running: Running, deadline: Deadline) -> Self {
        let query_id = running.query_id();
        let span = info_span!("statement", %query_id, user = running.session().user());
        Self { running, deadline, span }
    }

    /// Names the statement to users and in logs.
    pub(crate) fn query_id(&self) -> Uuid {
        self.running.query_id()
    }

    /// The session it runs in.
    pub(crate) fn session(&self) -> &ClientSession {
        self.running.session()
    }

    /// The result of `work`, unless the statement is cancelled or its time is over; then `work` is
    /// dropped.
    pub(crate) async fn bounded<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let cancellable = async {
            tokio::select! {
                biased;
                error = self.running.cancelled() => Err(error),
                done = work => Ok(done),
            }
        };
        let bounded = self.deadline.enforce(cancellable);
        bounded.instrument(self.span.clone()).await?
    }

    /// Parses and plans `sql`, which is at most `max_bytes` long.
    pub(crate) async fn prepare(&self, sql: &str, max_bytes: usize) -> Result<Prepared> {
        if sql.len() > max_bytes {
            let bytes = sql.len();
            let message = format!("a statement of {bytes} bytes is above the limit of {max_bytes}");
            return Err(Error::new(ErrorKind::InvalidStatement, message));
        }
        self.bounded(Box::pin(self.session().engine().prepare(sql))).await?
    }

    /// `prepared` over what its tables are now. Errors: `Conflict`, if it would answer other columns
    /// than the client was told.
    pub(crate) async fn renew(&self, prepared: &Prepared) -> Result<Prepared> {
        let renewed = self.bounded(Box::pin(prepared.renewed())).await??;
        if renewed.schema() == prepared.schema() {
            return Ok(renewed);
        }
        let message = "the columns of the statement have changed since it was prepared";
        Err(Error::new(ErrorKind::Conflict, message).with_hint("prepare it again"))
    }

    /// Runs a statement that answers no rows; gives the number of rows it wrote, -1 if unknown.
    pub(crate) async fn update(&self, prepared: &Prepared) -> Result<i64> {
        match self.bounded(Box::pin(prepared.execute())).await?? {
            Output::Done { affected: None } => Ok(-1),
            Output::Done { affected: Some(rows) } => Ok(i64::try_from(rows).unwrap_or(i64::MAX)),
            Output::Rows(_) => Err(defect("an update answered rows")),
        }
    }

    /// Starts a statement that answers rows.
    pub(crate) async fn query(&self, prepared: &Prepared) -> Result<SendableRecordBatchStream> {
        match self.bounded(Box::pin(prepared.execute())).await?? {
            Output::Rows(rows) => Ok(rows),
            Output::Done { .. } => Err(defect("a query answered no rows")),
        }
    }
}

fn defect(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}
