//! The Flight SQL protocol. `front` lists the calls, `info`, `get`, `put` and `actions` list the
//! commands of each, and one file per command family does the work.

mod actions;
mod call;
mod cancel;
mod deadline;
mod front;
mod get;
mod handle;
mod info;
mod messages;
mod metadata;
mod prepared;
mod put;
mod run;
mod session_actions;
mod statement;
pub(crate) mod status;
mod wire;

use std::sync::Arc;

use sqe_engine::{Engine, Result};
use sqe_exchange::membership::Workers;
use tokio_util::sync::CancellationToken;

use crate::auth::{Authenticator, Sessions};
use crate::options::CoordinatorOptions;
pub(crate) use front::Front;

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) options: CoordinatorOptions,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) authenticator: Authenticator,
    /// Those that join this coordinator, if it takes any.
    pub(crate) workers: Option<Arc<Workers>>,
    /// Cancelled when everything that runs must end.
    pub(crate) stop: CancellationToken,
}

impl Service {
    pub(crate) fn new(engine: Engine, options: CoordinatorOptions) -> Result<Self> {
        let stop = CancellationToken::new();
        let sessions = Arc::new(Sessions::new(options.sessions.clone(), stop.clone()));
        let workers = engine.cluster().map(|cluster| Arc::clone(cluster.workers()));
        let authenticator = Authenticator::new(engine, &options.auth, Arc::clone(&sessions))?;
        Ok(Self { authenticator, workers, options, sessions, stop })
    }
}
