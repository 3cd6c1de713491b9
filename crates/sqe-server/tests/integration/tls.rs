//! TLS on the client listener.

use std::path::Path;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Error};

use crate::flight_db::FlightDb;
use crate::running::{Running, server};

/// Writes a new certificate for `localhost` and its key; returns the certificate as PEM.
fn certificate(dir: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

async fn connect(port: &str, ca: &str) -> Result<Channel, Error> {
    let tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)).domain_name("localhost");
    let endpoint = Channel::from_shared(format!("https://127.0.0.1:{port}")).unwrap();
    endpoint.tls_config(tls)?.connect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_connect_by_the_right_ca_only() {
    let dir = tempfile::tempdir().unwrap();
    let ca = certificate(dir.path());
    let strangers = tempfile::tempdir().unwrap();
    let wrong_ca = certificate(strangers.path());
    let config =
        format!("[tls]\ncert = \"{0}/cert.pem\"\nkey = \"{0}/key.pem\"\n", dir.path().display());
    let (_running, address) = Running::with_config(dir.path(), &config);
    let port = address.rsplit(':').next().unwrap();

    let mut db = FlightDb::log_in(connect(port, &ca).await.unwrap(), "ada").await;
    assert_eq!(db.rows("SELECT current_user").await, [["ada"]]);
    assert!(connect(port, &wrong_ca).await.is_err(), "a stranger's CA was accepted");
    let plain = Channel::from_shared(format!("http://{address}")).unwrap().connect().await;
    let refused = match plain {
        Err(_) => true,
        Ok(channel) => {
            let mut client = arrow_flight::sql::client::FlightSqlServiceClient::new(channel);
            client.handshake("ada", "").await.is_err()
        }
    };
    assert!(refused, "a client without TLS was served");
}

#[test]
fn a_certificate_that_is_not_there_is_one_line_and_exit_2() {
    let dir = tempfile::tempdir().unwrap();
    let out = server()
        .env("SQE__TLS__CERT", dir.path().join("none.pem"))
        .env("SQE__TLS__KEY", dir.path().join("none.pem"))
        .args(["--port", "0", "--http-port", "0", "--data-dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    let stderr = String::from_utf8(out.stderr).unwrap();
    assert!(stderr.starts_with("sqe-server: cannot set up TLS: "), "{stderr}");
    assert!(stderr.contains("none.pem"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
