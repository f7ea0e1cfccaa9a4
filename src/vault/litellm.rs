//! What LiteLLM 1.106.2 has encrypted, so that its rows can be read on: never written.
//!
//! Its key is the SHA-256 of the salt key. Texts are base64 of a nonce and what XSalsa20-Poly1305 (NaCl's secretbox) made, or
//! begin with `v2:gcm:` and are AES-256-GCM then.

use aes_gcm::Aes256Gcm;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::{Aead, KeyInit};
use sha2::{Digest, Sha256};

use crate::types::Secret;

const GCM: &str = "v2:gcm:";
const GCM_NONCE: usize = 12;
const BOX_NONCE: usize = 24;
/// With padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The salt key as LiteLLM uses it.
pub struct Keys {
    secretbox: XSalsa20Poly1305,
    gcm: Aes256Gcm,
}

impl Keys {
    pub fn of(salt_key: &Secret) -> Self {
        let key = Sha256::digest(salt_key.expose().as_bytes());
        Self {
            secretbox: XSalsa20Poly1305::new(&key),
            gcm: Aes256Gcm::new(&key),
        }
    }

    /// `None`: of another key, changed, or nothing of LiteLLM's.
    pub fn open(&self, text: &str) -> Option<Vec<u8>> {
        match text.strip_prefix(GCM) {
            Some(text) => {
                let sealed = BASE64.decode(text).ok()?;
                let (nonce, cipher) = sealed.split_first_chunk::<GCM_NONCE>()?;
                self.gcm.decrypt(nonce.into(), cipher).ok()
            }
            None => {
                let sealed = BASE64.decode(text).ok()?;
                let (nonce, cipher) = sealed.split_first_chunk::<BOX_NONCE>()?;
                self.secretbox.decrypt(nonce.into(), cipher).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made with PyNaCl 1.6.2 and cryptography 50.0.2, which are what LiteLLM calls; the nonces are the bytes 0, 1, 2 ….
    #[test]
    fn what_litellm_wrote_is_read() {
        let keys = Keys::of(&Secret::new("sk-salt"));
        for text in [
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXcBQ3xQXSuXFpUyFBKVMAADisBK9C4WlCQgetpA0=",
            "v2:gcm:AAECAwQFBgcICQoLBMF4m_l2yMnOvaQ8rCEa5u_NZ0OVQ1LboO50zmU=",
        ] {
            let opened = keys.open(text);
            assert_eq!(opened.as_deref(), Some(&b"sk-provider-1"[..]));
            assert_eq!(keys.open(text.trim_end_matches('=')), opened);
            assert_eq!(Keys::of(&Secret::new("sk-other")).open(text), None);
            assert_eq!(keys.open(&text.replace("Bgc", "Bgd")), None);
        }
    }

    proptest! {
        #[test]
        fn any_text(text in "(v2:gcm:)?[A-Za-z0-9_=+/-]{0,120}") {
            prop_assert_eq!(Keys::of(&Secret::new("sk-salt")).open(&text), None);
        }
    }
}
