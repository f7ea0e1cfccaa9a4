//! OpenAI's embeddings: numbers, or the same as base64 of little-endian single floats.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Behaviour;
use super::request::Ask;

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Item>,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage<'a>>,
}

#[derive(Serialize)]
struct Item {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Usage<'a> {
    Given(&'a RawValue),
    Counted {
        prompt_tokens: usize,
        total_tokens: usize,
    },
}

/// A vector for each input.
pub fn list(ask: &Ask, behaviour: &Behaviour) -> Vec<u8> {
    let usage = match &behaviour.usage {
        Some(given) => Usage::Given(given),
        None => Usage::Counted {
            prompt_tokens: ask.prompt_tokens,
            total_tokens: ask.prompt_tokens,
        },
    };
    let item = |index| Item {
        object: "embedding",
        index,
        embedding: vector(index, ask),
    };
    let list = List {
        object: "list",
        data: (0..ask.choices as usize).map(item).collect(),
        model: &ask.model,
        usage: (!behaviour.no_usage).then_some(usage),
    };
    serde_json::to_vec_pretty(&list).unwrap_or_default()
}

/// Of unit length, another one for each input.
fn vector(index: usize, ask: &Ask) -> Vector {
    let numbers: Vec<f32> = (0..ask.dimensions)
        .map(|place| ((index * 31 + place * 17) as f32).sin())
        .collect();
    let length = numbers
        .iter()
        .map(|number| number * number)
        .sum::<f32>()
        .sqrt();
    let numbers: Vec<f32> = numbers
        .iter()
        .map(|number| number / length.max(1e-9))
        .collect();
    if !ask.base64 {
        return Vector::Numbers(numbers);
    }
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    Vector::Base64(STANDARD.encode(bytes))
}
