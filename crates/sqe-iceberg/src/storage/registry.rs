//! The storages of one session, by the numbers that plans name them by.

use std::collections::HashMap;

use datafusion::common::internal_datafusion_err;
use datafusion::execution::TaskContext;

use super::Storage;

/// The storages that the plans of a session may read from, opened for the one user of the session.
/// It is an extension of the session's configuration, so that no other session finds them.
#[derive(Debug, Default, Clone)]
pub struct Storages(HashMap<u64, Storage>);

impl Storages {
    /// The storage with this number, if there is one.
    pub fn get(&self, id: u64) -> Option<&Storage> {
        self.0.get(&id)
    }

    /// The storage with this number among those of the session of `context`.
    /// Errors: internal where it is not one of them.
    pub fn find(context: &TaskContext, id: u64) -> datafusion::common::Result<Storage> {
        let storages = context.session_config().get_extension::<Self>();
        storages.and_then(|storages| storages.get(id).cloned()).ok_or_else(|| {
            internal_datafusion_err!("storage {id} of a scan is not among those of its session")
        })
    }
}

impl FromIterator<Storage> for Storages {
    fn from_iter<T: IntoIterator<Item = Storage>>(storages: T) -> Self {
        Self(storages.into_iter().map(|storage| (storage.id(), storage)).collect())
    }
}
