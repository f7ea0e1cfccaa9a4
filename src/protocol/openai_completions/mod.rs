//! OpenAI's older text completions: the fields that only `POST /v1/completions` has. Source: OpenAI's API reference.
//!
//! `echo` repeats the prompt in the answer, `suffix` and `logprobs` go to the provider as they came: none of them changes
//! what a call may cost. Models that only chat are asked by [`as_chat`].

pub mod as_chat;

use super::openai::request::RequestError;
use super::openai::shape::{Facts, MetadataUse, Parameters, Shape, choices, whole, wrong};
use super::openai::texts::Texts;
use crate::types::Operation;

/// See [`Shape`].
pub static REQUEST: Shape = Shape {
    operation: Operation::Completion,
    required: "prompt",
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
        b"prompt" => {
            let texts = Texts::read(value).ok_or_else(|| {
                wrong(
                    "prompt",
                    "a string, an array of strings, an array of token ids or an array of such arrays, none of them empty",
                )
            })?;
            facts.prompts = texts.count;
            facts.prompt_bytes += texts.bytes;
            facts.token_ids = texts.token_ids;
        }
        b"suffix" => facts.prompt_bytes += value.len() as u64,
        b"max_tokens" => facts.max_tokens = Some(whole(value, "max_tokens")?),
        b"n" => facts.choices = Some(choices(value, "n")?),
        b"best_of" => facts.candidates = Some(choices(value, "best_of")?),
        _ => return Ok(false),
    }
    Ok(true)
}
