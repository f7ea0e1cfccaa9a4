//! The slow way: a chunk written anew as OpenAI would have sent it.
//!
//! Hosts that speak OpenAI's format differ in their streams; clients are written against OpenAI's. What is evened out: every
//! chunk has the same id, time and object; the first one names the role; a finish reason stands on a chunk of its own after
//! the content; usage on none. All other fields stay as they came.

use serde_json::value::RawValue;

use crate::protocol::json::{quoted, raw_fields};
use crate::protocol::openai_completions::as_chat;

/// What every chunk of a stream has in common, as JSON.
#[derive(Clone, Debug)]
pub struct Stamp {
    pub id: Vec<u8>,
    pub object: Vec<u8>,
    pub created: Vec<u8>,
    pub model: Vec<u8>,
}

/// What else is to change in a chunk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    /// Its deltas begin the message and do not say so.
    pub add_role: bool,
    /// The usage has no place here.
    pub drop_usage: bool,
    /// A choice that ends with `stop` has called tools.
    pub stop_means_tools: bool,
    /// The chunks are a chat's, and a text completion was asked for.
    pub chat_to_text: bool,
}

type Fields<'a> = [(String, &'a RawValue)];

/// Writes the events that a chunk becomes: one, or two where content and finish reason shared it. `None` when the chunk is
/// not made of objects.
pub fn write(payload: &[u8], stamp: &Stamp, change: Change) -> Option<Vec<u8>> {
    let fields = raw_fields(payload).ok()?;
    let choices = fields.iter().find(|(key, _)| key == "choices");
    let choices: Vec<&RawValue> = match choices {
        Some((_, value)) => serde_json::from_str::<Option<_>>(value.get())
            .ok()?
            .unwrap_or_default(),
        None => Vec::new(),
    };
    let (mut saying, mut ending) = (Vec::new(), Vec::new());
    for choice in &choices {
        let text = if change.chat_to_text {
            Some(as_chat::choice(choice, "delta")?)
        } else {
            None
        };
        let choice = raw_fields(text.as_deref().unwrap_or(choice.get().as_bytes())).ok()?;
        let reason = reason(&choice, change);
        match reason {
            Some(reason) if says_something(&choice) => {
                saying.push(said(&choice, None, change)?);
                ending.push(ended(&choice, &reason));
            }
            Some(reason) => ending.push(said(&choice, Some(&reason), change)?),
            None => saying.push(said(&choice, None, change)?),
        }
    }
    let mut out = Vec::with_capacity(payload.len() + 128);
    if !saying.is_empty() || ending.is_empty() {
        event(&fields, &saying, stamp, change.drop_usage, &mut out);
    }
    if !ending.is_empty() {
        event(&fields, &ending, stamp, change.drop_usage, &mut out);
    }
    Some(out)
}

/// The event that carries usage alone.
pub fn usage_event(stamp: &Stamp, usage: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    event(&[], &[], stamp, true, &mut out);
    // Behind `"choices":[]`, within the object.
    out.truncate(out.len() - b"}\n\n".len());
    out.extend_from_slice(b",\"usage\":");
    out.extend_from_slice(usage);
    out.extend_from_slice(b"}\n\n");
    out
}

/// The event that ends the only choice of a stream whose host forgot to. `is_text`: of a text completion.
pub fn ending_event(stamp: &Stamp, is_text: bool, reason: &str) -> Vec<u8> {
    let mut out = Vec::new();
    event(
        &[],
        &[ending("0", is_text, &format!("\"{reason}\""))],
        stamp,
        true,
        &mut out,
    );
    out
}

/// A choice that brings nothing but its end.
fn ending(index: &str, is_text: bool, reason: &str) -> Vec<u8> {
    let content = if is_text {
        r#""text":"""#
    } else {
        r#""delta":{}"#
    };
    format!(r#"{{"index":{index},{content},"finish_reason":{reason}}}"#).into_bytes()
}

fn event(
    fields: &Fields<'_>,
    choices: &[Vec<u8>],
    stamp: &Stamp,
    drop_usage: bool,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"data: {");
    let stamped = [
        ("id", &stamp.id),
        ("object", &stamp.object),
        ("created", &stamp.created),
        ("model", &stamp.model),
    ];
    for (key, value) in stamped {
        out.extend_from_slice(format!("\"{key}\":").as_bytes());
        out.extend_from_slice(value);
        out.push(b',');
    }
    out.extend_from_slice(b"\"choices\":[");
    out.extend_from_slice(&choices.join(&b','));
    out.push(b']');
    for (key, value) in fields {
        let stamped = ["id", "object", "created", "model", "choices"].contains(&key.as_str());
        if stamped || (drop_usage && key == "usage") {
            continue;
        }
        out.push(b',');
        field(key, value.get(), out);
    }
    out.extend_from_slice(b"}\n\n");
}

fn field(key: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&quoted(key));
    out.push(b':');
    out.extend_from_slice(value.as_bytes());
}

/// The finish reason, unless it is absent, null or empty.
fn reason(choice: &Fields<'_>, change: Change) -> Option<String> {
    let (_, value) = choice.iter().find(|(key, _)| key == "finish_reason")?;
    match value.get() {
        "null" | "\"\"" => None,
        "\"stop\"" if change.stop_means_tools => Some("\"tool_calls\"".to_owned()),
        reason => Some(reason.to_owned()),
    }
}

/// Whether the choice brings more than a role: a delta with anything in it, or a text.
fn says_something(choice: &Fields<'_>) -> bool {
    let is_empty = |value: &RawValue| matches!(value.get(), "null" | "\"\"" | "[]" | "{}");
    choice.iter().any(|(key, value)| match key.as_str() {
        "text" => !is_empty(value),
        "delta" => raw_fields(value.get().as_bytes()).is_ok_and(|delta| {
            delta
                .iter()
                .any(|(key, value)| key != "role" && !is_empty(value))
        }),
        _ => false,
    })
}

/// The choice with this finish reason in place of its own.
fn said(choice: &Fields<'_>, reason: Option<&str>, change: Change) -> Option<Vec<u8>> {
    let mut out = vec![b'{'];
    for (key, value) in choice {
        if out.len() > 1 {
            out.push(b',');
        }
        match key.as_str() {
            "finish_reason" => field(key, reason.unwrap_or("null"), &mut out),
            "delta" if change.add_role => field(key, &with_role(value)?, &mut out),
            _ => field(key, value.get(), &mut out),
        }
    }
    out.push(b'}');
    Some(out)
}

/// The choice's end on a chunk of its own.
fn ended(choice: &Fields<'_>, reason: &str) -> Vec<u8> {
    let index = choice.iter().find(|(key, _)| key == "index");
    let index = index.map_or("0", |(_, value)| value.get());
    let is_text = choice.iter().any(|(key, _)| key == "text");
    ending(index, is_text, reason)
}

fn with_role(delta: &RawValue) -> Option<String> {
    const ROLE: &str = r#""role":"assistant""#;
    if delta.get() == "null" {
        return Some(format!("{{{ROLE}}}"));
    }
    let fields = raw_fields(delta.get().as_bytes()).ok()?;
    if fields
        .iter()
        .any(|(key, value)| key == "role" && value.get().len() > 2 && value.get() != "null")
    {
        return Some(delta.get().to_owned());
    }
    let mut out = format!("{{{ROLE}").into_bytes();
    for (key, value) in fields.iter().filter(|(key, _)| key != "role") {
        out.push(b',');
        field(key, value.get(), &mut out);
    }
    out.push(b'}');
    String::from_utf8(out).ok()
}
