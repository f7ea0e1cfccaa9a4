//! Whose proof stands in the `encrypted_content` of a reasoning item.
//!
//! OpenAI's stands as it is. Anthropic's signatures and redacted thoughts are told to clients of the Responses API in the same
//! field, marked with who made them; no proof of OpenAI's has a colon. What is not the target's own is left out, never
//! changed and never made up.

use crate::protocol::neutral::Content;
use crate::protocol::neutral::proof::{self, Proof};

const SIGNED: &str = "anthropic-thinking:";
const REDACTED: &str = "anthropic-redacted:";

/// Who can check an `encrypted_content`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// OpenAI, or whoever else was called by the Responses API.
    Responses,
    Anthropic,
}

/// Who made the value of an `encrypted_content`.
pub fn maker(encrypted_content: &str) -> Maker {
    if encrypted_content.starts_with(SIGNED) || encrypted_content.starts_with(REDACTED) {
        Maker::Anthropic
    } else {
        Maker::Responses
    }
}

/// A reasoning item as a thought.
pub fn decode(id: &str, text: String, encrypted_content: Option<&str>) -> Content {
    let Some(encrypted) = encrypted_content else {
        return Content::Thinking {
            text,
            signature: None,
        };
    };
    if let Some(data) = encrypted.strip_prefix(REDACTED) {
        return Content::RedactedThinking(data.to_owned());
    }
    let signature = match encrypted.strip_prefix(SIGNED) {
        Some(signature) => signature.to_owned(),
        None => proof::of_reasoning_item(id, encrypted),
    };
    Content::Thinking {
        text,
        signature: Some(signature),
    }
}

/// The `encrypted_content` for a thought's signature.
pub fn of_signature(signature: &str) -> String {
    match Proof::of(signature) {
        Proof::Anthropic(signature) => format!("{SIGNED}{signature}"),
        Proof::Responses(item) => item.encrypted.to_owned(),
    }
}

/// The same for a redacted thought.
pub fn of_redacted(data: &str) -> String {
    format!("{REDACTED}{data}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_come_back_as_they_went() {
        for encrypted in [
            "gAAA==",
            "anthropic-thinking:EqQB+/==",
            "anthropic-redacted:ZZ",
        ] {
            let thought = decode("rs_1", "Hm".to_owned(), Some(encrypted));
            let back = match &thought {
                Content::Thinking { signature, .. } => of_signature(signature.as_deref().unwrap()),
                Content::RedactedThinking(data) => of_redacted(data),
                other => panic!("{other:?}"),
            };
            assert_eq!(back, encrypted);
        }
        assert_eq!(maker("gAAA=="), Maker::Responses);
        assert_eq!(maker("anthropic-redacted:ZZ"), Maker::Anthropic);
        let thought = decode("rs_1", "Hm".to_owned(), None);
        assert!(matches!(
            thought,
            Content::Thinking {
                signature: None,
                ..
            }
        ));
    }
}
