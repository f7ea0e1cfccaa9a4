//! OpenAI embeddings: the fields that only `POST /v1/embeddings` has. Source: OpenAI's API reference.
//!
//! Vectors go to the client as the provider wrote them, numbers or base64: nothing here looks into them.

use super::openai::request::RequestError;
use super::openai::shape::{Facts, Shape, whole, wrong};
use super::openai::texts::Texts;
use crate::types::Operation;

/// See [`Shape`].
pub static REQUEST: Shape = Shape {
    operation: Operation::Embedding,
    required: "input",
    streams: false,
    field,
};

fn field(facts: &mut Facts, key: &[u8], value: &[u8]) -> Result<bool, RequestError> {
    match key {
        b"input" => {
            let texts = Texts::read(value).ok_or_else(|| {
                wrong(
                    "input",
                    "a string, an array of strings, an array of token ids or an array of such arrays, none of them empty",
                )
            })?;
            facts.prompts = texts.count;
            facts.prompt_bytes += texts.bytes;
            facts.token_ids = texts.token_ids;
            // Vectors are no tokens: nothing is to be held for an answer.
            facts.max_tokens = Some(0);
        }
        b"dimensions" => {
            if whole(value, "dimensions")? == 0 {
                return Err(wrong("dimensions", "a whole number of at least 1"));
            }
        }
        b"encoding_format" => {
            if value.first() != Some(&b'"') {
                return Err(wrong("encoding_format", "\"float\" or \"base64\""));
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}
