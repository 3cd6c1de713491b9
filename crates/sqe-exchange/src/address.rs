//! Where a worker is, and which run of it.

use std::fmt;
use std::str::FromStr;

use url::Url;
use uuid::Uuid;

/// A worker as plans name it: where it listens and which run of it is meant. What is made for one
/// run is of no use to the next, which knows nothing of it.
///
/// As text it is `http://host:port/incarnation`, with `https` where it speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkerAddress {
    url: Url,
    incarnation: Uuid,
}

impl WorkerAddress {
    /// `origin` is `http://host:port` or `https://host:port`.
    ///
    /// Errors: a sentence that says what is wrong with it.
    pub fn new(origin: &str, incarnation: Uuid) -> Result<Self, String> {
        let mut url = Url::parse(origin).map_err(|error| format!("{origin:?}: {error}"))?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.port_or_known_default().is_some()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !plain {
            return Err(format!("{origin:?} is not of the form http://host:port"));
        }
        url.set_path(&incarnation.to_string());
        Ok(Self { url, incarnation })
    }

    /// The run of the worker.
    pub fn incarnation(&self) -> Uuid {
        self.incarnation
    }

    /// With the incarnation as its path.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where to connect.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Host and port, as people and system tables name a worker.
    pub fn host(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }
}

impl TryFrom<&Url> for WorkerAddress {
    type Error = String;

    fn try_from(url: &Url) -> Result<Self, String> {
        let incarnation = url.path().trim_start_matches('/');
        let incarnation =
            Uuid::from_str(incarnation).map_err(|_| format!("{url} names no run of a worker"))?;
        Ok(Self { url: url.clone(), incarnation })
    }
}

impl fmt::Display for WorkerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_with_its_url() {
        let check = |origin: &str, host: Option<&str>| {
            let address = WorkerAddress::new(origin, Uuid::from_u128(7));
            assert_eq!(address.as_ref().ok().map(WorkerAddress::host).as_deref(), host);
            if let Ok(address) = address {
                assert_eq!(WorkerAddress::try_from(address.url()), Ok(address.clone()));
                assert_eq!(address.origin().trim_end_matches('/'), origin.trim_end_matches('/'));
            }
        };
        check("http://127.0.0.1:50052", Some("127.0.0.1:50052"));
        check("https://worker-1.example:50052/", Some("worker-1.example:50052"));
        check("http://[::1]:50052", Some("[::1]:50052"));
        check("http://user:secret@host:1", None);
        check("http://host:1/path", None);
        check("ftp://host:1", None);
        check("host:1", None);
    }
}
