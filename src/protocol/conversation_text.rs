//! What was said in a request, by whom: for whoever judges it by more than its last text.

use super::continuity::field;
use super::user_text::{Speaker, content_text, messages, without_reminders};
use crate::types::Operation;

/// So much of the system prompt is read, in bytes.
const MOST_OF_SYSTEM: usize = 16 << 10;
/// So many turns are read, the last ones.
const MOST_TURNS: usize = 100;

/// See the module. Without reminders of coding agents and results of tools, like [`super::user_text`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationText {
    /// Empty where there is none.
    pub system: String,
    /// What user and model said, in order; the last one of them is what the user says now.
    pub turns: Vec<Turn>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Otherwise the model said it.
    pub is_user: bool,
    pub text: String,
}

impl ConversationText {
    /// Of a request's body. What cannot be read says nothing.
    pub fn of(operation: Operation, body: &[u8]) -> Self {
        let messages = messages(operation, body);
        let first = messages.len().saturating_sub(MOST_TURNS);
        let turns = messages
            .iter()
            .skip(first)
            .filter_map(|(speaker, content)| {
                let is_user = match speaker {
                    Speaker::User => true,
                    Speaker::Assistant => false,
                    Speaker::System | Speaker::Other => return None,
                };
                let text = without_reminders(&content_text(content)?);
                (!text.trim().is_empty()).then_some(Turn { is_user, text })
            });
        Self {
            turns: turns.collect(),
            system: system(operation, body, &messages),
        }
    }
}

/// What a request tells the model before everything else.
pub(super) fn system(operation: Operation, body: &[u8], messages: &[(Speaker, &str)]) -> String {
    let name = match operation.is_of_responses() {
        true => "instructions",
        false => "system",
    };
    let own = field(body, name).and_then(|value| std::str::from_utf8(value).ok());
    let said = messages
        .iter()
        .filter(|(speaker, _)| *speaker == Speaker::System);
    let all = own.into_iter().chain(said.map(|(_, content)| *content));
    let texts: Vec<String> = all.filter_map(content_text).collect();
    let mut text = texts.join("\n");
    text.truncate(text.floor_char_boundary(MOST_OF_SYSTEM));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_protocol() {
        let user = |text: &str| Turn {
            is_user: true,
            text: text.to_owned(),
        };
        let model = |text: &str| Turn {
            is_user: false,
            text: text.to_owned(),
        };
        for (operation, body) in [
            (
                Operation::Chat,
                r#"{"messages": [{"role": "system", "content": "be"}, {"role": "developer", "content": [{"type": "text", "text": "good"}]},
                    {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "tool", "content": "42"},
                    {"role": "user", "content": "c<system-reminder>x</system-reminder>"}]}"#,
            ),
            (
                Operation::Messages,
                r#"{"system": [{"type": "text", "text": "be"}, {"type": "text", "text": "good"}],
                    "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "42"}]},
                    {"role": "user", "content": "c"}]}"#,
            ),
            (
                Operation::Responses,
                r#"{"instructions": "be\ngood", "input": [{"role": "user", "content": "a"},
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
                    {"type": "function_call_output", "output": "42"}, {"role": "user", "content": "c"}]}"#,
            ),
        ] {
            let read = ConversationText::of(operation, body.as_bytes());
            assert_eq!(read.system, "be\ngood", "{operation:?}");
            assert_eq!(
                read.turns,
                [user("a"), model("b"), user("c")],
                "{operation:?}"
            );
        }
        assert_eq!(
            ConversationText::of(Operation::Chat, b"[]"),
            ConversationText::default()
        );
    }
}
