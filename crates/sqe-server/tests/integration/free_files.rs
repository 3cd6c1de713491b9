//! Files in S3 that are of no table, with keys that the store holds to one prefix.

use crate::flight_db::FlightDb;
use crate::running::Running;
use crate::store::{Scratch, setting};

/// A server that may read the places `allowed`, with `keys`.
async fn server(allowed: &[String], keys: &str) -> (Running, FlightDb, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "[storage]\ns3_endpoint = {:?}\ns3_region = {:?}\ns3_path_style = true\n{keys}\
         [table_functions]\nallow_local_paths = false\nallowed_prefixes = {allowed:?}\n",
        setting("S3_ENDPOINT"),
        setting("S3_REGION")
    );
    let (running, address) = Running::with_config(dir.path(), &config);
    let db = FlightDb::connect(&address, "ada").await;
    (running, db, dir)
}

/// A Parquet file with the rows 1 to `rows` of a column `id`.
async fn parquet(rows: usize) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (_running, address) = Running::with_config(dir.path(), "");
    let mut db = FlightDb::connect(&address, "ada").await;
    let file = dir.path().join("f.parquet");
    let file_name = file.display();
    db.rows(&format!(
        "COPY (SELECT value AS id FROM generate_series(1, {rows})) TO '{file_name}' \
         STORED AS PARQUET"
    ))
    .await;
    std::fs::read(file).unwrap()
}

/// Fails unless the error of `sql` has all of `parts`.
async fn refused(db: &mut FlightDb, sql: &str, parts: &[&str]) {
    let error = match db.execute(sql).await {
        Ok(_) => panic!("{sql} is not refused"),
        Err(error) => error.to_string(),
    };
    for part in parts {
        assert!(error.contains(part), "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test-stack.sh"]
async fn files_below_the_prefix_are_read() {
    let scratch = Scratch::new();
    let file = parquet(1000).await;
    for name in ["p/a.parquet", "p/b.parquet", "p/deep/c.parquet"] {
        scratch.put(&format!("landing/{name}"), file.clone()).await;
    }
    scratch.put("landing/a b%20.csv", "v\n1\n").await;
    scratch.put("landing/k=1/f.csv", "v\n10\n20\n").await;
    scratch.put("landing/k=2/f.csv", "v\n30\n").await;
    scratch.put("landing/j/f.json", "{\"v\": 7}\n{\"v\": 8}\n").await;
    scratch.put_folder("landing/p").await;
    let keys = scratch.keys_for("landing").await;
    let (_running, mut db, _dir) = server(&[scratch.at("landing/")], &keys).await;
    let mut check = async |sql: &str, expected: &[&[&str]]| {
        let sql = sql.replace('@', &scratch.at("landing"));
        assert_eq!(db.rows(&sql).await, expected, "{sql}");
    };
    check("SELECT v FROM read_csv('@/a b%20.csv')", &[&["1"]]).await;
    check("SELECT sum(v), sum(k) FROM read_csv('@/k=*/f.csv')", &[&["60", "4"]]).await;
    check("SELECT v FROM read_csv('@/k=*/f.csv') WHERE k = 2", &[&["30"]]).await;
    let named = scratch.at("landing/k=2/f.csv");
    let sql = "SELECT filename FROM read_csv('@/*/*.csv', filename => true) WHERE v = 30";
    check(sql, &[&[&named]]).await;
    check("SELECT sum(v) FROM read_json('@/j/f.json')", &[&["15"]]).await;
    let sums = "SELECT count(*), sum(id) FROM read_parquet";
    check(&format!("{sums}('@/p/a.parquet')"), &[&["1000", "500500"]]).await;
    check(&format!("{sums}('@/p/*.parquet')"), &[&["2000", "1001000"]]).await;
    check(&format!("{sums}('@/p/{{a,deep/c}}.parquet')"), &[&["2000", "1001000"]]).await;
    check(&format!("{sums}('@/p/')"), &[&["3000", "1501500"]]).await;
    check(&format!("{sums}('@/p/**')"), &[&["3000", "1501500"]]).await;
    check("SELECT count(*) FROM read_parquet('@/p/**') WHERE id > 990", &[&["30"]]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test-stack.sh"]
async fn what_is_not_allowed_is_refused() {
    let scratch = Scratch::new();
    for name in ["landing/f.csv", "landings/f.csv", "other/f.csv"] {
        scratch.put(name, "v\n1\n").await;
    }
    let (landing, other) = (scratch.at("landing"), scratch.at("other"));
    let keys = scratch.keys_for("landing").await;
    let read = |place: &str| format!("SELECT v FROM read_csv('{place}')");

    let (_running, mut db, _dir) = server(&[landing.clone(), other.clone()], &keys).await;
    assert_eq!(db.rows(&read(&format!("{landing}/*.csv"))).await, [["1"]]);
    for place in ["landings/f.csv", "landing*/f.csv", "landing/../other/f.csv", "*.csv"] {
        refused(&mut db, &read(&scratch.at(place)), &["not allowed", "allowed_prefixes"]).await;
    }
    // What the operator allows and the keys do not.
    for place in [format!("{other}/f.csv"), format!("{other}/*.csv"), format!("{other}/")] {
        refused(&mut db, &read(&place), &["the store answered 403", &other]).await;
    }
    refused(&mut db, &read(&format!("{landing}/none/*.csv")), &["no files match"]).await;
    refused(&mut db, &read("/etc/passwd"), &["not allowed", "allow_local_paths"]).await;

    // Nothing is written, also not by EXPLAIN ANALYZE, to the store or to this machine.
    let target = scratch.at("landing/out.csv");
    for target in [target.as_str(), "sqe-files://s3/x.csv", "sqe-table://scan/x.csv"] {
        let copy = format!("COPY (SELECT 1 AS a) TO '{target}' STORED AS CSV");
        refused(&mut db, &copy, &["COPY may not write"]).await;
        refused(&mut db, &format!("EXPLAIN ANALYZE {copy}"), &["COPY may not write"]).await;
    }
    assert!(!scratch.has("landing/out.csv").await);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.csv");
    let copy = format!("COPY (SELECT 1 AS a) TO '{}' STORED AS CSV", file.display());
    for sql in [copy.clone(), format!("EXPLAIN ANALYZE {copy}"), format!("EXPLAIN {copy}")] {
        refused(&mut db, &sql, &["allow_local_paths"]).await;
    }
    let place = dir.path().display();
    for sql in [
        format!("CREATE TABLE t (a INT) LOCATION '{place}'"),
        format!("CREATE TABLE t (a INT) WITH ('write.data.path' = '{place}')"),
        format!("CREATE TABLE t (a INT) TBLPROPERTIES ('write.metadata.path' = '{place}')"),
    ] {
        refused(&mut db, &sql, &["allow_local_paths"]).await;
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    let (_running, mut db, _dir) = server(std::slice::from_ref(&landing), "").await;
    let file = read(&format!("{landing}/f.csv"));
    refused(&mut db, &file, &["not allowed", "[storage] s3_access_key"]).await;
    let (_running, mut db, _dir) = server(&[], &keys).await;
    refused(&mut db, &file, &["not allowed", "[table_functions] allowed_prefixes"]).await;
}
