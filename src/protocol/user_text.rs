//! What the user of a request said: read by routers that judge a request by its words.
//!
//! Only texts count, of messages by `user`. What programs put into them (`<system-reminder>` blocks of coding agents, results of
//! tools) is none of the user's.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::continuity::field;
use crate::types::Operation;

/// So much of a text is kept, in bytes.
const MOST_BYTES: usize = 64 << 10;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserText {
    /// The last text, empty where there is none.
    pub last: String,
    /// The first one, by which a conversation can be known.
    pub first: String,
    /// How many messages of the user have a text.
    pub turns: usize,
    /// Nothing came after the last text: no answer, no result of a tool.
    pub is_new: bool,
}

impl UserText {
    /// Of a request's body. What cannot be read has no text: whoever serves the request will say what is wrong with it.
    pub fn of(operation: Operation, body: &[u8]) -> Self {
        let messages = messages(operation, body);
        let by_user = messages.iter().map(|(speaker, content)| {
            let content = (*speaker == Speaker::User).then_some(content);
            content_text(content?)
        });
        Self::of_texts(by_user)
    }

    /// Of what each message says of the user's.
    fn of_texts(texts: impl IntoIterator<Item = Option<String>>) -> Self {
        let mut said = Self::default();
        for text in texts {
            let mut text = without_reminders(&text.unwrap_or_default());
            said.is_new = !text.trim().is_empty();
            if !said.is_new {
                continue;
            }
            text.truncate(text.floor_char_boundary(MOST_BYTES));
            if said.turns == 0 {
                said.first.clone_from(&text);
            }
            said.turns += 1;
            said.last = text;
        }
        said
    }
}

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    User,
    Assistant,
    /// `system` and `developer`.
    System,
    /// Tools, and whatever else there is.
    Other,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    role: Option<&'a str>,
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

/// The messages of a body, in order: who says them, and their content as JSON. What cannot be read is none.
pub(super) fn messages(operation: Operation, body: &[u8]) -> Vec<(Speaker, &str)> {
    let name = match operation {
        Operation::Completion => "prompt",
        Operation::Embedding => "input",
        _ if operation.is_of_responses() => "input",
        _ => "messages",
    };
    let value = field(body, name).and_then(|value| std::str::from_utf8(value).ok());
    let Some(value) = value else {
        return Vec::new();
    };
    if is_text(value) {
        return vec![(Speaker::User, value)];
    }
    let messages: Vec<&RawValue> = serde_json::from_str(value).unwrap_or_default();
    let messages = messages.into_iter().map(RawValue::get);
    messages.filter_map(message).collect()
}

fn message(message: &str) -> Option<(Speaker, &str)> {
    if is_text(message) {
        return Some((Speaker::User, message));
    }
    let read: Message<'_> = serde_json::from_str(message).ok()?;
    let speaker = match read.role {
        Some("user") => Speaker::User,
        Some("assistant") => Speaker::Assistant,
        Some("system" | "developer") => Speaker::System,
        _ => Speaker::Other,
    };
    Some((speaker, read.content.map_or("null", RawValue::get)))
}

fn is_text(value: &str) -> bool {
    value.trim_start().starts_with('"')
}

/// A text, or the texts of parts.
pub(super) fn content_text(content: &str) -> Option<String> {
    if is_text(content) {
        return serde_json::from_str(content).ok();
    }
    let parts: Vec<&RawValue> = serde_json::from_str(content).ok()?;
    let texts = parts.into_iter().filter_map(|part| {
        let part: Part = serde_json::from_str(part.get()).ok()?;
        part.text
    });
    Some(texts.collect::<Vec<_>>().join("\n"))
}

/// A text without what coding agents have added to it.
pub(super) fn without_reminders(text: &str) -> String {
    const BEGIN: &str = "<system-reminder>";
    const END: &str = "</system-reminder>";
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(begin) = rest.find(BEGIN) {
        let Some(end) = rest[begin..].find(END) else {
            break;
        };
        kept.push_str(&rest[..begin]);
        rest = &rest[begin + end + END.len()..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_each_protocol() {
        let said = |operation, body: &str| {
            let said = UserText::of(operation, body.as_bytes());
            (said.first, said.last, said.turns)
        };
        let of = |first: &str, last: &str, turns| (first.to_owned(), last.to_owned(), turns);
        assert_eq!(
            said(
                Operation::Chat,
                r#"{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                   {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "d"}]}]}"#
            ),
            of("a", "c\nd", 2)
        );
        assert_eq!(
            said(
                Operation::Messages,
                r#"{"messages": [{"role": "user", "content": "hi <system-reminder>be nice</system-reminder>"},
                   {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "42"}]},
                   {"role": "user", "content": [{"type": "text", "text": "<system-reminder>x</system-reminder>"}]}]}"#
            ),
            of("hi ", "hi ", 1)
        );
        assert_eq!(
            said(Operation::Responses, r#"{"input": "q"}"#),
            of("q", "q", 1)
        );
        assert_eq!(
            said(
                Operation::Responses,
                r#"{"input": [{"role": "user", "content": [{"type": "input_text", "text": "q"}]}, {"type": "reasoning"}]}"#
            ),
            of("q", "q", 1)
        );
        assert_eq!(
            said(Operation::Completion, r#"{"prompt": ["p", "q"]}"#),
            of("p", "q", 2)
        );
        assert_eq!(said(Operation::Chat, r#"{"messages": 7}"#), of("", "", 0));
        assert_eq!(
            without_reminders("a<system-reminder>b"),
            "a<system-reminder>b"
        );
    }

    #[test]
    fn what_follows_from_a_text_is_not_new() {
        let is_new = |last: &str| {
            let body = format!(
                r#"{{"messages": [{{"role": "user", "content": "a"}}, {{"role": "assistant", "content": "b"}}, {last}]}}"#
            );
            UserText::of(Operation::Messages, body.as_bytes()).is_new
        };
        assert!(is_new(r#"{"role": "user", "content": "c"}"#));
        assert!(!is_new(r#"{"role": "tool", "content": "42"}"#));
        assert!(!is_new(
            r#"{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "42"}, {"type": "text", "text": "<system-reminder>x</system-reminder>"}]}"#
        ));
    }

    proptest! {
        #[test]
        fn anything_is_read(body in "\\PC{0,200}", content in "\\PC{0,40}") {
            for operation in Operation::ALL {
                UserText::of(operation, body.as_bytes());
                let body = format!("{{\"messages\": [{{\"role\": \"user\", \"content\": {content}}}], \"input\": {content}}}");
                UserText::of(operation, body.as_bytes());
            }
        }
    }
}
