//! OpenAI Chat Completions: the fields that only `POST /v1/chat/completions` has. Source: OpenAI's API reference.

use super::openai::request::RequestError;
use super::openai::shape::{Facts, Shape, choices, whole, wrong};
use crate::types::Operation;

/// See [`Shape`].
pub static REQUEST: Shape = Shape {
    operation: Operation::Chat,
    required: "messages",
    streams: true,
    field,
};

fn field(facts: &mut Facts, key: &[u8], value: &[u8]) -> Result<bool, RequestError> {
    match key {
        b"messages" => {
            if !is_list_of_objects(value) {
                return Err(wrong("messages", "an array of message objects"));
            }
            facts.prompts = 1;
            facts.prompt_bytes += value.len() as u64;
        }
        b"tools" | b"functions" => facts.prompt_bytes += value.len() as u64,
        b"max_tokens" => facts.max_tokens = Some(whole(value, "max_tokens")?),
        b"max_completion_tokens" => {
            facts.max_completion_tokens = Some(whole(value, "max_completion_tokens")?);
        }
        b"n" => facts.choices = Some(choices(value, "n")?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Judged by the first item: a mistake is one of kind, and looking at every item would cost a second scan.
fn is_list_of_objects(value: &[u8]) -> bool {
    let Some(items) = value.strip_prefix(b"[") else {
        return false;
    };
    let first = items.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b']'))
}
