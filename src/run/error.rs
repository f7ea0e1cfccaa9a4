//! What keeps the gateway from starting.

use std::path::PathBuf;

use crate::cli::ModelsError;
use crate::config::{LoadError, MasterKeyProblem};
use crate::http::{RootPathError, ServeError};
use crate::spend::{RecoveryError, VerifyError};
use crate::store::StoreError;
use crate::types::DatabaseUrlError;
use crate::upstream::TlsError;

use super::WINDOW_VARIABLE;

/// Why the gateway did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Config(#[from] LoadError),
    #[error("the configuration has errors (above); nothing was started")]
    ConfigHasErrors,
    #[error("{0}")]
    Models(#[from] ModelsError),
    #[error("--{name} is not obeyed: {why}")]
    Flag {
        name: &'static str,
        why: &'static str,
    },
    #[error("SERVER_ROOT_PATH: {0}")]
    RootPath(#[from] RootPathError),
    #[error("{0}")]
    MasterKey(MasterKeyProblem),
    #[error(
        "{} does not hold what was written there; remove it to have another key made at the next start", .0.display()
    )]
    BadKeyFile(PathBuf),
    #[error("{WINDOW_VARIABLE} must be a whole number of seconds from 1 to 86400")]
    Window,
    #[error("TLS to providers: {0}")]
    Tls(String),
    #[error("TLS to clients needs a certificate and its key: {0} is not given")]
    HalfTls(&'static str),
    #[error("TLS to clients: {0}")]
    OwnTls(TlsError),
    #[error("the data directory {} cannot be used: {error}", .path.display())]
    DataDir {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error(
        "there is no data directory {} here; --data-dir says where it is, and the first start of `pointsman` makes it", .0.display()
    )]
    NoDataDir(PathBuf),
    #[error(
        "there is no database {} here; --config or --database-url says where it is", .0.display()
    )]
    NoDatabase(PathBuf),
    #[error("--database-url: {0}")]
    DatabaseUrl(DatabaseUrlError),
    #[error("the ledger cannot be looked at: {0}")]
    Verify(#[from] VerifyError),
    #[error("the data directory {} is in use by another pointsman; give each process its own --data-dir", .0.display())]
    Locked(PathBuf),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("the ledger cannot be brought up to date: {0}")]
    Recovery(#[from] RecoveryError),
    #[error("{0}")]
    Serve(#[from] ServeError),
    #[error("{0}")]
    Other(String),
}
