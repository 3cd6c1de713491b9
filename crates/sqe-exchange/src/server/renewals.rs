//! New keys for the stores of a task. The worker has nobody to ask but the coordinator, which asks
//! the catalog as the user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::error::Result;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Errors, RemoteError};

type Answer = Result<Vec<u8>, RemoteError>;

/// Asks the coordinator of a task for new keys.
#[derive(Debug)]
pub struct Renewal {
    requests: mpsc::UnboundedSender<u64>,
    waiting: Mutex<HashMap<u64, Vec<oneshot::Sender<Answer>>>>,
    errors: Arc<dyn Errors>,
}

impl Renewal {
    pub(super) fn new(errors: Arc<dyn Errors>) -> (Arc<Self>, mpsc::UnboundedReceiver<u64>) {
        let (requests, inbox) = mpsc::unbounded_channel();
        (Arc::new(Self { requests, waiting: Mutex::default(), errors }), inbox)
    }

    /// The access to a store with new keys, as bytes. Errors: why there are none.
    pub async fn renew(&self, storage: u64) -> Result<Vec<u8>> {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = waiting.entry(storage).or_default();
            waiting.push(answer);
            if waiting.len() == 1 {
                // Nobody listens once the task is over, and then nobody answers.
                let _ = self.requests.send(storage);
            }
        }
        let over = || self.errors.timed_out("the task is over");
        let answered = answered.await.unwrap_or_else(|_| Err(over()));
        answered.map_err(|error| self.errors.to_local(error))
    }

    pub(super) fn answer(&self, storage: u64, answer: &Answer) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for waiting in waiting.remove(&storage).unwrap_or_default() {
            let _ = waiting.send(answer.clone());
        }
    }

    /// Nobody answers any more.
    pub(super) fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
