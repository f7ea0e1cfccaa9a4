//! The arithmetic of one message and of the parts of its content.

use serde_json::{Map, Value};

use super::vocabulary::Counter;
use super::{CountError, image};

/// What ends a prompt: the beginning of the answer.
pub(super) const PROMPT_END: u64 = 3;
/// What frames a message.
const FRAME: u64 = 3;
/// A `name` costs one more than its text.
const NAME: u64 = 1;
/// Parts nest (a tool result holds parts again); deeper ones are refused. The JSON parser stops at 128 anyway.
const DEEPEST: u32 = 16;

pub(super) fn count(
    counter: &mut Counter,
    message: &Map<String, Value>,
) -> Result<u64, CountError> {
    let mut total = FRAME;
    for (key, value) in message {
        total += match (key.as_str(), value) {
            (_, Value::String(text)) => counter.count(text) + if key == "name" { NAME } else { 0 },
            ("tool_calls", Value::Array(calls)) => calls
                .iter()
                .filter_map(|call| call.get("function"))
                .map(|function| arguments(counter, function))
                .sum(),
            ("function_call", function) => arguments(counter, function),
            ("content" | "thinking_blocks", Value::Array(parts)) => {
                count_parts(counter, parts, DEEPEST)?
            }
            _ => 0,
        };
    }
    Ok(total)
}

/// Of a tool call only its arguments are counted.
fn arguments(counter: &mut Counter, function: &Value) -> u64 {
    text_of(counter, function, "arguments")
}

fn count_parts(counter: &mut Counter, parts: &[Value], depth: u32) -> Result<u64, CountError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(CountError::UnknownPart("nested too deeply".into()));
    };
    parts.iter().try_fold(0, |total, part| {
        Ok(total + count_part(counter, part, depth)?)
    })
}

/// Ids, signatures, cache marks and redacted data are free.
fn count_part(counter: &mut Counter, part: &Value, depth: u32) -> Result<u64, CountError> {
    if let Value::String(text) = part {
        return Ok(counter.count(text));
    }
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "text" | "input_text" | "output_text" => Ok(text_of(counter, part, "text")),
        "refusal" => Ok(text_of(counter, part, "refusal")),
        "thinking" => Ok(text_of(counter, part, "thinking")),
        "redacted_thinking" => Ok(0),
        "image_url" | "input_image" | "image" => Ok(image::count(part)),
        "document" | "file" | "input_file" => Ok(count_document(counter, part)),
        "tool_use" | "server_tool_use" | "mcp_tool_use" => {
            let input = part
                .get("input")
                .map_or(0, |input| counter.count(&input.to_string()));
            Ok(text_of(counter, part, "name") + input)
        }
        "tool_result" => count_result(counter, part, depth),
        "tool_reference" => Ok(text_of(counter, part, "tool_name")),
        "search_result" => {
            let labels = text_of(counter, part, "title") + text_of(counter, part, "source");
            Ok(labels + count_result(counter, part, depth)?)
        }
        "web_search_result" => Ok(text_of(counter, part, "title") + text_of(counter, part, "url")),
        "compaction" => Ok(text_of(counter, part, "content")),
        "container_upload" => Ok(0),
        // What servers' tools give: `web_search_tool_result` …
        other if other.ends_with("_tool_result") => count_result(counter, part, depth),
        unknown => Err(CountError::UnknownPart(unknown.chars().take(64).collect())),
    }
}

/// A text, parts, or an object of the tool's own.
fn count_result(counter: &mut Counter, part: &Value, depth: u32) -> Result<u64, CountError> {
    match part.get("content") {
        Some(Value::String(text)) => Ok(counter.count(text)),
        Some(Value::Array(parts)) => count_parts(counter, parts, depth),
        Some(object @ Value::Object(_)) => Ok(counter.count(&object.to_string())),
        _ => Ok(0),
    }
}

/// Labels and plain text are counted; what would have to be unpacked (PDF) counts as one image.
fn count_document(counter: &mut Counter, part: &Value) -> u64 {
    let file = part.get("file").unwrap_or(part);
    let labels: u64 = ["title", "context", "filename"]
        .iter()
        .map(|key| text_of(counter, file, key))
        .sum();
    let source = part.get("source");
    let plain = source.filter(|source| source.get("type").and_then(Value::as_str) == Some("text"));
    labels + plain.map_or(image::UNREAD, |source| text_of(counter, source, "data"))
}

fn text_of(counter: &mut Counter, object: &Value, key: &str) -> u64 {
    object
        .get(key)
        .and_then(Value::as_str)
        .map_or(0, |text| counter.count(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// "Hello world" is two tokens, a role one, `{}` one.
    #[test]
    fn every_key_and_part() {
        let hello = "Hello world";
        for (message, tokens) in [
            (json!({"role": "user", "content": hello}), 6),
            (json!({"role": "user", "content": null}), 4),
            (json!({"role": "user", "name": "bob", "content": hello}), 8),
            (
                json!({"role": "assistant", "content": hello, "reasoning_content": hello}),
                8,
            ),
            (
                json!({"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"name": "f", "arguments": hello}}]}),
                6,
            ),
            (
                json!({"role": "assistant", "function_call": {"name": "f", "arguments": hello}}),
                6,
            ),
            (
                json!({"role": "user", "content": [hello, {"type": "text", "text": hello}]}),
                8,
            ),
            (
                json!({"role": "user", "content": [{"type": "thinking", "thinking": hello, "signature": "abcdefgh"}]}),
                6,
            ),
            (
                json!({"role": "user", "content": [{"type": "tool_use", "id": "x", "name": hello, "input": {}}]}),
                7,
            ),
            (
                json!({"role": "assistant", "content": [
                    {"type": "server_tool_use", "id": "x", "name": hello, "input": {}},
                    {"type": "web_search_tool_result", "tool_use_id": "x", "content": [
                        {"type": "web_search_result", "title": hello, "url": hello, "encrypted_content": "abcdefgh"},
                    ]},
                ]}),
                11,
            ),
            (
                json!({"role": "user", "content": [
                    {"type": "search_result", "title": hello, "source": hello, "content": [{"type": "text", "text": hello}]},
                    {"type": "compaction", "content": hello},
                    {"type": "code_execution_tool_result", "content": {}},
                    {"type": "container_upload", "file_id": "file_1"},
                ]}),
                13,
            ),
            (
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": [{"type": "text", "text": hello}]}]}),
                6,
            ),
            (
                json!({"role": "user", "content": [{"type": "tool_result", "content": hello}]}),
                6,
            ),
            (
                json!({"role": "user", "content": [{"type": "document", "title": hello, "source": {"type": "text", "data": hello}}]}),
                8,
            ),
            (
                json!({"role": "user", "content": [{"type": "file", "file": {"filename": hello, "file_data": "data:application/pdf;base64,AA"}}]}),
                256,
            ),
        ] {
            let mut counter = Counter::for_model("gpt-4o").unwrap();
            assert_eq!(
                count(&mut counter, message.as_object().unwrap()).unwrap(),
                tokens,
                "{message}"
            );
        }
    }

    #[test]
    fn parts_nest_only_so_deep() {
        let mut part = json!({"type": "text", "text": "x"});
        for _ in 0..20 {
            part = json!({"type": "tool_result", "content": [part]});
        }
        let message = json!({"role": "user", "content": [part]});
        let mut counter = Counter::for_model("gpt-4o").unwrap();
        assert!(count(&mut counter, message.as_object().unwrap()).is_err());
    }
}
