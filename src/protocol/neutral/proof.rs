//! Whose proof a thought's signature is.
//!
//! Anthropic's signatures are base64 and stand as they are. The proof of a reasoning item of OpenAI's Responses API is its
//! `encrypted_content`, which belongs to the item's id and can be read with the account alone by which it was made. All of it
//! is kept in one text, so that clients of other protocols carry it as a signature and bring it back unchanged. Who made a
//! proof can read it; to all others it is left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Begins a proof of the Responses API. No base64 has a colon.
pub const RESPONSES: &str = "openai-responses:";

/// A signature, told apart by who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof<'s> {
    Anthropic(&'s str),
    Responses(Item<'s>),
}

/// The proof of a reasoning item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'s> {
    /// The deployment that made it, in base64; empty: unknown.
    maker: &'s str,
    /// Its own id; may be empty.
    pub id: &'s str,
    /// Its `encrypted_content`.
    pub encrypted: &'s str,
}

impl<'s> Proof<'s> {
    pub fn of(signature: &'s str) -> Self {
        let own = signature.strip_prefix(RESPONSES);
        let parts = own.and_then(|rest| {
            let (maker, rest) = rest.split_once(':')?;
            Some((maker, rest.split_once(':')?))
        });
        match parts {
            Some((maker, (id, encrypted))) => Self::Responses(Item {
                maker,
                id,
                encrypted,
            }),
            None => Self::Anthropic(signature),
        }
    }
}

impl Item<'_> {
    /// Whether this deployment can read it: it made it, or nobody knows who did.
    pub fn is_for(&self, deployment: &str) -> bool {
        self.maker.is_empty() || self.maker == STANDARD_NO_PAD.encode(deployment)
    }
}

/// The signature for a reasoning item of an unknown maker. An id that could not be told from what follows is left out.
pub fn of_reasoning_item(id: &str, encrypted: &str) -> String {
    written("", id, encrypted)
}

/// The same signature, made by this deployment; `None` for one that is none of the Responses API.
pub fn made_by(signature: &str, deployment: &str) -> Option<String> {
    match Proof::of(signature) {
        Proof::Responses(item) => {
            let maker = STANDARD_NO_PAD.encode(deployment);
            Some(written(&maker, item.id, item.encrypted))
        }
        Proof::Anthropic(_) => None,
    }
}

fn written(maker: &str, id: &str, encrypted: &str) -> String {
    let id = if id.contains(':') { "" } else { id };
    format!("{RESPONSES}{maker}:{id}:{encrypted}")
}

/// Anthropic can check it.
pub fn is_anthropic(signature: &str) -> bool {
    matches!(Proof::of(signature), Proof::Anthropic(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_told_apart() {
        for (id, encrypted, kept) in [
            ("rs_1", "gAAA==", "rs_1"),
            ("", "a:b", ""),
            ("odd:id", "x", ""),
        ] {
            let signature = of_reasoning_item(id, encrypted);
            let marked = made_by(&signature, "de:pl").unwrap();
            for (signature, is_for_others) in [(signature, true), (marked, false)] {
                let Proof::Responses(item) = Proof::of(&signature) else {
                    panic!("{signature}");
                };
                assert_eq!((item.id, item.encrypted), (kept, encrypted));
                assert!(item.is_for("de:pl"));
                assert_eq!(item.is_for("other"), is_for_others);
                assert!(!is_anthropic(&signature));
            }
        }
        assert_eq!(Proof::of("EqQB+/=="), Proof::Anthropic("EqQB+/=="));
        assert_eq!(made_by("EqQB+/==", "d"), None);
    }
}
