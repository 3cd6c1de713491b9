//! Connections to the database file: how they are set up, where they run, and transactions.
//!
//! Every use of a connection runs on a thread that may block. What is stored in the tables is
//! known elsewhere.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::Semaphore;

use crate::{Error, ErrorKind, Result};

/// Jobs that run at once, which bounds the connections and the blocked threads.
const MAX_JOBS: usize = 8;

/// How long a writer waits for the writers of other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL,
    table_namespace VARCHAR(255) NOT NULL,
    table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000),
    previous_metadata_location VARCHAR(1000),
    iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name)
);
CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL,
    namespace VARCHAR(255) NOT NULL,
    property_key VARCHAR(255) NOT NULL,
    property_value VARCHAR(1000),
    PRIMARY KEY (catalog_name, namespace, property_key)
);";

/// The database file.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    jobs: Arc<Semaphore>,
    /// Held while writing, so that the writers of one process queue here instead of polling the
    /// lock of the file.
    writer: Mutex<()>,
}

/// Why a transaction did not end well.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was changed.
    Unchanged(Error),
    /// The storage failed under the commit, so the change may or may not be there.
    Unknown(Error),
}

impl Failure {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Unchanged(error) | Self::Unknown(error) => error,
        }
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Unchanged(error.into())
    }
}

impl Database {
    /// Opens the file and creates it, its directory and its tables where they are missing.
    pub(super) async fn open(path: PathBuf) -> Result<Arc<Self>> {
        let jobs = Arc::new(Semaphore::new(MAX_JOBS));
        let database = Self { path, idle: Mutex::default(), jobs, writer: Mutex::default() };
        let database = Arc::new(database);
        database.prepare().await.map_err(|error| {
            let context = format!("catalog file {}", database.path.display());
            Error::new(error.kind(), context).with_source(error)
        })?;
        Ok(database)
    }

    async fn prepare(self: &Arc<Self>) -> Result<()> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory).map_err(|error| {
                let message = "its directory cannot be made";
                Error::new(ErrorKind::Unavailable, message).with_source(error)
            })?;
        }
        let database = Arc::clone(self);
        self.run(move |connection| database.create_tables(connection)).await
    }

    /// Runs `job` on a connection. Once it has begun it runs to its end, also where the caller
    /// drops the future.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // Never an error, since nobody closes the semaphore.
        let permit = Arc::clone(&self.jobs).acquire_owned().await;
        let database = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut connection = database.connection()?;
            let result = job(&mut connection);
            if connection.is_autocommit() {
                lock(&database.idle).push(connection);
            }
            result
        });
        task.await.map_err(|error| {
            Error::new(ErrorKind::Internal, "job of the catalog ended early").with_source(error)
        })?
    }

    /// Runs `change` in a transaction of its own.
    pub(super) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(self);
        self.run(move |connection| {
            database.transaction(connection, change).map_err(Failure::into_error)
        })
        .await
    }

    /// Runs `change` in a transaction that no other writer of any process overlaps, and commits it
    /// where `change` succeeds.
    pub(super) fn transaction<T>(
        &self,
        connection: &mut Connection,
        change: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T, Failure> {
        let _writer = lock(&self.writer);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = change(&transaction)?;
        match transaction.commit() {
            Ok(()) => Ok(value),
            Err(error) => match error.sqlite_error_code() {
                // Refused before the commit reached the file.
                Some(
                    ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::DiskFull
                    | ErrorCode::ReadOnly,
                ) => Err(Failure::Unchanged(error.into())),
                _ => Err(Failure::Unknown(error.into())),
            },
        }
    }

    /// A connection that has not seen an error.
    pub(super) fn connect(&self) -> Result<Connection> {
        // Not as a URI: a path may begin with `file:` or hold a `?`.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // A commit that was reported is on disk, also in WAL mode.
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(connection)
    }

    fn connection(&self) -> Result<Connection> {
        let idle = lock(&self.idle).pop();
        idle.map_or_else(|| self.connect(), Ok)
    }

    fn create_tables(&self, connection: &mut Connection) -> Result<()> {
        set_wal(connection, &self.path)?;
        if has_schema(connection)? {
            return Ok(());
        }
        let created = self.transaction(connection, |transaction| {
            transaction.execute_batch(SCHEMA)?;
            // A catalog of version V0 has tables only and lacks the column that tells views apart.
            if !has_schema(transaction)? {
                transaction.execute_batch(
                    "ALTER TABLE iceberg_tables ADD COLUMN iceberg_type VARCHAR(5)",
                )?;
            }
            Ok(())
        });
        created.map_err(Failure::into_error)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the locks guard is whole at any moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn has_schema(connection: &Connection) -> Result<bool> {
    let query = "SELECT (SELECT count(*) FROM pragma_table_info('iceberg_tables')
                         WHERE name = 'iceberg_type') = 1
                    AND (SELECT count(*) FROM pragma_table_info('iceberg_namespace_properties')) > 0";
    Ok(connection.query_row(query, [], |row| row.get(0))?)
}

/// Readers go on while somebody writes. The mode stays with the file, and changing it fails at
/// once, without the busy timeout, while another process uses the file in the old mode.
fn set_wal(connection: &Connection, path: &Path) -> Result<()> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let path = path.display();
                tracing::warn!(%path, mode, "catalog file cannot have a write-ahead log");
                return Ok(());
            }
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let (kind, message) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                (ErrorKind::Unavailable, "catalog file is locked by another process")
            }
            Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory) => {
                (ErrorKind::ResourceExhausted, "catalog file cannot grow")
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                (ErrorKind::Corrupt, "catalog file is not a whole SQLite database")
            }
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => (ErrorKind::Unavailable, "catalog file cannot be used"),
            _ => (ErrorKind::Internal, "catalog database"),
        };
        Self::new(kind, message).with_source(error)
    }
}
