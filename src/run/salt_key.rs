//! The salt key, with which secrets in the database are encrypted: `LITELLM_SALT_KEY`, else a random one of the data directory.
//!
//! It is separate from the master key, so that rotating that one leaves the database readable.

use std::path::{Path, PathBuf};

use super::RunError;
use super::data_dir::{self, DataDir};
use super::master_key::random_text;
use crate::types::Secret;

const FILE: &str = "salt.key";
/// LiteLLM's variable.
const VARIABLE: &str = "LITELLM_SALT_KEY";
/// 256 bits.
const RANDOM_BYTES: usize = 32;

/// The salt key.
pub struct SaltKey {
    pub key: Secret,
    /// The file that was made for it, if none was there.
    pub made: Option<PathBuf>,
}

/// Reads it; makes the file unless there is one or the variable is set.
pub fn read(data_dir: &DataDir, env: &dyn Fn(&str) -> Option<String>) -> Result<SaltKey, RunError> {
    let known = |key: String| SaltKey {
        key: Secret::new(key),
        made: None,
    };
    if let Some(key) = env(VARIABLE).filter(|key| !key.is_empty()) {
        return Ok(known(key));
    }
    let path = file(data_dir.path());
    let wrong = |error| RunError::DataDir {
        path: path.clone(),
        error,
    };
    match data_dir::read_secret(&path).map_err(wrong)? {
        Some(key) if key.is_empty() => Err(RunError::BadKeyFile(path)),
        Some(key) => Ok(known(key)),
        None => {
            let key = random_text(RANDOM_BYTES)?;
            data_dir::write_secret(&path, &key).map_err(wrong)?;
            Ok(SaltKey {
                key: Secret::new(key),
                made: Some(path),
            })
        }
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}
