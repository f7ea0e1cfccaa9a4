//! TLS to clients: one certificate, read anew when its files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::upstream::{TlsError, certificates, key};

/// The files are looked at this often.
const PAUSE: Duration = Duration::from_secs(2);

/// Where the certificate is. Both are PEM files; they may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// With the certificates that lead to its root, own one first.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What TLS to clients is made with.
#[derive(Debug)]
pub struct OwnCertificate {
    files: TlsFiles,
    current: ArcSwap<CertifiedKey>,
}

impl OwnCertificate {
    /// Reads the files.
    pub fn read(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::new(Arc::new(certified(&files)?));
        Ok(Arc::new(Self { files, current }))
    }

    /// How the server speaks TLS: HTTP/1.1 is all that is offered.
    pub fn config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Follows the files for as long as the process lives. What cannot be used changes nothing.
    pub async fn follow(self: Arc<Self>) {
        let mut known = self.files.state();
        loop {
            tokio::time::sleep(PAUSE).await;
            let state = self.files.state();
            if state == known {
                continue;
            }
            match certified(&self.files) {
                Ok(next) => {
                    self.current.store(Arc::new(next));
                    log::info!("the certificate for clients was read anew");
                    known = state;
                }
                // Perhaps one of the two is still to come.
                Err(error) => {
                    log::warn!("the certificate for clients stays as it was: {error}");
                    known = state;
                }
            }
        }
    }
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl TlsFiles {
    /// Changes when a file does, also behind a link.
    fn state(&self) -> [Option<(SystemTime, u64)>; 2] {
        let of = |path: &Path| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        [of(&self.certificate), of(&self.key)]
    }
}

fn certified(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let own_key = key(&files.key)?;
    let chain = certificates(&files.certificate)?;
    CertifiedKey::from_der(chain, own_key, &ring::default_provider()).map_err(|error| {
        TlsError::Mismatch {
            path: files.certificate.clone(),
            error,
        }
    })
}
