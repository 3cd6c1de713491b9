//! TLS of a listener. Certificates are read again when their files change; a connection
//! that is there keeps what it was opened with.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures::{Stream, StreamExt};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, info, warn};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Clients that are in no hurry keep nobody else waiting.
const CONCURRENT_HANDSHAKES: usize = 256;
/// How often the files are looked at, while clients connect.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The PEM files of a listener's TLS. They are read again when they change.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// The certificate chain, leaf first.
    pub cert: PathBuf,
    /// The private key of the leaf.
    pub key: PathBuf,
    /// The CAs that sign client certificates; where it is set, clients must show one.
    pub client_ca: Option<PathBuf>,
}

/// The certificates of a listener as they are now.
#[derive(Debug)]
pub struct Certificates {
    options: TlsOptions,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    stamps: Vec<Stamp>,
    checked: Instant,
}

/// What tells a file from what it was.
type Stamp = Option<(SystemTime, u64)>;

impl Certificates {
    /// Errors: a sentence that names the file which cannot be used.
    pub fn load(options: &TlsOptions) -> Result<Self, String> {
        let stamps = stamps(options);
        let config = Arc::new(read(options)?);
        let current = Current { config, stamps, checked: Instant::now() };
        Ok(Self { options: options.clone(), current: Mutex::new(current) })
    }

    /// The handshakes of `incoming`. One that fails concerns nobody else.
    pub fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        incoming: impl Stream<Item = io::Result<S>>,
    ) -> impl Stream<Item = io::Result<TlsStream<S>>> {
        let handshakes = incoming.map(move |tcp| {
            let acceptor = TlsAcceptor::from(self.current());
            async move {
                match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(tcp?)).await {
                    Ok(stream) => stream,
                    Err(_) => Err(io::ErrorKind::TimedOut.into()),
                }
            }
        });
        handshakes.buffer_unordered(CONCURRENT_HANDSHAKES).filter_map(async |stream| {
            stream.map(Ok).map_err(|error| debug!(%error, "a TLS handshake failed")).ok()
        })
    }

    /// What the next connection gets.
    fn current(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.checked.elapsed() >= CHECK_INTERVAL {
            current.checked = Instant::now();
            let stamps = stamps(&self.options);
            if stamps != current.stamps {
                current.stamps = stamps;
                match read(&self.options) {
                    Ok(config) => {
                        current.config = Arc::new(config);
                        info!("the certificates were read again");
                    }
                    Err(error) => warn!(error, "the old certificates stay in use"),
                }
            }
        }
        Arc::clone(&current.config)
    }
}

fn stamps(options: &TlsOptions) -> Vec<Stamp> {
    let files = [Some(&options.cert), Some(&options.key), options.client_ca.as_ref()];
    let stamp = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.into_iter().flatten().map(stamp).collect()
}

fn read(options: &TlsOptions) -> Result<ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(&options.cert)?;
    let key = PrivateKeyDer::from_pem_file(&options.key)
        .map_err(|error| format!("{}: {error}", options.key.display()))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &options.client_ca {
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                let added = roots.add(certificate);
                added.map_err(|error| format!("{}: {error}", file.display()))?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let verifier = verifier.map_err(|error| format!("{}: {error}", file.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        format!("{} and {}: {error}", options.cert.display(), options.key.display())
    })?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let read = CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))?;
    let read = read.collect::<Result<Vec<_>, _>>().map_err(|error| failed(&error))?;
    match read.is_empty() {
        true => Err(failed(&"it holds no certificate")),
        false => Ok(read),
    }
}
