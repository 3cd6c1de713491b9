//! A running server beside the test stack, over Flight SQL, with the client of `arrow-flight`.
//!
//! `scripts/integration-test.sh` starts the stack and the server, and runs these. The address of the
//! server is `SQE_TEST_ADDRESS`; without one each test starts the built binary with the smallest
//! configuration. Accounts are those of testing/env.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use arrow_flight::error::{FlightError, Result as FlightResult};
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use serde_json::json;
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

/// A running server, and its process if a test has started it.
struct Server {
    address: String,
    started: Option<(Child, TempDir)>,
}

impl Server {
    fn running() -> Self {
        match std::env::var("SQE_TEST_ADDRESS") {
            Ok(address) => Self { address, started: None },
            Err(_) => Self::start(""),
        }
    }

    /// With the smallest configuration, to which `more` is added: below `[storage]`, its last section.
    fn start(more: &str) -> Self {
        let binary = binary();
        let minimal = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/minimal.toml");
        let data = TempDir::new().unwrap();
        let config = data.path().join("sqe.toml");
        fs::write(&config, fs::read_to_string(minimal).unwrap() + more).unwrap();
        let mut command = Command::new(&binary);
        // Nothing but the configuration: no key of the store reaches the server otherwise.
        command.env_clear().args(["--port", "0", "--http-port", "0", "--config"]).arg(config);
        command.arg("--data-dir").arg(data.path()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{} does not start: {error}; build it with cargo build", binary.display())
        });
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server ended at its start");
            if let Some(address) = line.strip_prefix("listening on ") {
                break format!("http://{}", address.trim());
            }
        };
        // Ends with the server, which must not wait for a full pipe.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self { address, started: Some((child, data)) }
    }

    async fn connect(&self) -> FlightSqlServiceClient<Channel> {
        let endpoint = Endpoint::from_shared(self.address.clone()).unwrap();
        FlightSqlServiceClient::new(endpoint.connect().await.unwrap())
    }

    /// A connection of the account that may do everything.
    async fn client(&self) -> Client {
        let mut flight = self.connect().await;
        let (user, password) = account();
        flight.handshake(&user, &password).await.unwrap();
        Client { flight }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.started {
            // Fails where the server has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `SQE_SERVER`, or else the binary that was built with this test.
fn binary() -> PathBuf {
    let beside = || {
        let test = std::env::current_exe().unwrap();
        test.parent().unwrap().parent().unwrap().join("sqe-server")
    };
    std::env::var_os("SQE_SERVER").map_or_else(beside, PathBuf::from)
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: source testing/env"))
}

fn account() -> (String, String) {
    (setting("SQE_TEST_CLIENT_ID"), setting("SQE_TEST_CLIENT_SECRET"))
}

/// A connection that is logged in.
struct Client {
    flight: FlightSqlServiceClient<Channel>,
}

impl Client {
    async fn rows(&mut self, sql: &str) -> FlightResult<Vec<RecordBatch>> {
        let info = self.flight.execute(sql.to_owned(), None).await?;
        let mut batches = Vec::new();
        for endpoint in info.endpoint {
            let stream = self.flight.do_get(endpoint.ticket.unwrap()).await?;
            batches.extend(stream.try_collect::<Vec<_>>().await?);
        }
        Ok(batches)
    }

    /// The rows of a query as lines, with one space between the cells.
    async fn lines(&mut self, sql: &str) -> Vec<String> {
        let batches = self.rows(sql).await.unwrap();
        let table = pretty_format_batches(&batches).unwrap().to_string();
        let rows = table.lines().filter(|line| line.starts_with('|')).skip(1);
        rows.map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            cells.join(" ")
        })
        .collect()
    }

    async fn update(&mut self, sql: &str) -> i64 {
        self.flight.execute_update(sql.to_owned(), None).await.unwrap()
    }

    /// A schema of a test's own.
    async fn schema(&mut self) -> String {
        let name = format!("{}.it_{}", setting("SQE_TEST_WAREHOUSE"), Uuid::new_v4().simple());
        self.update(&format!("CREATE SCHEMA {name}")).await;
        name
    }
}

