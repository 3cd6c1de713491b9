//! Planning computes for long without a pause: a statement of a thousand joins takes seconds. It
//! runs on a thread of its own, so that the threads that serve connections stay free.

use datafusion::common::runtime::SpawnedTask;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::{Error, ErrorKind, Result};

/// The value of the future that `plan` makes. Dropping this future lets the thread run to the next
/// place where the planning waits, and no further; nobody waits for it.
///
/// Errors: those of the planning; `Internal`, if it panics.
pub(crate) async fn on_own_thread<T, F>(plan: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    let (runtime, span, dropped) = (Handle::current(), Span::current(), CancellationToken::new());
    let _dropped = dropped.clone().drop_guard();
    let thread = SpawnedTask::spawn_blocking(move || {
        span.in_scope(|| runtime.block_on(dropped.run_until_cancelled_owned(plan())))
    });
    let cancelled = || Error::new(ErrorKind::Cancelled, "the planning was cancelled");
    match thread.join().await {
        Ok(planned) => planned.ok_or_else(cancelled)?,
        Err(error) if error.is_cancelled() => Err(cancelled()),
        Err(error) => Err(Error::new(ErrorKind::Internal, format!("the planning ended: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::deadline::Deadline;

    #[tokio::test]
    async fn a_deadline_does_not_wait_for_a_busy_planner() {
        let (finish, busy) = mpsc::channel::<()>();
        let planning = on_own_thread(move || {
            // Holds its thread until this test lets it go.
            let _ = busy.recv();
            std::future::ready(Ok(()))
        });
        let deadline = Deadline::after(Duration::from_millis(10));
        let error = deadline.bound(planning).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded);
        drop(finish);
    }

    #[tokio::test]
    async fn a_dropped_planner_ends_where_it_waits() {
        let (ended, end) = mpsc::channel::<()>();
        let planning = on_own_thread(move || async move {
            let _ended = ended;
            std::future::pending::<Result<()>>().await
        });
        let late = Deadline::after(Duration::from_millis(10)).bound(planning).await;
        assert_eq!(late.unwrap_err().kind, ErrorKind::DeadlineExceeded);
        assert_eq!(end.recv(), Err(mpsc::RecvError));
    }
}
