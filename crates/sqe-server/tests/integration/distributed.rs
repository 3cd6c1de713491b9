//! Queries over workers: where tasks run, and what happens when a worker is lost.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::flight_db::FlightDb;

const JOIN: &str = "SELECT count(*), sum(l_quantity) FROM tpch.sf0_01.lineitem \
                    JOIN tpch.sf0_01.orders ON l_orderkey = o_orderkey WHERE o_orderstatus = 'F'";

#[tokio::test(flavor = "multi_thread")]
async fn every_scan_runs_on_workers_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(dir.path(), 3);
    let mut db = FlightDb::connect(&cluster.coordinator.address, "ada").await;
    db.rows(JOIN).await;
    let workers = "SELECT count(DISTINCT worker), count(DISTINCT run_id), bool_and(error IS NULL) \
                   FROM system.runtime.tasks";
    assert_eq!(db.rows(workers).await, [["3", "1", "true"]]);
    db.rows("SELECT 1").await;
    db.rows("SELECT count(*) FROM system.runtime.nodes").await;
    assert_eq!(db.rows(workers).await, [["3", "1", "true"]]);

    // What one user does is nobody else's to see.
    let mut other = FlightDb::connect(&cluster.coordinator.address, "bob").await;
    let seen = "SELECT count(*) FROM system.runtime.queries WHERE \"user\" <> 'bob'";
    assert_eq!(other.rows(seen).await, [["0"]]);
    assert_eq!(other.rows("SELECT count(*) FROM system.runtime.tasks").await, [["0"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_worker_fails_no_query_that_has_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(dir.path(), 3);
    let mut db = FlightDb::connect(&cluster.coordinator.address, "ada").await;
    let expected = db.rows(JOIN).await;
    // Killed: it says nothing to anybody.
    drop(cluster.workers.remove(1));
    for _ in 0..3 {
        assert_eq!(db.rows(JOIN).await, expected);
    }
    db.execute("CREATE TABLE t AS SELECT * FROM tpch.sf0_01.nation").await.unwrap();
    drop(cluster.workers.remove(0));
    db.execute("INSERT INTO t SELECT * FROM tpch.sf0_01.nation").await.unwrap();
    assert_eq!(db.rows("SELECT count(*) FROM t").await, [["50"]]);
    drop(cluster.workers.remove(0));
    // Nobody is left, which is found out by asking or by silence.
    let error = db.error(JOIN).await;
    assert!(error.contains("worker"), "{error}");
    tokio::time::sleep(Duration::from_secs(4)).await;
    let error = db.error(JOIN).await;
    assert!(error.contains("there is no worker"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_query_ends_everywhere_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(dir.path(), 2);
    let address = cluster.coordinator.address.as_str();
    let long = async {
        let mut db = FlightDb::connect(address, "ada").await;
        let sql = "SELECT count(*) FROM tpch.sf1.lineitem a \
                   JOIN tpch.sf1.lineitem b ON a.l_partkey < b.l_suppkey";
        db.error(sql).await
    };
    let kill = async {
        let mut db = FlightDb::connect(address, "ada").await;
        let running = "SELECT query_id FROM system.runtime.queries \
                       WHERE state = 'RUNNING' AND runs = 1 AND query LIKE '%l_suppkey%' \
                       AND query NOT LIKE '%runtime%'";
        let id = loop {
            if let Some(row) = db.rows(running).await.into_iter().next() {
                break row[0].clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let kill = format!("CALL system.runtime.kill_query('{id}', 'it takes too long')");
        let mut other = FlightDb::connect(address, "bob").await;
        assert!(other.execute(&kill).await.is_err());
        db.execute(&kill).await.unwrap();
    };
    let (error, ()) = tokio::join!(long, kill);
    assert!(error.contains("the query was killed: it takes too long"), "{error}");
    let left = || cluster.workers.iter().map(|w| w.metric("sqe_worker_running_tasks")).sum::<f64>();
    for _ in 0..200 {
        if left() == 0.0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} tasks go on", left());
}