/// Sends a request to the store, signed as its owner, by `curl` with more arguments.
fn store(service: &str, url: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    // The account goes through a pipe, because others can read the arguments of a process.
    command.args(["-sS", "--fail", "--config", "-", url]).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (key, secret) = (setting("SQE_TEST_S3_ROOT_KEY"), setting("SQE_TEST_S3_ROOT_SECRET"));
    let region = setting("SQE_TEST_S3_REGION");
    let account = format!("user=\"{key}:{secret}\"\naws-sigv4=\"aws:amz:{region}:{service}\"\n");
    child.stdin.take().unwrap().write_all(account.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{url}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Settings with keys that the store limits to reading what is below a folder.
fn keys_below(bucket: &str, folder: &str) -> String {
    let arn = format!("arn:aws:s3:::{bucket}");
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [format!("{arn}/{folder}/*")]},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [arn],
         "Condition": {"StringLike": {"s3:prefix": [format!("{folder}/*")]}}},
    ]});
    let arguments = ["--data", "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600"];
    let policy = format!("Policy={policy}");
    let arguments = [arguments.as_slice(), &["--data-urlencode", &policy]].concat();
    let answer = store("sts", &setting("SQE_TEST_S3_ENDPOINT"), &arguments);
    let part = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    let (key, secret) = (part("AccessKeyId"), part("SecretAccessKey"));
    let token = part("SessionToken");
    let keys = format!("s3_access_key = \"{key}\"\ns3_secret_key = \"{secret}\"\n");
    format!("{keys}s3_session_token = \"{token}\"\n")
}

