//! Catalogs beside the default one.

use crate::flight_db::FlightDb;
use crate::running::Running;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_catalog_is_joined_with_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other");
    let config = format!(
        "[catalogs.lake]\ntype = \"sqlite\"\npath = \"{0}/lake.db\"\nwarehouse = \"{0}/tables\"\n\
         catalog_name = \"rows_of_lake\"\n",
        other.display()
    );
    let (_running, address) = Running::with_config(dir.path(), &config);
    let mut db = FlightDb::connect(&address, "ada").await;
    assert_eq!(db.rows("SHOW CATALOGS").await, [["catalog"], ["lake"], ["system"], ["tpch"]]);
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
