//! The request that asks for the rest of an answer.

use bytes::Bytes;
use serde_json::Value;

use crate::protocol::continuity::field;
use crate::protocol::json;
use crate::protocol::json_write;
use crate::protocol::openai::request::Request;
use crate::types::Operation;

/// What the model is told where it does not go on from its own words by itself.
const WISH: &str = "Your message above was cut off by a technical fault. Go on with it exactly where it ends: what you write \
                    now is appended to it as it is. Repeat nothing of it, do not begin anew, and say nothing about the interruption.";

/// Fields that bound an answer's tokens.
const BOUNDS: [&str; 3] = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
/// Providers take no smaller bound (OpenAI's Responses API: 16).
const LEAST_BOUND: u64 = 16;

/// How a model is brought to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Its words stand last in the conversation: it goes on from them (`supports_assistant_prefill`).
    Prefilled,
    /// It is asked to.
    Asked,
}

/// Whether the answer has a form that only a whole one can have: a provider would make the rest whole again.
pub fn has_format(request: &Request<'_>) -> bool {
    let read = |name: &str| -> Value {
        let value = field(request.bytes(), name);
        value
            .and_then(|value| serde_json::from_slice(value).ok())
            .unwrap_or_default()
    };
    let is_formed = |format: &Value| !format.is_null() && format["type"] != "text";
    is_formed(&read("response_format"))
        || is_formed(&read("output_format"))
        || is_formed(&read("output_config")["format"])
        || is_formed(&read("text")["format"])
}

/// The request for the rest of an answer of which `text` has been delivered; `None` where the request itself asks for it:
/// nothing has, or it is no conversation.
pub fn question(request: &Request<'_>, text: &str, manner: Manner) -> Option<Bytes> {
    if text.is_empty() {
        return None;
    }
    let body = request.bytes();
    let (name, list) = match request.operation() {
        Operation::Chat | Operation::Messages => ("messages", messages(body, text, manner)?),
        Operation::Responses => ("input", input(body, text)?),
        Operation::Completion | Operation::Embedding | Operation::Compaction => return None,
    };
    let mut fields = vec![(name.to_owned(), list)];
    // A bound must stay above the budget of thoughts.
    if field(body, "thinking").is_none() {
        for bound in BOUNDS {
            let asked =
                field(body, bound).and_then(|value| serde_json::from_slice::<u64>(value).ok());
            if let Some(asked) = asked {
                let left = asked.saturating_sub(text.len() as u64 / 4).max(LEAST_BOUND);
                fields.push((bound.to_owned(), left.min(asked).to_string().into_bytes()));
            }
        }
    }
    Some(request.with_fields(&fields))
}

/// Whether a model goes on by itself from words that stand last: not where it thinks first, nor (Anthropic) behind white space.
pub fn may_be_prefilled(request: &Request<'_>, text: &str) -> bool {
    request.operation() == Operation::Messages
        && field(request.bytes(), "thinking").is_none()
        && !text.ends_with(char::is_whitespace)
}

fn messages(body: &[u8], text: &str, manner: Manner) -> Option<Vec<u8>> {
    let mut list = opened(field(body, "messages")?)?;
    let mut add = |role: &str, text: &str| {
        list.push(b',');
        json_write::object(&mut list, |out| {
            out.text("role", role);
            out.text("content", text);
        });
    };
    add("assistant", text);
    if manner == Manner::Asked {
        add("user", WISH);
    }
    list.push(b']');
    Some(list)
}

fn input(body: &[u8], text: &str) -> Option<Vec<u8>> {
    let input = field(body, "input")?;
    let mut list = Vec::with_capacity(input.len() + text.len() + WISH.len() + 256);
    let add = |list: &mut Vec<u8>, role: &str, kind: &str, text: &[u8]| {
        json_write::object(list, |out| {
            out.text("type", "message");
            out.text("role", role);
            out.array("content", |out| {
                out.object(|out| {
                    out.text("type", kind);
                    out.raw("text", text);
                });
            });
        });
    };
    if input.first() == Some(&b'"') {
        list.push(b'[');
        add(&mut list, "user", "input_text", input);
    } else {
        list = opened(input)?;
    }
    list.push(b',');
    add(&mut list, "assistant", "output_text", &json::quoted(text));
    list.push(b',');
    add(&mut list, "user", "input_text", &json::quoted(WISH));
    list.push(b']');
    Some(list)
}

/// An array that has items, without its end.
fn opened(list: &[u8]) -> Option<Vec<u8>> {
    let items = list.trim_ascii().strip_prefix(b"[")?.strip_suffix(b"]")?;
    (!items.trim_ascii().is_empty()).then(|| [b"[", items].concat())
}
