//! Whether a provider's filter has ended an answer.

use std::borrow::Cow;

use serde::Deserialize;

use crate::types::Operation;

/// Looks into a whole answer as the client of `operation` gets it.
pub fn is_filtered(operation: Operation, body: &[u8]) -> bool {
    let word = match operation {
        Operation::Messages => "refusal",
        _ => "content_filter",
    };
    // Most answers do not even have the word.
    memchr::memmem::find(body, word.as_bytes()).is_some()
        && serde_json::from_slice::<Answer<'_>>(body).is_ok_and(|answer| answer.ended_by(word))
}

/// Where each protocol says why an answer ended.
#[derive(Deserialize)]
struct Answer<'a> {
    /// Chat's and text completions'.
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    /// Anthropic's.
    #[serde(borrow, default)]
    stop_reason: Option<Cow<'a, str>>,
    /// Responses'.
    #[serde(borrow, default)]
    incomplete_details: Option<Incomplete<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Incomplete<'a> {
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
}

impl Answer<'_> {
    fn ended_by(&self, word: &str) -> bool {
        let choices = self.choices.iter().map(|choice| &choice.finish_reason);
        let incomplete = self.incomplete_details.iter();
        choices
            .chain([&self.stop_reason])
            .chain(incomplete.map(|incomplete| &incomplete.reason))
            .any(|reason| reason.as_deref() == Some(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filtered_content() {
        use Operation::{Chat, Messages, Responses};
        for (operation, body, expected) in [
            (
                Chat,
                r#"{"choices":[{"finish_reason":"content_filter"}]}"#,
                true,
            ),
            (
                Chat,
                r#"{"choices":[{"finish_reason":"stop"},{"finish_reason":"content_filter"}]}"#,
                true,
            ),
            (
                Chat,
                r#"{"choices":[{"finish_reason":"stop","message":{"content":"content_filter"}}]}"#,
                false,
            ),
            (
                Chat,
                r#"{"choices":[{"finish_reason":null}],"x":"content_filter"}"#,
                false,
            ),
            (Chat, r#"{"choices":"content_filter"}"#, false),
            (Chat, "content_filter", false),
            (Messages, r#"{"stop_reason":"refusal","content":[]}"#, true),
            (
                Messages,
                r#"{"stop_reason":"end_turn","x":"refusal"}"#,
                false,
            ),
            (
                Responses,
                r#"{"incomplete_details":{"reason":"content_filter"}}"#,
                true,
            ),
            (
                Responses,
                r#"{"incomplete_details":null,"x":"content_filter"}"#,
                false,
            ),
        ] {
            assert_eq!(is_filtered(operation, body.as_bytes()), expected, "{body}");
        }
    }
}
