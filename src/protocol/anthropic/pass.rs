//! A whole answer that passes from Anthropic to its clients: the model gets the client's name, every other byte goes out as it
//! came.

use std::ops::Range;

use bytes::Bytes;

use super::usage::Counts;
use crate::protocol::json::{plain_str, scan_object};
use crate::protocol::pass::{StreamFacts, StreamFault};

/// The body of a whole answer with `model_json` (a JSON string, quotes included) as its model, and what it tells.
pub fn pass_answer(body: &Bytes, model_json: &[u8]) -> Result<(Bytes, StreamFacts), StreamFault> {
    let spans = MessageSpans::read(body).ok_or(StreamFault::Malformed)?;
    if spans.error.is_some() {
        return Err(StreamFault::Error(body.to_vec()));
    }
    let Some(content) = spans.content.clone() else {
        return Err(StreamFault::Malformed);
    };
    let mut facts = StreamFacts {
        content_started: true,
        content_bytes: content.len() as u64,
        finished: spans.stop_reason.is_some(),
        done: true,
        ..StreamFacts::default()
    };
    spans.tell(body, &mut facts);
    if let Some(usage) = spans.usage.clone() {
        let usage = &body[usage];
        facts.usage = Counts::read(usage).report().map(|report| report.counts);
        facts.service_tier = service_tier(usage);
    }
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

/// Where the fields of interest lie in a message. What is `null` is not there.
#[derive(Default)]
pub struct MessageSpans {
    id: Option<Range<usize>>,
    pub model: Option<Range<usize>>,
    content: Option<Range<usize>>,
    stop_reason: Option<Range<usize>>,
    pub usage: Option<Range<usize>>,
    error: Option<Range<usize>>,
}

impl MessageSpans {
    pub fn read(message: &[u8]) -> Option<Self> {
        let mut spans = Self::default();
        scan_object(message, |field| {
            if field.key_is_escaped || &message[field.value.clone()] == b"null" {
                return;
            }
            let place = match &message[field.key] {
                b"id" => &mut spans.id,
                b"model" => &mut spans.model,
                b"content" => &mut spans.content,
                b"stop_reason" => &mut spans.stop_reason,
                b"usage" => &mut spans.usage,
                b"error" => &mut spans.error,
                _ => return,
            };
            *place = Some(field.value);
        })
        .ok()?;
        Some(spans)
    }

    pub fn tell(&self, message: &[u8], facts: &mut StreamFacts) {
        let text = |span: &Option<Range<usize>>| {
            plain_str(message, span.as_ref()?)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        facts.id = text(&self.id);
        facts.model = text(&self.model);
    }
}

/// The tier that served a call, as `usage` tells it.
pub fn service_tier(usage: &[u8]) -> Option<String> {
    let mut tier = None;
    let _ = scan_object(usage, |field| {
        if &usage[field.key] == b"service_tier" {
            tier = plain_str(usage, &field.value).map(str::to_owned);
        }
    });
    tier
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
        let body = r#"{"id":"msg_1","type":"message","role":"assistant", "model" : "claude-x","content":[{"type":"text","text":"\"model\""}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":5,"cache_read_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":4},"output_tokens":11,"output_tokens_details":{"thinking_tokens":2},"service_tier":"priority","new":1.0}}"#;
        let (edited, facts) = pass(body).unwrap();
        assert_eq!(edited, body.replace("\"claude-x\"", "\"mine\""));
        assert_eq!(facts.id.as_deref(), Some("msg_1"));
        assert_eq!(facts.model.as_deref(), Some("claude-x"));
        assert_eq!(facts.service_tier.as_deref(), Some("priority"));
        let usage = facts.usage.unwrap().usage;
        assert_eq!((usage.input, usage.cache_read), (3, 7));
        assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (1, 4));
        assert_eq!((usage.output, usage.reasoning), (9, 2));
        assert_eq!((usage.prompt_tokens(), usage.completion_tokens()), (15, 11));
        assert!(facts.finished && facts.done && facts.content_bytes > 0);
    }

    #[test]
    fn what_is_no_answer() {
        let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#;
        assert_eq!(
            pass(error).unwrap_err(),
            StreamFault::Error(error.as_bytes().to_vec())
        );
        for body in [
            "",
            "[]",
            "<html>",
            r#"{"id":"msg_1"}"#,
            r#"{"content":[{"ty"#,
        ] {
            assert_eq!(pass(body).unwrap_err(), StreamFault::Malformed, "{body}");
        }
    }
}
