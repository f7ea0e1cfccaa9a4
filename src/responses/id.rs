//! Response ids as clients see them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::owner::Owner;
use crate::types::LedgerId;
use crate::vault::{NoRandomness, Purpose, Vault};

/// Every response id begins so, OpenAI's and ours.
pub const PREFIX: &str = "resp_";
/// A longer text is none of ours.
const MOST_BYTES: usize = 4096;

/// What a response id stands for. Its text is sealed, so that nobody can make one up or find out what another one says; it
/// means the same after a restart, and in other instances that have the same salt key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseId {
    pub owner: Owner,
    pub holder: Holder,
}

/// Where a response is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    /// At the upstream of this deployment, under an id of its own.
    Upstream { deployment: Box<str>, id: Box<str> },
    /// Here, as a turn of this id.
    Here(LedgerId),
}

impl ResponseId {
    /// The text for the client, about 200 characters.
    pub fn seal(&self, vault: &Vault) -> Result<String, NoRandomness> {
        // Texts and numbers always serialise.
        let plain = postcard::to_stdvec(self).map_err(|_| NoRandomness)?;
        let sealed = vault.seal(Purpose::ResponseId, &plain)?;
        let mut text = PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string(sealed, &mut text);
        Ok(text)
    }

    /// `None`: not an id that was made with this vault.
    pub fn open(vault: &Vault, text: &str) -> Option<Self> {
        if text.len() > MOST_BYTES {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        postcard::from_bytes(&vault.open(Purpose::ResponseId, &sealed)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{KeyHash, Secret};

    #[test]
    fn an_id_comes_back_as_it_was() {
        let vault = Vault::new(&Secret::new("salt"));
        let owner = Owner::new(&KeyHash::of("sk-1"), None, None);
        let holders = [
            Holder::Here(LedgerId::now()),
            Holder::Upstream {
                deployment: "d-1".into(),
                id: "resp_68af".into(),
            },
        ];
        for holder in holders {
            let id = ResponseId { owner, holder };
            let text = id.seal(&vault).unwrap();
            assert!(text.starts_with(PREFIX), "{text}");
            assert!(!text.contains("68af") && text.len() < 300, "{text}");
            assert_eq!(ResponseId::open(&vault, &text), Some(id));
            let other = Vault::new(&Secret::new("other"));
            assert_eq!(ResponseId::open(&other, &text), None);
            assert_eq!(ResponseId::open(&vault, &text[1..]), None);
        }
    }

    proptest! {
        #[test]
        fn any_text(text in "(resp_)?.{0,80}") {
            let vault = Vault::new(&Secret::new("salt"));
            prop_assert_eq!(ResponseId::open(&vault, &text), None);
        }
    }
}
