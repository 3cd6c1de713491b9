use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sqe_coordinator::{Coordinator, CoordinatorOptions, ServeError, TlsOptions};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::client::Client;
use crate::server::{Server, engine, open};

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

fn options(authority: &Authority, client_ca: Option<&Authority>) -> CoordinatorOptions {
    let (cert, key) = authority.issue("localhost");
    let tls = TlsOptions {
        cert_pem: cert.into(),
        key_pem: key.into(),
        client_ca_pem: client_ca.map(|authority| authority.pem().into()),
    };
    CoordinatorOptions { tls: Some(tls), ..open() }
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
    let server = Server::with(options(&authority, None)).await;
    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem()));
    assert!(query(&server, trusting).await.unwrap().contains("one"));
    let other = Certificate::from_pem(Authority::new().pem());
    assert!(query(&server, ClientTlsConfig::new().ca_certificate(other)).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_certificates_are_demanded_where_an_authority_is_set() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = Server::with(options(&authority, Some(&clients))).await;
    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem()));
    let with =
        |(cert, key): (String, String)| trusting.clone().identity(Identity::from_pem(cert, key));
    assert!(query(&server, with(clients.issue("client"))).await.is_some());
    assert!(query(&server, with(authority.issue("client"))).await.is_none());
    assert!(query(&server, trusting.clone()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_key_is_an_error_before_anything_listens() {
    let authority = Authority::new();
    let mut options = options(&authority, None);
    options.tls.as_mut().unwrap().key_pem = b"nothing".to_vec();
    let data = tempfile::TempDir::new().unwrap();
    let refused = Coordinator::new(engine(&data).await, options).unwrap_err();
    assert!(matches!(refused, ServeError::Tls(_)), "{refused}");
}
