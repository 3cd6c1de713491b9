//! Start, health, stop, and the exit codes of what cannot start.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};

use crate::running::{Running, server};

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: sqe\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn sigterm_stops_a_healthy_server_with_exit_0() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(
        server().args(["--port", "0", "--http-port", "0", "--data-dir"]).arg(dir.path()),
    );
    let http = running.wait_for("http on");
    assert!(get(&http, "/livez").starts_with("HTTP/1.1 200"));
    assert!(get(&http, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(&http, "/metrics").starts_with("HTTP/1.1 200"));
    let pid = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_taken_port_is_one_line_and_exit_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let dir = tempfile::tempdir().unwrap();
    let out =
        output(server().args(["--port", "0", "--http-port", &port, "--data-dir"]).arg(dir.path()));
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(out.stderr).unwrap(),
        format!(
            "sqe-server: cannot listen on 127.0.0.1:{port} for HTTP: Address already in use (os error 98)\n"
        )
    );
}

#[test]
fn a_rest_catalog_is_asked_by_nobody_but_its_users() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sqe.toml");
    let config = "[catalog]\nuri = \"http://localhost:1\"\n\
                  [auth]\ntoken_endpoint = \"http://localhost:1/v1/oauth/tokens\"\n";
    std::fs::write(&file, config).unwrap();
    let checked = output(server().arg("--check-config").arg("--config").arg(&file));
    assert_eq!(checked.status.code(), Some(0));
    let mut running =
        Running::start(server().args(["--port", "0", "--http-port", "0", "--config"]).arg(&file));
    let http = running.wait_for("http on");
    assert!(get(&http, "/readyz").starts_with("HTTP/1.1 200"));
}

#[test]
fn an_unknown_key_is_refused_with_file_line_and_hint() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sqe.toml");
    std::fs::write(&file, "[http]\nprot = 9090\n").unwrap();
    let out = output(server().arg("--config").arg(&file));
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(out.stderr).unwrap(),
        format!("{}:2: unknown key `prot`, did you mean `port`?\n", file.display())
    );
}

#[test]
fn version_is_printed() {
    let out = output(server().arg("--version"));
    assert_eq!(
        String::from_utf8(out.stdout).unwrap(),
        format!("sqe-server {}\n", env!("CARGO_PKG_VERSION"))
    );
}
