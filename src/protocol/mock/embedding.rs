//! A mock's answer to embeddings: a vector an input, as numbers or in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::frame::filled;
use super::{Asked, Said};

/// Numbers of a vector that nobody has given, as LiteLLM's.
const DIMENSIONS: usize = 1536;

/// These vectors in turn, or zeros where there are none; with `dimensions`, their first ones.
pub fn vectors(vectors: &[Vec<f32>], asked: &Asked<'_>) -> Said {
    let zeros = vec![0.0; asked.dimensions.unwrap_or(DIMENSIONS)];
    let vector = |index: u64| {
        let place = usize::try_from(index).unwrap_or_default();
        let given = place
            .checked_rem(vectors.len())
            .and_then(|place| vectors.get(place));
        let vector: &[f32] = given.unwrap_or(&zeros);
        let length = asked.dimensions.unwrap_or(vector.len()).min(vector.len());
        let vector = vector.get(..length).unwrap_or(vector);
        let embedding = if asked.base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|n| n.to_le_bytes()).collect();
            Value::String(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let answer = json!({
        "object": "list",
        "data": (0..asked.prompts).map(vector).collect::<Vec<_>>(),
        "model": asked.model,
        "usage": usage(asked),
    });
    Said::whole(200, &answer)
}

/// A whole answer as somebody wrote it.
pub fn object(written: &Map<String, Value>, asked: &Asked<'_>) -> Said {
    let fields = [
        ("object", "list".into()),
        ("model", asked.model.into()),
        ("usage", usage(asked)),
    ];
    filled(written, fields)
}

/// Bytes that the vectors take, about.
pub fn size(vectors: &[Vec<f32>], asked: &Asked<'_>) -> usize {
    const NUMBER: usize = 4;
    let longest = vectors.iter().map(Vec::len).max();
    let numbers = longest.or(asked.dimensions).unwrap_or(DIMENSIONS);
    let prompts = usize::try_from(asked.prompts).unwrap_or(usize::MAX);
    numbers.saturating_mul(NUMBER).saturating_mul(prompts)
}

fn usage(asked: &Asked<'_>) -> Value {
    json!({"prompt_tokens": asked.prompt_tokens, "total_tokens": asked.prompt_tokens})
}
