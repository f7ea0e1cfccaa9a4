//! `POST /v1/messages/count_tokens`: a request that need not say `max_tokens`, and a number.

use super::decode_request::decode;
use super::encode_request::encode_request;
use super::target::Target;
use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::json_write;
use crate::protocol::neutral::{Dialect, Encoded, Refused, Request};

/// Reads a client's request.
pub fn decode_count_request(body: &[u8]) -> Result<Request, DecodeError> {
    decode(body, &Path::Body)
}

/// The fields that Anthropic counts with; it refuses all others.
const COUNTED: [&str; 10] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "mcp_servers",
    "context_management",
    "output_config",
    "output_format",
];

/// The body for Anthropic.
pub fn encode_count_request(request: &Request, target: &Target<'_>) -> Result<Encoded, Refused> {
    let mut encoded = encode_request(request, target)?;
    let fields = Fields::read(&encoded.body, &Path::Body);
    let fields = fields.and_then(|fields| fields.rest(Dialect::Anthropic, &Path::Body));
    let mut body = Vec::with_capacity(encoded.body.len());
    json_write::object(&mut body, |out| {
        for field in fields.unwrap_or_default().0 {
            if COUNTED.contains(&field.name.as_str()) {
                out.raw(&field.name, field.value.as_bytes());
            }
        }
    });
    encoded.body = body;
    Ok(encoded)
}

/// The body for Anthropic of a client's request that passes: what Anthropic counts with as it came, and the deployment's name
/// of the model, a JSON string.
pub fn pass_count_request(body: &[u8], model_json: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let fields = Fields::read(body, &Path::Body)?.rest(Dialect::Anthropic, &Path::Body)?;
    let mut passed = Vec::with_capacity(body.len() + model_json.len());
    json_write::object(&mut passed, |out| {
        out.raw("model", model_json);
        for field in fields.0 {
            if field.name != "model" && COUNTED.contains(&field.name.as_str()) {
                out.raw(&field.name, field.value.as_bytes());
            }
        }
    });
    Ok(passed)
}

/// Reads Anthropic's answer: the tokens of input.
pub fn decode_count_answer(body: &[u8]) -> Result<u64, DecodeError> {
    let at = Path::Body;
    let count = Fields::read(body, &at)?.whole("input_tokens", &at)?;
    count.ok_or_else(|| at.missing("input_tokens"))
}

/// The body for a client.
pub fn encode_count_answer(input_tokens: u64) -> Vec<u8> {
    let mut body = Vec::with_capacity(32);
    json_write::object(&mut body, |out| out.number("input_tokens", input_tokens));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_passes_as_it_came() {
        let body = br#"{"max_tokens":1,"messages":[{"x": 1.0}],"model":"m","stream":true,"system":"s","tools":[]}"#;
        let passed = pass_count_request(body, b"\"up\"").unwrap();
        let expected = r#"{"model":"up","messages":[{"x": 1.0}],"system":"s","tools":[]}"#;
        assert_eq!(String::from_utf8(passed).unwrap(), expected);
        assert!(pass_count_request(b"[]", b"\"up\"").is_err());
    }
}
