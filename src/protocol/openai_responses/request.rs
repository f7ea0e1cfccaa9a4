//! The fields that only `POST /v1/responses` has, for requests that pass.

use crate::protocol::openai::request::RequestError;
use crate::protocol::openai::shape::{
    Facts, MetadataUse, Parameters, Shape, is_list_of_objects, whole, wrong,
};
use crate::providers::parameters::Parameter;
use crate::types::Operation;

/// See [`Shape`].
pub static REQUEST: Shape = OF_RESPONSES;

const OF_RESPONSES: Shape = Shape {
    operation: Operation::Responses,
    required: "input",
    needs_max_tokens: false,
    streams: true,
    asks_usage: false,
    metadata: MetadataUse::Kept,
    parameters: Parameters::Own(&[
        Parameter::ParallelToolCalls,
        Parameter::PromptCacheKey,
        Parameter::PromptCacheRetention,
        Parameter::SafetyIdentifier,
        Parameter::ServiceTier,
        Parameter::Store,
        Parameter::Temperature,
        Parameter::TopLogprobs,
        Parameter::TopP,
        Parameter::User,
    ]),
    betas: &[],
    field,
};

/// A conversation that is to be made short has the same fields, and is never streamed.
pub static COMPACTION: Shape = Shape {
    operation: Operation::Compaction,
    streams: false,
    ..OF_RESPONSES
};

fn field(facts: &mut Facts, key: &[u8], value: &[u8]) -> Result<bool, RequestError> {
    match key {
        b"input" => {
            if value.first() != Some(&b'"') && !is_list_of_objects(value) {
                return Err(wrong("input", "a string or an array of items"));
            }
            facts.prompts = 1;
            facts.prompt_bytes += value.len() as u64;
        }
        // What is kept elsewhere and stands in for, or before, the input.
        b"previous_response_id" | b"conversation" | b"prompt" => facts.prompts = 1,
        b"instructions" | b"tools" => facts.prompt_bytes += value.len() as u64,
        b"max_output_tokens" => facts.max_tokens = Some(whole(value, "max_output_tokens")?),
        _ => return Ok(false),
    }
    Ok(true)
}
