//! What one operation's requests have of their own, and what their fields tell.

use super::request::RequestError;
use crate::providers::parameters::Parameter;
use crate::types::Operation;

/// Most answers to one prompt.
const MOST_CHOICES: u64 = 1024;

/// The fields of one operation. Each operation's own room has one.
pub struct Shape {
    pub operation: Operation,
    /// The field without which there is nothing to do.
    pub required: &'static str,
    /// `max_tokens` must be said.
    pub needs_max_tokens: bool,
    /// Answers can be streamed.
    pub streams: bool,
    /// A stream tells its usage when `stream_options` ask for it.
    pub asks_usage: bool,
    pub metadata: MetadataUse,
    pub parameters: Parameters,
    /// Names of what [`Facts::betas`] has bits for.
    pub betas: &'static [&'static str],
    /// Reads a field that this operation has and others may not; false for one it does not know. `value` is the field's
    /// whole JSON and never `null`.
    pub field: ReadField,
}

/// What becomes of `metadata`, which always addresses the gateway, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataUse {
    /// OpenAI's chats take it with what they `store` and refuse it otherwise.
    WhenStored,
    /// Goes on.
    Kept,
    /// Goes on with its `user_id` alone: Anthropic refuses what else stands there (LiteLLM 1.106.2).
    UserId,
}

/// How a provider's rules for parameters apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameters {
    /// They are made for it.
    Planned,
    /// It has parameters of its own, which go on as they are; these have the name and the meaning of a chat's, so that a
    /// deployment's defaults for them hold.
    Own(&'static [Parameter]),
}

/// Takes key and value.
pub type ReadField = fn(&mut Facts, &[u8], &[u8]) -> Result<bool, RequestError>;

/// What a request's own fields tell of its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Prompts to answer, each with its own choices; 0 while the required field is missing.
    pub prompts: u64,
    /// Bytes of text (and of tools) that become input tokens.
    pub prompt_bytes: u64,
    /// Input given as token ids already.
    pub token_ids: u64,
    pub max_tokens: Option<u64>,
    /// OpenAI's newer name of `max_tokens`, which wins.
    pub max_completion_tokens: Option<u64>,
    /// `n`.
    pub choices: Option<u64>,
    /// Betas of Anthropic's that the request needs, by their places in the operation's [`Shape::betas`].
    pub betas: u32,
    /// `best_of`: answers made, of which `n` are returned.
    pub candidates: Option<u64>,
}

impl Facts {
    /// Answers that are made and paid for, over all prompts; at least 1.
    pub fn answers(&self) -> u64 {
        let each = self.choices.unwrap_or(1).max(self.candidates.unwrap_or(1));
        each.saturating_mul(self.prompts).max(1)
    }
}

/// The complaint about a field's type or range.
pub fn wrong(field: &'static str, expected: &'static str) -> RequestError {
    RequestError::WrongType { field, expected }
}

/// A whole number ≥ 0; floats without a fraction count, as LiteLLM takes them.
pub fn whole(value: &[u8], field: &'static str) -> Result<u64, RequestError> {
    number(value).ok_or_else(|| wrong(field, "a whole number that is not negative"))
}

/// As [`whole`], for a number of answers: 1 to 1024.
pub fn choices(value: &[u8], field: &'static str) -> Result<u64, RequestError> {
    number(value)
        .filter(|count| (1..=MOST_CHOICES).contains(count))
        .ok_or_else(|| wrong(field, "a whole number from 1 to 1024"))
}

/// Judged by the first item: a mistake is one of kind, and looking at every item would cost a second scan.
pub fn is_list_of_objects(value: &[u8]) -> bool {
    let Some(items) = value.strip_prefix(b"[") else {
        return false;
    };
    let first = items.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b']'))
}

fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    if let Ok(number) = text.parse::<u64>() {
        return Some(number);
    }
    // Texts that only Rust reads as numbers (`inf`, `nan`) begin with a letter.
    if !value.first()?.is_ascii_digit() {
        return None;
    }
    let number = text.parse::<f64>().ok()?;
    (number >= 0.0 && number.fract() == 0.0 && number <= 9e15).then_some(number as u64)
}
