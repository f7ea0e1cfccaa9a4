//! A certificate authority for tests, made once a run: its own certificate, one for servers on this machine, one for clients.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

/// The files, all PEM.
pub struct Authority {
    folder: TempDir,
}

/// The one of this run.
pub static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Tests of Pointsman");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("a file");
        let issuer = Issuer::new(params, key);
        let made = Self { folder };
        made.issue(&issuer, "server", ExtendedKeyUsagePurpose::ServerAuth);
        made.issue(&issuer, "renewed", ExtendedKeyUsagePurpose::ServerAuth);
        made.issue(&issuer, "client", ExtendedKeyUsagePurpose::ClientAuth);
        made
    }

    /// Writes `name.pem` (certificate), `name.key` and both in `name-both.pem`.
    fn issue(&self, issuer: &Issuer<'_, KeyPair>, name: &str, usage: ExtendedKeyUsagePurpose) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names).expect("parameters");
        params.extended_key_usages = vec![usage];
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, issuer).expect("a certificate");
        let write = |end: &str, text: String| {
            std::fs::write(self.path(&format!("{name}{end}")), text).expect("a file");
        };
        write(".pem", certificate.pem());
        write(".key", key.serialize_pem());
        write("-both.pem", certificate.pem() + &key.serialize_pem());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file, as text for configurations: `ca.pem`, `server.pem`, `server.key`, `client-both.pem` …
    pub fn file(&self, name: &str) -> String {
        let path = self.path(name);
        assert!(Path::new(&path).exists(), "{path:?}");
        path.display().to_string()
    }
}
