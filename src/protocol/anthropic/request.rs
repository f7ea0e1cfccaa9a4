//! The fields that only `POST /v1/messages` has, for requests that pass.

use crate::protocol::openai::request::RequestError;
use crate::protocol::openai::shape::{
    Facts, MetadataUse, Parameters, Shape, is_list_of_objects, whole, wrong,
};
use crate::providers::parameters::Parameter;
use crate::types::Operation;

/// See [`Shape`].
pub static REQUEST: Shape = Shape {
    operation: Operation::Messages,
    required: "messages",
    needs_max_tokens: true,
    streams: true,
    asks_usage: false,
    metadata: MetadataUse::UserId,
    parameters: Parameters::Own(&[
        Parameter::MaxTokens,
        Parameter::ServiceTier,
        Parameter::Temperature,
        Parameter::TopP,
    ]),
    field,
};

/// Of a request whose input is to be counted alone.
pub static COUNT: Shape = Shape {
    operation: Operation::Messages,
    required: "messages",
    needs_max_tokens: false,
    streams: false,
    asks_usage: false,
    metadata: MetadataUse::Kept,
    parameters: Parameters::Own(&[]),
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
        b"system" => {
            if !matches!(value.first(), Some(b'"' | b'[')) {
                return Err(wrong("system", "a string or an array of text blocks"));
            }
            facts.prompt_bytes += value.len() as u64;
        }
        b"tools" => facts.prompt_bytes += value.len() as u64,
        b"max_tokens" => facts.max_tokens = Some(whole(value, "max_tokens")?),
        _ => return Ok(false),
    }
    Ok(true)
}
