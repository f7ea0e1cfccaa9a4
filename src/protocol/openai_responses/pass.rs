//! A whole answer that passes from an upstream of the Responses API to its clients: the model gets the client's name, every
//! other byte goes out as it came.

use std::ops::Range;

use bytes::Bytes;

use crate::protocol::json::{plain_str, scan_object};
use crate::protocol::openai::usage::parse_usage;
use crate::protocol::pass::{StreamFacts, StreamFault};

/// The body of a whole answer with `model_json` (a JSON string, quotes included) as its model, and what it tells.
///
/// A response that is still being made (`queued`, `in_progress`) passes too; it is not `finished`.
pub fn pass_answer(body: &Bytes, model_json: &[u8]) -> Result<(Bytes, StreamFacts), StreamFault> {
    let spans = ResponseSpans::read(body).ok_or(StreamFault::Malformed)?;
    if let Some(error) = spans.error {
        return Err(StreamFault::Error(body[error].to_vec()));
    }
    let Some(output) = spans.output.clone() else {
        return Err(StreamFault::Malformed);
    };
    let mut facts = StreamFacts {
        content_started: true,
        content_bytes: output.len() as u64,
        finished: spans.has_ended(body),
        done: true,
        ..StreamFacts::default()
    };
    spans.tell(body, &mut facts);
    let edited = match spans.model {
        Some(model) if body[model.clone()] != *model_json => {
            [&body[..model.start], model_json, &body[model.end..]]
                .concat()
                .into()
        }
        _ => body.clone(),
    };
    Ok((edited, facts))
}

/// Where the fields of interest lie in a response. What is `null` is not there.
#[derive(Default)]
pub struct ResponseSpans {
    id: Option<Range<usize>>,
    pub model: Option<Range<usize>>,
    status: Option<Range<usize>>,
    output: Option<Range<usize>>,
    usage: Option<Range<usize>>,
    service_tier: Option<Range<usize>>,
    pub error: Option<Range<usize>>,
}

impl ResponseSpans {
    pub fn read(response: &[u8]) -> Option<Self> {
        let mut spans = Self::default();
        scan_object(response, |field| {
            if field.key_is_escaped || &response[field.value.clone()] == b"null" {
                return;
            }
            let place = match &response[field.key] {
                b"id" => &mut spans.id,
                b"model" => &mut spans.model,
                b"status" => &mut spans.status,
                b"output" => &mut spans.output,
                b"usage" => &mut spans.usage,
                b"service_tier" => &mut spans.service_tier,
                b"error" => &mut spans.error,
                _ => return,
            };
            *place = Some(field.value);
        })
        .ok()?;
        Some(spans)
    }

    fn has_ended(&self, response: &[u8]) -> bool {
        let status = self.status.clone().map(|status| &response[status]);
        matches!(status, None | Some(b"\"completed\"" | b"\"incomplete\""))
    }

    pub fn tell(&self, response: &[u8], facts: &mut StreamFacts) {
        let text = |span: &Option<Range<usize>>| {
            plain_str(response, span.as_ref()?)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        facts.id = text(&self.id).or(facts.id.take());
        facts.model = text(&self.model).or(facts.model.take());
        // `auto` is what was asked for, until a tier has been chosen.
        let tier = text(&self.service_tier).filter(|tier| tier != "auto");
        facts.service_tier = tier.or(facts.service_tier.take());
        let usage = self
            .usage
            .clone()
            .map(|usage| parse_usage(&response[usage]));
        facts.usage = usage.and_then(Result::ok).or(facts.usage.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(body: &str) -> Result<(String, StreamFacts), StreamFault> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let (edited, facts) = pass_answer(&body, b"\"mine\"")?;
        Ok((String::from_utf8(edited.into()).unwrap(), facts))
    }

    #[test]
    fn the_model_alone_changes() {
        let body = r#"{"id":"resp_1","object":"response","status":"completed","error":null, "model" : "gpt-x","output":[{"type":"message","content":[{"type":"output_text","text":"\"model\""}]}],"service_tier":"default","usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":17},"new":1.0}"#;
        let (edited, facts) = pass(body).unwrap();
        assert_eq!(edited, body.replace("\"gpt-x\"", "\"mine\""));
        assert_eq!(facts.id.as_deref(), Some("resp_1"));
        assert_eq!(facts.model.as_deref(), Some("gpt-x"));
        assert_eq!(facts.service_tier.as_deref(), Some("default"));
        let usage = facts.usage.unwrap().usage;
        assert_eq!(
            (usage.input, usage.cache_read, usage.output, usage.reasoning),
            (6, 4, 7, 0)
        );
        assert!(facts.finished && facts.done && facts.content_bytes > 0);
        let (_, facts) =
            pass(r#"{"id":"resp_1","status":"queued","model":"m","output":[],"usage":null}"#)
                .unwrap();
        assert!(!facts.finished && facts.usage.is_none());
    }

    #[test]
    fn what_is_no_answer() {
        let body = r#"{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"x"},"output":[]}"#;
        let error = br#"{"code":"server_error","message":"x"}"#;
        assert_eq!(pass(body).unwrap_err(), StreamFault::Error(error.to_vec()));
        for body in [
            "",
            "[]",
            "<html>",
            r#"{"id":"resp_1"}"#,
            r#"{"output":[{"ty"#,
        ] {
            assert_eq!(pass(body).unwrap_err(), StreamFault::Malformed, "{body}");
        }
    }
}
