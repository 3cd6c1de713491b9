//! What a plan was made from, and whether it is still so: a statement that is prepared once and run
//! often must see the rows that others add in between.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::execution::SessionState;
use futures::future::join_all;
use sqe_iceberg::ViewMetadata;
use sqe_iceberg::provider::IcebergTable;

use crate::catalogs::{Catalogs, Relation, TableName};

/// The tables and views of one statement, also those below its views, as they were when it was
/// planned.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The catalog and the schema of unqualified names.
    defaults: (String, String),
    relations: Vec<(TableName, Version)>,
    /// Something was read that has no version, such as a listing of files.
    unversioned: bool,
}

/// Collects the sources of a statement. It travels in the state that the statement is planned
/// with, so that every planner of the statement finds it.
#[derive(Debug)]
pub(crate) struct SourceRecorder(Mutex<Sources>);

/// What tells a relation from what it was or will be.
#[derive(Debug, PartialEq)]
enum Version {
    /// The location of the metadata.
    Table(String),
    View(Box<ViewMetadata>),
    /// What never changes.
    Constant,
}

impl SourceRecorder {
    /// Begins to record what is planned with `state`.
    pub(crate) fn begin(state: &mut SessionState) -> Arc<Self> {
        let sources =
            Sources { defaults: defaults(state), relations: Vec::new(), unversioned: false };
        let recorder = Arc::new(Self(Mutex::new(sources)));
        state.config_mut().set_extension(Arc::clone(&recorder));
        recorder
    }

    /// What was recorded, once everything is planned.
    pub(crate) fn finish(&self) -> Sources {
        let mut sources = self.lock();
        let (defaults, unversioned) = (sources.defaults.clone(), sources.unversioned);
        Sources { defaults, relations: std::mem::take(&mut sources.relations), unversioned }
    }

    /// Records a relation, if anybody wants to know.
    pub(super) fn record(state: &SessionState, name: &TableName, relation: &Relation) {
        if let Some(recorder) = state.config().get_extension::<Self>() {
            recorder.lock().relations.push((name.clone(), Version::of(relation)));
        }
    }

    /// Records that something was read whose changes cannot be seen.
    pub(super) fn record_unversioned(state: &SessionState) {
        if let Some(recorder) = state.config().get_extension::<Self>() {
            recorder.lock().unversioned = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sources> {
        // A list has no state in between that a panic could leave behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sources {
    /// Whether planning with `state` now would give the same plan.
    pub(crate) async fn are_current(&self, state: &SessionState, catalogs: &Catalogs) -> bool {
        if self.unversioned || self.defaults != defaults(state) {
            return false;
        }
        let checks = self.relations.iter().map(|(name, version)| async move {
            match version {
                Version::Constant => true,
                _ => catalogs.load(name).await.is_ok_and(|now| Version::of(&now) == *version),
            }
        });
        join_all(checks).await.into_iter().all(|current| current)
    }
}

impl Version {
    fn of(relation: &Relation) -> Self {
        match relation {
            Relation::Table(table) => {
                match (table.as_ref() as &dyn Any).downcast_ref::<IcebergTable>() {
                    Some(iceberg) => Self::Table(iceberg.table().metadata_location.clone()),
                    None => Self::Constant,
                }
            }
            Relation::View(view) => Self::View(Box::new(view.clone())),
        }
    }
}

fn defaults(state: &SessionState) -> (String, String) {
    let catalog = &state.config_options().catalog;
    (catalog.default_catalog.clone(), catalog.default_schema.clone())
}
