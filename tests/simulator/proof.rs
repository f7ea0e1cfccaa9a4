//! What a provider gives out with thoughts and takes back only unchanged: signatures and encrypted content.
//!
//! A real provider signs with a key of its own. Here a signature is computed from what it stands for, so that it can be checked
//! without remembering anything, and encrypted content also from the account that it was made for.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// As long as real ones are at least.
const SIGNATURE_BYTES: usize = 163;
const PREFIX: &str = "gAAAAAB";

/// Anthropic's signature of a thinking block.
pub fn signature(thinking: &str) -> String {
    let mut bytes = Vec::with_capacity(SIGNATURE_BYTES + 8);
    for round in 0u64.. {
        bytes.extend(hash(&(round, thinking)).to_le_bytes());
        if bytes.len() >= SIGNATURE_BYTES {
            break;
        }
    }
    bytes.truncate(SIGNATURE_BYTES);
    STANDARD.encode(bytes)
}

/// OpenAI's encrypted form of a reasoning item, for one account.
pub fn encrypted(account: &str, thinking: &str) -> String {
    let mut bytes = hash(&(account, thinking)).to_le_bytes().to_vec();
    bytes.extend_from_slice(thinking.as_bytes());
    format!("{PREFIX}{}", URL_SAFE.encode(bytes))
}

/// Whether this account was given this content.
pub fn is_ours(account: &str, encrypted: &str) -> bool {
    let decoded = encrypted
        .strip_prefix(PREFIX)
        .and_then(|text| URL_SAFE.decode(text).ok());
    decoded.is_some_and(|bytes| {
        bytes.split_first_chunk::<8>().is_some_and(|(sum, text)| {
            std::str::from_utf8(text).is_ok_and(|text| hash(&(account, text)).to_le_bytes() == *sum)
        })
    })
}

/// The same in every process, which `DefaultHasher::new` promises and a `RandomState` does not.
fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
