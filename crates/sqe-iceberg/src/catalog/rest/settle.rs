//! Changes whose outcome is unknown: the answer was lost, or it says nothing. What became of them
//! is read back, never guessed.

use serde::de::IgnoredAny;

use super::call::Answer;
use super::failure::Failure;
use crate::{Error, ErrorKind, Result};

/// Ends a request that changes something. `done` looks whether the catalog shows the change; it is
/// only asked where the answer does not tell.
///
/// Errors: that of the request where nothing was done; `Unavailable` where the change may be done
/// but does not show, which does not prove that it will not show later.
pub(super) async fn settle(
    sent: Result<Answer, Failure>,
    done: impl Future<Output = Result<bool>>,
) -> Result<()> {
    let failure = match sent.and_then(check) {
        Ok(()) => return Ok(()),
        Err(failure) if !failure.maybe_done => return Err(failure.error),
        Err(failure) => failure,
    };
    let shown = done.await;
    tracing::debug!(error = %failure.error, ?shown, "unknown outcome of a change is read back");
    if matches!(shown, Ok(true)) {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Unavailable, "the outcome of a change is not known");
    Err(error.with_source(failure.error))
}

/// A page of some other server with status 200 is not taken for a success.
fn check(answer: Answer) -> Result<(), Failure> {
    let plausible =
        answer.body.is_empty() || serde_json::from_slice::<IgnoredAny>(&answer.body).is_ok();
    match plausible {
        true => Ok(()),
        false => Err(answer.bad("with something that is not JSON")),
    }
}
