//! OpenAI Chat Completions. Source: OpenAI's API reference.
//!
//! [`REQUEST`] names the fields that only `POST /v1/chat/completions` has, for requests that pass. The files in this folder
//! translate from and to `neutral`, for calls whose other side speaks another protocol: a client's side is `decode_request`,
//! `encode_answer` and `stream::Encoder`, an upstream's `encode_request`, `decode_answer` and `stream::Decoder`.

mod answer;
mod decode_messages;
mod decode_parts;
mod decode_request;
mod encode_messages;
mod encode_parts;
mod encode_request;
mod encode_tools;
mod errors;
pub mod stream;
mod target;
mod write_usage;

#[cfg(test)]
mod tests;

pub use answer::{decode_answer, encode_answer};
pub use decode_request::decode_request;
pub use encode_request::encode_request;
pub use encode_tools::is_closed;
pub use errors::{decode_error, encode_error, error_type};
pub use target::Target;

use super::openai::request::RequestError;
use super::openai::shape::{
    Facts, MetadataUse, Parameters, Shape, choices, is_list_of_objects, whole, wrong,
};
use crate::types::Operation;

/// See [`Shape`].
pub static REQUEST: Shape = Shape {
    operation: Operation::Chat,
    required: "messages",
    needs_max_tokens: false,
    streams: true,
    asks_usage: true,
    metadata: MetadataUse::WhenStored,
    parameters: Parameters::Planned,
    betas: &[],
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
