//! Catalogs beside the default one.

use crate::flight_db::FlightDb;
use crate::running::{Running, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_catalog_is_joined_with_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sqe.toml");
    let other = dir.path().join("other");
    let config = format!(
        "[catalogs.lake]\ntype = \"sqlite\"\npath = \"{0}/lake.db\"\nwarehouse = \"{0}/tables\"\n\
         catalog_name = \"rows_of_lake\"\n",
        other.display()
    );
    std::fs::write(&file, config).unwrap();
    let mut running = Running::start(
        server()
            .args(["--port", "0", "--http-port", "0", "--data-dir"])
            .arg(dir.path().join("data"))
            .arg("--config")
            .arg(&file),
    );
    let address = running.wait_for("listening on");
    running.ignore_rest();
    let mut db = FlightDb::connect(&address, "ada").await;
    assert_eq!(db.rows("SHOW CATALOGS").await, [["catalog"], ["lake"], ["tpch"]]);
    for statement in [
        "CREATE SCHEMA lake.s",
        "CREATE TABLE lake.s.names AS SELECT 1 AS id, 'one' AS name",
        "CREATE TABLE numbers AS SELECT 1 AS id",
    ] {
        db.execute(statement).await.unwrap();
    }
    let joined = db.rows("SELECT name FROM numbers JOIN lake.s.names USING (id)").await;
    assert_eq!(joined, [["one"]]);
    assert!(other.join("lake.db").exists());
    assert!(other.join("tables").is_dir());
}
