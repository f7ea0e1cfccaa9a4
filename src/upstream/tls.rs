//! TLS to providers and proxies: whom to believe, which certificate of ours to show.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::{Config, Curve, ModelEntry, TlsChoice, Trust};

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be read: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{} is no PEM file: {error}", .path.display())]
    NotPem { path: PathBuf, error: pem::Error },
    #[error("{} holds no certificate (`-----BEGIN CERTIFICATE-----`) that can be used", .0.display())]
    NoCertificate(PathBuf),
    #[error("{} holds no private key (`-----BEGIN PRIVATE KEY-----`); one with a password cannot be read", .0.display())]
    NoKey(PathBuf),
    #[error("the certificate and the key of {} do not go together: {error}", .path.display())]
    Mismatch { path: PathBuf, error: rustls::Error },
    #[error("TLS cannot be set up: {0}")]
    Other(#[from] rustls::Error),
}

/// Reads every file that the configuration names for TLS; says which deployment it is that cannot be called.
pub fn check(config: &Config) -> Result<(), String> {
    client_config(&config.network.tls, &[])
        .map_err(|error| format!("litellm_settings: {error}"))?;
    for entry in &config.model_list {
        check_entry(config, entry).map_err(|error| format!("deployment {}: {error}", entry.id))?;
    }
    Ok(())
}

/// The same for the files that one deployment names.
pub fn check_entry(config: &Config, entry: &ModelEntry) -> Result<(), TlsError> {
    if let Some(choice) = entry.litellm_params.tls.over(&config.network.tls) {
        client_config(&choice, &[])?;
    }
    Ok(())
}

/// What a client of this choice does. `protocols` are offered by ALPN, the preferred one first.
pub fn client_config(choice: &TlsChoice, protocols: &[&[u8]]) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(provider(choice.curve));
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match &choice.trust {
        Trust::Public => builder.with_root_certificates(public_roots()),
        Trust::File(path) => builder.with_root_certificates(roots(path)?),
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Unchecked::new(provider)?),
    };
    let mut config = match &choice.client_certificate {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let (certificates, key) = (certificates(path)?, key(path)?);
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| TlsError::Mismatch {
                    path: path.clone(),
                    error,
                })?
        }
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// The certificates of a PEM file, in its order; at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| TlsError::NotPem {
        path: path.to_owned(),
        error,
    })?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    Ok(found)
}

/// The private key of a PEM file: PKCS#8, PKCS#1 or SEC1.
pub fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| TlsError::NoKey(path.to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Unreadable {
        path: path.to_owned(),
        error,
    })
}

fn provider(curve: Option<Curve>) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if let Some(curve) = curve {
        provider.kx_groups = vec![match curve {
            Curve::X25519 => ring::kx_group::X25519,
            Curve::P256 => ring::kx_group::SECP256R1,
            Curve::P384 => ring::kx_group::SECP384R1,
        }];
    }
    provider
}

fn public_roots() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    // Bundles of systems hold some that are too old to be read; the others count.
    let (used, _) = store.add_parsable_certificates(certificates(path)?);
    if used == 0 {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    Ok(store)
}

/// Takes any certificate; that its owner has the key is still checked.
#[derive(Debug)]
struct Unchecked(Arc<WebPkiServerVerifier>);

impl Unchecked {
    fn new(provider: Arc<CryptoProvider>) -> Result<Arc<Self>, TlsError> {
        // Whose roots they are is of no importance: only signatures are checked with it.
        WebPkiServerVerifier::builder_with_provider(Arc::new(public_roots()), provider)
            .build()
            .map(|inner| Arc::new(Self(inner)))
            .map_err(|error| TlsError::Other(rustls::Error::General(error.to_string())))
    }
}

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
