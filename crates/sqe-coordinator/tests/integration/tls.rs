use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sqe_coordinator::{Coordinator, CoordinatorOptions, ServeError, TlsOptions};
use tempfile::TempDir;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::client::Client;
use crate::server::{Server, engine, open};

/// The files are looked at every second.
const RELOAD: Duration = Duration::from_millis(1100);

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// The files of a listener.
struct Files(TempDir);

impl Files {
    fn new(authority: &Authority, client_ca: Option<&Authority>) -> Self {
        let files = Self(TempDir::new().unwrap());
        files.replace(authority);
        if let Some(authority) = client_ca {
            std::fs::write(files.0.path().join("ca.pem"), authority.pem()).unwrap();
        }
        files
    }

    /// A new certificate in place of the old one.
    fn replace(&self, authority: &Authority) {
        let (cert, key) = authority.issue("localhost");
        std::fs::write(self.0.path().join("cert.pem"), cert).unwrap();
        std::fs::write(self.0.path().join("key.pem"), key).unwrap();
    }

    fn options(&self) -> CoordinatorOptions {
        let ca = self.0.path().join("ca.pem");
        let tls = TlsOptions {
            cert: self.0.path().join("cert.pem"),
            key: self.0.path().join("key.pem"),
            client_ca: ca.exists().then_some(ca),
        };
        CoordinatorOptions { tls: Some(tls), ..open() }
    }
}

fn trusting(authority: &Authority) -> ClientTlsConfig {
    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem()))
}

/// The answer to a query over TLS, or `None` if there is no connection.
async fn query(server: &Server, tls: ClientTlsConfig) -> Option<String> {
    let address = format!("https://localhost:{}", server.address.port());
    let endpoint = Endpoint::from_shared(address).unwrap().tls_config(tls).unwrap();
    let mut client = Client::over(endpoint.connect().await.ok()?);
    client.query("SELECT 1 AS one").await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_know_the_authority_get_answers() {
    let authority = Authority::new();
    let files = Files::new(&authority, None);
    let server = Server::with(files.options()).await;
    assert!(query(&server, trusting(&authority)).await.unwrap().contains("one"));
    assert!(query(&server, trusting(&Authority::new())).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_certificates_are_demanded_where_an_authority_is_set() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let files = Files::new(&authority, Some(&clients));
    let server = Server::with(files.options()).await;
    let trusting = trusting(&authority);
    let with =
        |(cert, key): (String, String)| trusting.clone().identity(Identity::from_pem(cert, key));
    assert!(query(&server, with(clients.issue("client"))).await.is_some());
    assert!(query(&server, with(authority.issue("client"))).await.is_none());
    assert!(query(&server, trusting.clone()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_key_is_an_error_before_anything_listens() {
    let authority = Authority::new();
    let files = Files::new(&authority, None);
    std::fs::write(files.0.path().join("key.pem"), "nothing").unwrap();
    let data = TempDir::new().unwrap();
    let refused = Coordinator::new(engine(&data).await, files.options()).unwrap_err();
    assert!(matches!(refused, ServeError::Tls(_)), "{refused}");
    assert!(refused.to_string().contains("key.pem"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificates_are_used_and_broken_ones_are_not() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::new(&old, None);
    let server = Server::with(files.options()).await;
    assert!(query(&server, trusting(&old)).await.is_some());

    std::fs::write(files.0.path().join("cert.pem"), "nothing").unwrap();
    tokio::time::sleep(RELOAD).await;
    assert!(query(&server, trusting(&old)).await.is_some());

    files.replace(&new);
    tokio::time::sleep(RELOAD).await;
    assert!(query(&server, trusting(&new)).await.is_some());
    assert!(query(&server, trusting(&old)).await.is_none());
}
