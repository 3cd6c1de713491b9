//! Every file of `tests/sql`, run over the wire against a server of its own.

use std::path::{Path, PathBuf};

use sqllogictest::Runner;

use crate::cluster::Cluster;
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

/// Runs one file against the empty server at `address`; `$DIR` is a scratch directory.
async fn run(file: &Path, address: &str, dir: &Path, label: &str) -> Result<(), String> {
    let mut runner = Runner::new(|| async { Ok(FlightDb::connect(address, "ada").await) });
    runner.set_var("DIR".to_owned(), dir.display().to_string());
    runner.add_label(label);
    runner.with_column_validator(sqllogictest::strict_column_validator);
    let result = runner.run_file_async(file).await;
    result.map_err(|error| format!("{label}: {}", error.display(false)))
}

async fn run_on_one_node(file: &Path) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(
        server().args(["--port", "0", "--http-port", "0", "--data-dir"]).arg(dir.path()),
    );
    let address = running.wait_for("listening on");
    running.ignore_rest();
    run(file, &address, dir.path(), "one_node").await
}

async fn run_on_three_workers(file: &Path) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(dir.path(), 3);
    run(file, &cluster.coordinator.address, dir.path(), "three_workers").await
}

fn assert_none(failed: &[String]) {
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_files() {
    let mut failed = Vec::new();
    for file in files() {
        failed.extend(run_on_one_node(&file).await.err());
    }
    assert_none(&failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_files_on_three_workers() {
    let mut failed = Vec::new();
    for file in files() {
        failed.extend(run_on_three_workers(&file).await.err());
    }
    assert_none(&failed);
}
