//! The binary against a small Flight SQL server whose answers are fixed: what it prints, where, and
//! with which exit code.

mod issuer;
mod login;
mod server;

use std::process::{Command, Output, Stdio};

use server::Server;

/// Runs the client with `arguments` against `server`, with an empty stdin.
fn run(server: &Server, password: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqe-cli"));
    command.args(["--host", "127.0.0.1", "--port", &server.port.to_string()]).args(arguments);
    command.env_remove("SQE_TOKEN").env("XDG_STATE_HOME", "/nonexistent");
    command.env_remove("SQE_PASSWORD").envs(password.map(|password| ("SQE_PASSWORD", password)));
    command.stdin(Stdio::null()).output().expect("the client runs")
}

#[track_caller]
fn check(arguments: &[&str], code: i32, stdout: &str, stderr: &str) {
    let output = run(&Server::start(), Some("secret"), arguments);
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!(output.status.code(), Some(code));
}

const ONE: &str = "one\n-----\n1\n(1 row)\n";

#[test]
fn prints_rows() {
    check(&["-u", "root", "-e", "SELECT 1 AS one"], 0, ONE, "");
    check(&["-e", "SELECT 1 AS one; -- done", "-e", ";"], 0, ONE, "");
    check(&["--format", "csv", "-e", "SELECT 1 AS one"], 0, "one\n1\n", "");
}

#[test]
fn counts_affected_rows_outside_of_data() {
    let sql = "INSERT; CREATE;";
    check(&["-e", sql], 0, "(3 rows affected)\nOK\n", "");
    check(&["--format", "json", "-e", sql], 0, "", "(3 rows affected)\nOK\n");
}

#[test]
fn stops_at_the_first_error() {
    let error =
        "ERROR: no such column\nLINE 2:  fail here; CREATE\n              ^\nHINT: look twice\n";
    check(&["-e", "SELECT 1 AS one;\n fail here; CREATE"], 3, ONE, error);
}

#[test]
fn usage_errors_are_1() {
    let output = run(&Server::start(), None, &["--format", "nope"]);
    assert_eq!(output.status.code(), Some(1));
    let output = run(&Server::start(), None, &["-f", "/no/such/file"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/file"));
}

#[test]
fn login_is_checked() {
    let server = Server::start();
    let arguments = ["-u", "root", "-e", "SELECT 1 AS one"];
    let missing = run(&server, None, &arguments);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("set SQE_PASSWORD"));
    let wrong = run(&server, Some("guess"), &arguments);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("login of user \"root\" failed"));
    assert_eq!(server.closed_sessions(), 0);
}

#[test]
fn closes_its_session() {
    let server = Server::start();
    run(&server, None, &["-e", "fail"]);
    assert_eq!(server.closed_sessions(), 1);
}

#[test]
fn unreachable_server_is_2() {
    let mut server = Server::start();
    server.port = 1;
    let output = run(&server, None, &["-e", "SELECT 1 AS one"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.starts_with("ERROR: failed to connect to 127.0.0.1:1: "), "{stderr}");
}

#[test]
fn closed_output_ends_quietly() {
    let server = Server::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqe-cli"));
    command.args(["--host", "127.0.0.1", "--port", &server.port.to_string()]);
    command.args(["--format", "csv", "-e", "many"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the client runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
