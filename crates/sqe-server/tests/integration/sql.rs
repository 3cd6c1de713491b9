//! Every file of `tests/sql`, run over the wire against a server of its own.

use std::path::{Path, PathBuf};

use sqllogictest::Runner;

use crate::flight_db::FlightDb;
use crate::running::{Running, server};

/// The files below `tests/sql`, sorted.
fn files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    assert!(!files.is_empty(), "there are no .slt files");
    files
}

/// Runs one file on an empty server; `$DIR` is a scratch directory.
async fn run(file: &Path) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(
        server().args(["--port", "0", "--http-port", "0", "--data-dir"]).arg(dir.path()),
    );
    let address = running.wait_for("listening on");
    running.ignore_rest();
    let mut runner = Runner::new(|| async { Ok(FlightDb::connect(&address, "ada").await) });
    runner.set_var("DIR".to_owned(), dir.path().display().to_string());
    runner.with_column_validator(sqllogictest::strict_column_validator);
    let result = runner.run_file_async(file).await;
    result.map_err(|error| error.display(false).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_files() {
    let mut failed = Vec::new();
    for file in files() {
        if let Err(error) = run(&file).await {
            failed.push(error);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
