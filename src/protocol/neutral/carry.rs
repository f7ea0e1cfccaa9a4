//! What a translation leaves behind, and what it needs to be undone.

use std::ops::Range;

use super::Reversal;

/// Most entries of one list: a hostile body must not make a long one.
const MOST_NOTES: usize = 64;

/// Something that the target cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCarried {
    /// As the client spells it, such as `logit_bias` or `messages.3.content.0`.
    pub field: String,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A parameter that the target's protocol or model does not have. Whoever asks for strictness refuses the request for it.
    Unsupported,
    /// A proof that only the provider that made it can check.
    Unverifiable,
    /// What a provider did for an earlier answer, of which another knows nothing.
    OtherProvider,
    /// Advice that changes no answer, such as a mark for a prompt cache.
    Hint,
    /// Said in other words: the sense arrives, the exact form does not.
    Approximated,
}

/// A list of what was not carried, each field once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(Vec<NotCarried>);

impl Notes {
    pub fn add(&mut self, field: impl Into<String>, why: Why) {
        if self.0.len() >= MOST_NOTES {
            return;
        }
        let note = NotCarried {
            field: field.into(),
            why,
        };
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// Notes the field when it was said.
    pub fn add_some<T>(&mut self, said: &Option<T>, field: &str, why: Why) {
        if said.is_some() {
            self.add(field, why);
        }
    }

    pub fn list(&self) -> &[NotCarried] {
        &self.0
    }

    pub fn into_list(self) -> Vec<NotCarried> {
        self.0
    }
}

/// A request that cannot be put to the target without changing what it asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Refused {
    /// As the client spells it, such as `n` or `messages.3.content.0`.
    pub field: String,
    pub why: &'static str,
}

/// A request in the target's protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    pub body: Vec<u8>,
    /// Where a chat's messages stand in the body: most of a long request, and as the target takes them.
    pub messages: Option<Range<usize>>,
    /// What turns the answer back into what the client asked for.
    pub reversal: Reversal,
    /// Values for Anthropic's `anthropic-beta` header that the body needs; none for other targets.
    pub betas: Vec<&'static str>,
    pub not_carried: Vec<NotCarried>,
}
