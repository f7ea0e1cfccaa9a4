//! OpenAI embeddings: the fields that only `POST /v1/embeddings` has. Source: OpenAI's API reference.
//!
//! Vectors go to the client as the provider wrote them, numbers or base64: nothing here looks into them. Only an item that
//! lacks its `object` or `index` gets them.

use memchr::memmem;
use serde_json::value::RawValue;

use super::json::{quoted, raw_fields};
use super::openai::request::RequestError;
use super::openai::shape::{Facts, MetadataUse, Parameters, Shape, whole, wrong};
use super::openai::texts::Texts;
use crate::types::Operation;

/// See [`Shape`].
pub static REQUEST: Shape = Shape {
    operation: Operation::Embedding,
    required: "input",
    needs_max_tokens: false,
    streams: false,
    asks_usage: false,
    metadata: MetadataUse::WhenStored,
    parameters: Parameters::Planned,
    betas: &[],
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

/// `data` (the JSON of an answer's list) with `object` and a 0-based `index` in every item, as OpenAI's clients expect them.
/// `None` when all of them have both already, or when it is no list of objects.
pub fn with_places(data: &[u8]) -> Option<Vec<u8>> {
    // Vectors hold no braces and no quotes: counting is enough, and a tenth of the price of reading them.
    let items = memchr::memchr_iter(b'{', data).count();
    let have = |key: &[u8]| memmem::find_iter(data, key).count() >= items;
    if have(b"\"index\"") && have(b"\"object\"") {
        return None;
    }
    let items: Vec<&RawValue> = serde_json::from_slice(data).ok()?;
    let mut out = vec![b'['];
    for (place, item) in items.iter().enumerate() {
        let fields = raw_fields(item.get().as_bytes()).ok()?;
        let lacks = |key: &str| !fields.iter().any(|(own, _)| own == key);
        let mut parts: Vec<Vec<u8>> = Vec::new();
        if lacks("object") {
            parts.push(br#""object":"embedding""#.to_vec());
        }
        if lacks("index") {
            parts.push(format!(r#""index":{place}"#).into_bytes());
        }
        for (key, value) in &fields {
            parts.push([&quoted(key)[..], b":", value.get().as_bytes()].concat());
        }
        if place > 0 {
            out.push(b',');
        }
        out.push(b'{');
        out.extend_from_slice(&parts.join(&b','));
        out.push(b'}');
    }
    out.push(b']');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_panic(data in "[\\[\\]{}:,\"a0]{0,40}") {
            with_places(data.as_bytes());
        }
    }

    #[test]
    fn items_get_what_they_lack() {
        let whole = br#"[{"object":"embedding","index":0,"embedding":[1.0,-2e-5]}]"#;
        assert_eq!(with_places(whole), None);
        assert_eq!(with_places(b"[]"), None);
        assert_eq!(with_places(b"5"), None);
        for (data, expected) in [
            (
                r#"[{"embedding":[1.50]},{"embedding":"AAA=","x":1}]"#,
                r#"[{"object":"embedding","index":0,"embedding":[1.50]},{"object":"embedding","index":1,"embedding":"AAA=","x":1}]"#,
            ),
            (
                r#"[{"index": 7,"embedding":[1]}]"#,
                r#"[{"object":"embedding","index":7,"embedding":[1]}]"#,
            ),
        ] {
            let written = with_places(data.as_bytes()).unwrap();
            assert_eq!(std::str::from_utf8(&written).unwrap(), expected);
        }
    }
}
