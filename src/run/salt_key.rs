//! The salt key, with which secrets in the database are encrypted: `LITELLM_SALT_KEY`, else a random one of the data directory.
//!
//! It is separate from the master key, so that rotating that one leaves the database readable.

use std::path::{Path, PathBuf};

use super::RunError;
use super::data_dir::{self, DataDir};
use super::master_key::random_text;

const FILE: &str = "salt.key";
/// LiteLLM's variable.
const VARIABLE: &str = "LITELLM_SALT_KEY";
/// 256 bits.
const RANDOM_BYTES: usize = 32;

/// Makes the file unless there is one or the variable is set. Answers where it is when it was made.
pub fn ensure(
    data_dir: &DataDir,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<PathBuf>, RunError> {
    if env(VARIABLE).is_some_and(|key| !key.is_empty()) {
        return Ok(None);
    }
    let path = file(data_dir.path());
    let wrong = |error| RunError::DataDir {
        path: path.clone(),
        error,
    };
    match data_dir::read_secret(&path).map_err(wrong)? {
        Some(key) if key.is_empty() => Err(RunError::BadKeyFile(path)),
        Some(_) => Ok(None),
        None => {
            data_dir::write_secret(&path, &random_text(RANDOM_BYTES)?).map_err(wrong)?;
            Ok(Some(path))
        }
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}
