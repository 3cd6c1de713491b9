//! An identity provider whose answers are fixed, over plain HTTP. Unit tests use it too.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Path, status and body. Every `ISSUER` in the body is the provider's own URL.
pub(crate) type Answer = (&'static str, u16, &'static str);

pub(crate) const CONFIGURATION_PATH: &str = "/.well-known/openid-configuration";
pub(crate) const CONFIGURATION: &str = r#"{
    "issuer": "ISSUER",
    "token_endpoint": "ISSUER/token",
    "device_authorization_endpoint": "ISSUER/device",
    "revocation_endpoint": "ISSUER/revoke"
}"#;
pub(crate) const CODE: &str = r#"{
    "device_code": "d3v1ce",
    "user_code": "ABCD-EFGH",
    "verification_uri": "ISSUER/verify",
    "verification_uri_complete": "ISSUER/verify?user_code=ABCD-EFGH",
    "expires_in": 600,
    "interval": 1
}"#;

/// Serves as long as the process lives.
pub(crate) struct Issuer {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Issuer {
    /// Gives each of `answers` once, in their order, and 500 when there is none for a path. The
    /// configuration is answered as often as it is asked for.
    pub(crate) fn start(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, base, mut left) = (Arc::clone(&requests), url.clone(), answers.to_vec());
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.expect("a connection");
                let request = read(&connection);
                let path = request.split(' ').nth(1).expect("a path").to_owned();
                let (status, body) = match left.iter().position(|answer| answer.0 == path) {
                    Some(index) => {
                        let (_, status, body) = left.remove(index);
                        (status, body)
                    }
                    None if path == CONFIGURATION_PATH => (200, CONFIGURATION),
                    None => (500, ""),
                };
                if path != CONFIGURATION_PATH {
                    seen.lock().expect("unpoisoned").push(request);
                }
                let body = body.replace("ISSUER", &base);
                let head = format!(
                    "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nLocation: {base}/moved\r\n\
                     Connection: close\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                // A client that went away is up to its test.
                let _ = connection.write_all((head + &body).as_bytes());
            }
        });
        Self { url, requests }
    }

    /// `METHOD PATH BODY` of all requests so far but those of the configuration.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("unpoisoned").clone()
    }
}

fn read(connection: &TcpStream) -> String {
    let mut reader = BufReader::new(connection);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).expect("a request");
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        match line.trim().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().expect("a number"),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let target = first.trim_end().trim_end_matches(" HTTP/1.1");
    format!("{target} {}", String::from_utf8_lossy(&body)).trim_end().to_owned()
}
