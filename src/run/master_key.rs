//! Which administrator's key counts: the configured one, else one of the data directory.
//!
//! Of a generated key only the hash is kept; its text is printed once. A configuration file must name a key of its own: a
//! gateway that somebody set up must not depend on what happens to lie in a folder.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::RunError;
use super::data_dir::{self, DataDir};
use crate::auth::Master;
use crate::config::{GeneralSettings, MasterKeyProblem};
use crate::types::{KeyHash, Secret};

/// Holds the SHA-256 of the generated key, in hex.
const FILE: &str = "master-key.sha256";
/// 192 bits.
const RANDOM_BYTES: usize = 24;

/// Where the key comes from.
pub enum MasterKey {
    /// The configuration's or the environment's.
    Configured(Secret),
    /// Made at an earlier start.
    Kept(KeyHash),
    /// Made at this start, to be kept by [`MasterKey::keep`] once the gateway listens.
    Fresh(Secret),
    /// None, and that is permitted: everybody may call.
    Missing,
}

impl MasterKey {
    /// Decides it. A problem that is permitted is logged.
    pub fn choose(
        general: &GeneralSettings,
        has_config: bool,
        data_dir: &DataDir,
    ) -> Result<Self, RunError> {
        let problem = general.master_key_problem();
        if problem == Some(MasterKeyProblem::Unset) && !has_config {
            return Ok(match kept(data_dir.path())? {
                Some(hash) => Self::Kept(hash),
                None => Self::Fresh(generate()?),
            });
        }
        if let Some(problem) = general.master_key_refusal() {
            return Err(RunError::MasterKey(problem));
        }
        if let Some(problem) = problem {
            log::warn!(
                "{}, and this is permitted: do not let strangers near this gateway",
                problem.what()
            );
        }
        let usable = general
            .master_key
            .clone()
            .filter(|key| !key.expose().trim().is_empty());
        Ok(usable.map_or(Self::Missing, Self::Configured))
    }

    /// What requests are compared with; `None` when there is no key.
    pub fn master(&self) -> Option<Master> {
        match self {
            Self::Configured(key) | Self::Fresh(key) => Some(Master::new(key.expose())),
            Self::Kept(hash) => Some(Master::of_hash(*hash)),
            Self::Missing => None,
        }
    }

    /// Writes the hash of a key that was made now.
    pub fn keep(&self, data_dir: &DataDir) -> Result<(), RunError> {
        match self {
            Self::Fresh(key) => keep(data_dir.path(), key),
            _ => Ok(()),
        }
    }
}

/// `pointsman master-key rotate`: another key for the data directory, printed once.
pub fn rotate(path: &Path) -> Result<(), RunError> {
    // In the wrong folder another one would be made, and the key belong to nobody.
    if !path.is_dir() {
        return Err(RunError::NoDataDir(path.to_owned()));
    }
    let key = generate()?;
    keep(path, &key)?;
    let running = matches!(DataDir::open(path), Err(RunError::Locked(_)));
    let when = if running {
        "A gateway runs on this directory: restart it, until then the key before counts."
    } else {
        "It counts from the next start on; the key before is void."
    };
    super::greeting::say(&format!(
        "The new master key, shown only now; its hash is in {}:\n\n    {}\n\n\
         {when}\nA key in the configuration or in LITELLM_MASTER_KEY goes before it. Virtual keys stay valid.",
        file(path).display(),
        key.expose(),
    ));
    Ok(())
}

/// Where the hash is.
pub fn file(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

fn kept(data_dir: &Path) -> Result<Option<KeyHash>, RunError> {
    let path = file(data_dir);
    match data_dir::read_secret(&path) {
        Ok(None) => Ok(None),
        Ok(Some(text)) => text
            .parse()
            .map(Some)
            .map_err(|_| RunError::BadKeyFile(path)),
        Err(error) => Err(RunError::DataDir { path, error }),
    }
}

fn keep(data_dir: &Path, key: &Secret) -> Result<(), RunError> {
    let path = file(data_dir);
    data_dir::write_secret(&path, &KeyHash::of(key.expose()).to_string())
        .map_err(|error| RunError::DataDir { path, error })
}

fn generate() -> Result<Secret, RunError> {
    random_text(RANDOM_BYTES).map(|text| Secret::new(format!("sk-{text}")))
}

/// So many random bytes, in URL-safe base64.
pub fn random_text(bytes: usize) -> Result<String, RunError> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)
        .map_err(|error| RunError::Other(format!("the system gives no random numbers: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}
