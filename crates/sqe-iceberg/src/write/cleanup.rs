//! Removing files of statements that did not succeed.
//!
//! A file is recorded before it is begun. Whoever may still write one holds a [`Files`]; when the
//! last is gone and nobody said [`Files::keep`], what was recorded is deleted by a task of its
//! own, because neither `Drop` nor a cancelled future can wait. Steps that cannot be taken back
//! when they are half done (a write that goes on in a blocking thread, a commit) run as tasks too,
//! so that they end before the deletion begins.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::durable;
use crate::storage::Storage;
use crate::{Error, ErrorKind, Result};

/// How long a failed statement waits for its files to be gone before it reports its error.
const PATIENCE: Duration = Duration::from_secs(30);

/// Files of one statement that are deleted at the same time.
const CONCURRENT_DELETES: usize = 8;

static TASKS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Waits until no commit and no deletion of files of failed statements is running in this process.
pub async fn wait_for_cleanup() {
    TASKS.close();
    TASKS.wait().await;
    TASKS.reopen();
}

/// The files of one statement. Clones share them.
#[derive(Clone)]
pub(super) struct Files(Arc<Recorded>);

struct Recorded {
    storage: Storage,
    /// The directory above all files; it and those below it are removed when they are left empty.
    root: String,
    /// The innermost directory around `root` that was there before the files.
    outer: Option<PathBuf>,
    locations: Mutex<HashMap<String, State>>,
    kept: AtomicBool,
    deleted: CancellationToken,
    runtime: Handle,
}

/// How far a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begun,
    /// A crash of the machine spares its bytes, but perhaps not its name.
    Written,
    Durable,
}

impl Files {
    /// No files yet. Must be called inside a runtime, whose threads later delete.
    pub(super) fn new(storage: Storage, root: &str) -> Self {
        Self(Arc::new(Recorded {
            storage,
            root: root.to_owned(),
            outer: durable::existing_directory(root),
            locations: Mutex::default(),
            kept: AtomicBool::new(false),
            deleted: CancellationToken::new(),
            runtime: Handle::current(),
        }))
    }

    pub(super) fn storage(&self) -> &Storage {
        &self.0.storage
    }

    /// Remembers a file that is about to be begun.
    pub(super) fn record(&self, location: &str) {
        self.0.locations().insert(location.to_owned(), State::Begun);
    }

    /// Makes the bytes of a finished file durable.
    pub(super) async fn sync(&self, location: &str) -> Result<()> {
        durable::sync_bytes(self.storage(), vec![location.to_owned()]).await?;
        self.0.locations().insert(location.to_owned(), State::Written);
        Ok(())
    }

    /// Makes all files durable, their names included. None of them may be in the making.
    pub(super) async fn sync_all(&self) -> Result<()> {
        let with = |wanted: &[State]| {
            let locations = self.0.locations();
            let found = locations.iter().filter(|(_, state)| wanted.contains(state));
            found.map(|(location, _)| location.clone()).collect::<Vec<_>>()
        };
        let (unwritten, unnamed) = (with(&[State::Begun]), with(&[State::Begun, State::Written]));
        durable::sync_bytes(self.storage(), unwritten).await?;
        durable::sync_names(self.storage(), unnamed, self.0.outer.clone()).await?;
        self.0.locations().values_mut().for_each(|state| *state = State::Durable);
        Ok(())
    }

    /// Deletes a single file now.
    pub(super) async fn delete(&self, location: &str) -> Result<()> {
        self.storage().delete(location).await?;
        self.0.locations().remove(location);
        Ok(())
    }

    /// The statement has succeeded, or nobody knows whether it has.
    pub(super) fn keep(&self) {
        self.0.kept.store(true, Ordering::Release);
    }

    /// Runs `step` to its end even if the returned future is dropped, and deletes nothing before.
    pub(super) async fn finish<T: Send + 'static>(
        &self,
        step: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let files = self.clone();
        let task = TASKS.spawn(async move {
            let result = step.await;
            drop(files);
            result
        });
        task.await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Internal, "a step of a write panicked").with_source(error))
        })
    }

    /// Runs `step` after the handle's owner is gone, and deletes nothing before it ended.
    pub(super) fn finish_later(&self, step: impl Future<Output = ()> + Send + 'static) {
        let files = self.clone();
        let task = async move {
            step.await;
            drop(files);
        };
        TASKS.spawn_on(task, &self.0.runtime);
    }

    /// Gives up this handle; where it is the last, waits until the files are gone.
    pub(super) async fn discard(self) {
        let deleted = self.0.deleted.clone();
        drop(self);
        // What takes longer goes on without us.
        let _ = tokio::time::timeout(PATIENCE, deleted.cancelled()).await;
    }
}

impl Recorded {
    fn locations(&self) -> std::sync::MutexGuard<'_, HashMap<String, State>> {
        // A map of strings has no state in between that a panic could leave behind.
        self.locations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let locations = std::mem::take(&mut *self.locations());
        let deleted = self.deleted.clone();
        if self.kept.load(Ordering::Acquire) || locations.is_empty() {
            deleted.cancel();
            return;
        }
        let (storage, root) = (self.storage.clone(), std::mem::take(&mut self.root));
        let task = async move {
            // Also when the runtime ends before this does.
            let _deleted = deleted.drop_guard();
            delete_all(&storage, &root, &locations).await;
        };
        TASKS.spawn_on(task, &self.runtime);
    }
}

async fn delete_all(storage: &Storage, root: &str, locations: &HashMap<String, State>) {
    let deletions = futures::stream::iter(locations.keys());
    let delete = async |location: &String| match storage.delete(location).await {
        Ok(()) => {}
        // Whoever may write need not be allowed to delete, and can do nothing about it.
        Err(error) if error.kind() == ErrorKind::Forbidden => {
            tracing::debug!(%location, %error, "file of a failed statement is left behind");
        }
        Err(error) => {
            tracing::warn!(%location, %error, "file of a failed statement is left behind");
        }
    };
    deletions.for_each_concurrent(CONCURRENT_DELETES, delete).await;
    if !storage.is_local() {
        return;
    }
    let Ok(root) = storage.path(root) else { return };
    let paths = locations.keys().filter_map(|location| storage.path(location).ok());
    let paths: Vec<_> = paths.collect();
    let remove = move || {
        for path in &paths {
            remove_empty_parents(path.as_ref(), root.as_ref());
        }
    };
    if let Err(error) = tokio::task::spawn_blocking(remove).await {
        tracing::warn!(%error, "empty directories of a failed statement are left behind");
    }
}

/// Paths are absolute but for their first slash. A directory that is not empty stays.
fn remove_empty_parents(file: &str, root: &str) {
    let parents = Path::new(file).ancestors().skip(1);
    for directory in parents.take_while(|directory| directory.starts_with(root)) {
        if std::fs::remove_dir(Path::new("/").join(directory)).is_err() {
            return;
        }
    }
}

/// `task`, which [`wait_for_cleanup`] waits for until it is dropped: one that is cancelled may be
/// the last that holds its files.
pub(super) fn track<F: Future>(task: F) -> impl Future<Output = F::Output> {
    TASKS.track_future(task)
}