/// The status of a call that must fail.
fn code<T: std::fmt::Debug>(result: FlightResult<T>) -> Code {
    match result.unwrap_err() {
        FlightError::Tonic(status) => status.code(),
        error => panic!("{error} is no status"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/integration-test.sh"]
async fn test_authentication() {
    let server = Server::running();
    let mut client = server.client().await;
    assert_eq!(client.lines("SELECT current_user AS u").await, [account().0]);

    let (user, password) = account();
    for (user, password) in [(user.as_str(), "wrong"), (user.as_str(), ""), ("nobody", &password)] {
        let error = server.connect().await.handshake(user, password).await.unwrap_err();
        // This client makes a text of the status of a handshake.
        assert!(error.to_string().contains("the user name or the password is wrong"), "{error}");
        assert!(!error.to_string().contains(&account().1), "{error}");
    }
    let mut nobody = server.connect().await;
    assert_eq!(code(nobody.execute("SELECT 1".into(), None).await), Code::Unauthenticated);
    nobody.set_token("made-up".into());
    assert_eq!(code(nobody.execute("SELECT 1".into(), None).await), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/integration-test.sh"]
async fn test_simple_select() {
    let server = Server::running();
    let mut client = server.client().await;
    let batches = client.rows("SELECT 1 AS one, 'x' AS x").await.unwrap();
    let shown = pretty_format_batches(&batches).unwrap().to_string();
    assert_eq!(shown, "+-----+---+\n| one | x |\n+-----+---+\n| 1   | x |\n+-----+---+");
    assert_eq!(code(client.rows("SELECT nonsense").await), Code::NotFound);
    assert_eq!(code(client.rows("SELEC 1").await), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/integration-test.sh"]
async fn test_create_table_as_select() {
    let server = Server::running();
    let mut client = server.client().await;
    let schema = client.schema().await;
    let table = format!("{schema}.nation");
    let made = format!("CREATE TABLE {table} AS SELECT * FROM tpch.sf1.nation");
    assert_eq!(client.update(&made).await, 25);
    let compare = format!(
        "SELECT count(*) AS n FROM (SELECT * FROM {table} EXCEPT SELECT * FROM tpch.sf1.nation)"
    );
    assert_eq!(client.lines(&compare).await, ["0"]);
    assert_eq!(client.update(&format!("INSERT INTO {table} SELECT * FROM {table}")).await, 25);

    // Another session finds what this one has written.
    let mut other = server.client().await;
    let count = format!("SELECT count(*) AS n, count(DISTINCT n_name) AS d FROM {table}");
    assert_eq!(other.lines(&count).await, ["50 25"]);
    assert_eq!(code(other.flight.execute_update(made, None).await), Code::AlreadyExists);

    client.update(&format!("DROP TABLE {table}")).await;
    assert_eq!(code(other.rows(&count).await), Code::NotFound);
    client.update(&format!("DROP SCHEMA {schema}")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/integration-test.sh"]
async fn test_information_schema() {
    let server = Server::running();
    let mut client = server.client().await;
    let schema = client.schema().await;
    client.update(&format!("CREATE TABLE {schema}.t (a BIGINT NOT NULL, b VARCHAR)")).await;
    client.update(&format!("CREATE VIEW {schema}.v AS SELECT b FROM {schema}.t")).await;

    let (catalog, name) = schema.split_once('.').unwrap();
    let here = format!("table_catalog = '{catalog}' AND table_schema = '{name}' ORDER BY 1, 2");
    let tables = "SELECT table_name, table_type FROM information_schema.tables";
    assert_eq!(client.lines(&format!("{tables} WHERE {here}")).await, ["t BASE TABLE", "v VIEW"]);
    let columns = "SELECT table_name, column_name, is_nullable FROM information_schema.columns";
    let columns = client.lines(&format!("{columns} WHERE {here}")).await;
    assert_eq!(columns, ["t a NO", "t b YES", "v b YES"]);
    let schemata = "SELECT schema_name FROM information_schema.schemata";
    let schemata = format!("{schemata} WHERE schema_name = '{name}'");
    assert_eq!(client.lines(&schemata).await, [name]);

    client.update(&format!("DROP VIEW {schema}.v")).await;
    client.update(&format!("DROP TABLE {schema}.t")).await;
    client.update(&format!("DROP SCHEMA {schema}")).await;
}

/// Files that are no tables are read with keys of the operator, so that this one server has some.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/integration-test.sh"]
async fn test_read_files() {
    let (bucket, folder) =
        (setting("SQE_TEST_S3_BUCKET"), format!("it_{}", Uuid::new_v4().simple()));
    let keys = keys_below(&bucket, &folder);
    let prefixes = format!("[table_functions]\nallowed_prefixes = [\"s3://{bucket}/{folder}\"]\n");
    let server = Server::start(&format!("{keys}{prefixes}"));
    let mut client = server.client().await;
    let local = TempDir::new().unwrap();
    let rows = "SELECT n_nationkey, n_name FROM tpch.sf1.nation";
    for kind in ["parquet", "csv", "json"] {
        let file = local.path().join(format!("nation.{kind}"));
        let file = file.to_str().unwrap();
        client.rows(&format!("COPY ({rows}) TO '{file}'")).await.unwrap();
        let urls = [&folder, "elsewhere"].map(|folder| format!("{bucket}/{folder}/nation.{kind}"));
        let url = format!("{}/{}", setting("SQE_TEST_S3_ENDPOINT"), urls[0]);
        store("s3", &url, &["--upload-file", file]);

        let read = format!("SELECT n_nationkey, n_name FROM read_{kind}('s3://{}')", urls[0]);
        let different = format!("SELECT count(*) AS n FROM ({read} EXCEPT {rows})");
        assert_eq!(client.lines(&different).await, ["0"], "{kind}");
        let count = format!("SELECT count(*) AS n FROM ({read})");
        assert_eq!(client.lines(&count).await, ["25"], "{kind}");
        let outside = client.rows(&format!("SELECT * FROM read_{kind}('s3://{}')", urls[1])).await;
        assert_eq!(code(outside), Code::PermissionDenied, "{kind}");
        store("s3", &url, &["--request", "DELETE"]);
    }
}
