//! Whose proof a thought's signature is.
//!
//! Anthropic's signatures are base64 and stand as they are. The proof of a reasoning item of OpenAI's Responses API is its
//! `encrypted_content`, which belongs to the item's id: both are kept in one text, so that clients of other protocols carry
//! them as a signature and bring them back unchanged. Who made a proof can read it; to all others it is left out.

/// Begins a proof of the Responses API. No base64 has a colon.
pub const RESPONSES: &str = "openai-responses:";

/// A signature, told apart by who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof<'s> {
    Anthropic(&'s str),
    /// A reasoning item's id, which may be empty, and its `encrypted_content`.
    Responses {
        id: &'s str,
        encrypted: &'s str,
    },
}

impl<'s> Proof<'s> {
    pub fn of(signature: &'s str) -> Self {
        let own = signature.strip_prefix(RESPONSES);
        match own.and_then(|rest| rest.split_once(':')) {
            Some((id, encrypted)) => Self::Responses { id, encrypted },
            None => Self::Anthropic(signature),
        }
    }
}

/// The signature for a reasoning item. An id that could not be told from what follows is left out.
pub fn of_reasoning_item(id: &str, encrypted: &str) -> String {
    let id = if id.contains(':') { "" } else { id };
    format!("{RESPONSES}{id}:{encrypted}")
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
            assert_eq!(
                Proof::of(&signature),
                Proof::Responses {
                    id: kept,
                    encrypted
                }
            );
            assert!(!is_anthropic(&signature));
        }
        assert_eq!(Proof::of("EqQB+/=="), Proof::Anthropic("EqQB+/=="));
    }
}
