//! The guard at the start: an administrator's key that everybody knows is none (LiteLLM 1.106.2 refuses the same).

use super::general_settings::GeneralSettings;

/// The key of every tutorial.
const PUBLIC_SAMPLE: &str = "sk-1234";

/// What is wrong with the master key. The text says how to put it right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}. {FIX}", self.what())]
pub enum MasterKeyProblem {
    Unset,
    Empty,
    PublicSample,
    WrongPrefix,
}

impl MasterKeyProblem {
    /// The problem without its remedy.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Unset => "no master key is set",
            Self::Empty => "the master key is empty",
            Self::PublicSample => {
                "the master key is the public example `sk-1234`, which everybody knows"
            }
            Self::WrongPrefix => "the master key does not start with `sk-`",
        }
    }
}

const FIX: &str = "Set `general_settings.master_key` (best as `os.environ/LITELLM_MASTER_KEY`) or the environment \
                   variable LITELLM_MASTER_KEY to a secret that starts with `sk-`; `echo sk-$(openssl rand -hex 24)` makes one. \
                   For a test without secrets give the flag --dangerously_permit_weak_or_unset_master_key, or set \
                   `general_settings.dangerously_permit_weak_or_unset_master_key: true` or \
                   LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true; then only this machine is served unless --host is given";

impl GeneralSettings {
    /// What is wrong with the master key, whether or not the settings permit it.
    pub fn master_key_problem(&self) -> Option<MasterKeyProblem> {
        let key = match &self.master_key {
            None => return Some(MasterKeyProblem::Unset),
            Some(key) => key.expose().trim(),
        };
        if key.is_empty() {
            Some(MasterKeyProblem::Empty)
        } else if key == PUBLIC_SAMPLE {
            Some(MasterKeyProblem::PublicSample)
        } else if !key.starts_with("sk-") {
            Some(MasterKeyProblem::WrongPrefix)
        } else {
            None
        }
    }

    /// The problem for which the gateway must not start: one that the settings do not permit.
    pub fn master_key_refusal(&self) -> Option<MasterKeyProblem> {
        self.master_key_problem()
            .filter(|_| !self.dangerously_permit_weak_or_unset_master_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;

    #[test]
    fn weak_keys() {
        for (key, problem) in [
            (None, Some(MasterKeyProblem::Unset)),
            (Some(""), Some(MasterKeyProblem::Empty)),
            (Some(" "), Some(MasterKeyProblem::Empty)),
            (Some("sk-1234"), Some(MasterKeyProblem::PublicSample)),
            (Some("secret"), Some(MasterKeyProblem::WrongPrefix)),
            (Some("sk-5c9e"), None),
        ] {
            let mut settings = GeneralSettings {
                master_key: key.map(Secret::new),
                ..Default::default()
            };
            assert_eq!(settings.master_key_problem(), problem, "{key:?}");
            assert_eq!(settings.master_key_refusal(), problem, "{key:?}");
            settings.dangerously_permit_weak_or_unset_master_key = true;
            assert_eq!(settings.master_key_refusal(), None);
            assert_eq!(settings.master_key_problem(), problem);
        }
        let text = MasterKeyProblem::PublicSample.to_string();
        assert!(
            text.contains("LITELLM_MASTER_KEY")
                && text.contains("dangerously_permit_weak_or_unset_master_key")
        );
    }
}
