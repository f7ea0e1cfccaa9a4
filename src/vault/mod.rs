//! What only this gateway may read: texts sealed with its salt key before they leave it or are written down.
//!
//! Response ids that clients carry, conversations and the parameters of deployments that the database keeps are sealed here:
//! encrypted, and of no use when a bit of them was changed (XChaCha20-Poly1305, with a random nonce each, so that one key serves any number of them). Pure but
//! for the random numbers; knows nothing of what it seals. The salt key itself never leaves this room.

mod litellm;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

use crate::types::Secret;

const NONCE: usize = 24;
/// What the tag adds.
const TAG: usize = 16;

/// What a sealed text is for. One that was sealed for something else does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// An id that a client is given for a response.
    ResponseId,
    /// The conversation of the response with this key.
    Conversation(&'a [u8]),
    /// A parameter of the deployment with this id.
    ModelParameter(&'a [u8]),
}

/// The system gives no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// See the module.
pub struct Vault {
    own: XChaCha20Poly1305,
    litellm: litellm::Keys,
}

impl Vault {
    /// A vault that everybody who knows `salt_key` can open. The text may have any length; it should be random.
    pub fn new(salt_key: &Secret) -> Self {
        let mut hash = Sha256::new();
        // Other uses of the salt key must come to other keys.
        hash.update(b"pointsman vault 1\0");
        hash.update(salt_key.expose().as_bytes());
        Self {
            own: XChaCha20Poly1305::new(Key::from_slice(&hash.finalize())),
            litellm: litellm::Keys::of(salt_key),
        }
    }

    /// `plain`, 40 bytes longer and unreadable.
    pub fn seal(&self, purpose: Purpose<'_>, plain: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        let mut sealed = vec![0; NONCE];
        getrandom::fill(&mut sealed).map_err(|_| NoRandomness)?;
        let aad = purpose.bytes();
        let payload = Payload {
            msg: plain,
            aad: &aad,
        };
        let cipher = self.own.encrypt(XNonce::from_slice(&sealed), payload);
        // Fails for texts of 256 GiB and more alone.
        sealed.extend_from_slice(&cipher.map_err(|_| NoRandomness)?);
        Ok(sealed)
    }

    /// What was sealed for the same purpose with the same salt key; `None` for anything else.
    pub fn open(&self, purpose: Purpose<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, cipher) = sealed.split_first_chunk::<NONCE>()?;
        if cipher.len() < TAG {
            return None;
        }
        let aad = purpose.bytes();
        let payload = Payload {
            msg: cipher,
            aad: &aad,
        };
        self.own.decrypt(XNonce::from_slice(nonce), payload).ok()
    }

    /// What LiteLLM has encrypted with the same salt key; `None` for anything else.
    pub fn open_litellm(&self, text: &str) -> Option<Vec<u8>> {
        self.litellm.open(text)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}

impl Purpose<'_> {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::ResponseId => b"response id".to_vec(),
            Self::Conversation(key) => [b"conversation\0", key].concat(),
            Self::ModelParameter(id) => [b"model parameter\0", id].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vault(salt_key: &str) -> Vault {
        Vault::new(&Secret::new(salt_key))
    }

    #[test]
    fn only_the_same_key_and_purpose_open_it() {
        let sealed = vault("a").seal(Purpose::ResponseId, b"plain").unwrap();
        assert_eq!(sealed.len(), 5 + NONCE + TAG);
        assert_eq!(
            vault("a").open(Purpose::ResponseId, &sealed).as_deref(),
            Some(&b"plain"[..])
        );
        assert_eq!(vault("b").open(Purpose::ResponseId, &sealed), None);
        for purpose in [Purpose::Conversation(b""), Purpose::Conversation(b"1")] {
            assert_eq!(vault("a").open(purpose, &sealed), None);
        }
        let again = vault("a").seal(Purpose::ResponseId, b"plain").unwrap();
        assert_ne!(sealed, again, "each has a nonce of its own");
    }

    proptest! {
        #[test]
        fn what_was_changed_does_not_open(
            plain in prop::collection::vec(any::<u8>(), 0..80),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let vault = vault("salt");
            let mut sealed = vault.seal(Purpose::Conversation(b"k"), &plain).unwrap();
            prop_assert_eq!(vault.open(Purpose::Conversation(b"k"), &sealed), Some(plain));
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert_eq!(vault.open(Purpose::Conversation(b"k"), &sealed), None);
        }

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(vault("salt").open(Purpose::ResponseId, &bytes), None);
        }
    }
}
