//! A whole answer as bytes: what the gateway must know of it, and the body the client gets.

use std::ops::Range;

use serde::Deserialize;

use crate::protocol::json::{self, scan_object};

/// Where the few fields of interest lie in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerSpans {
    pub id: Option<Range<usize>>,
    pub model: Option<Range<usize>>,
    /// The usage object; absent and `null` alike are `None`.
    pub usage: Option<Range<usize>>,
    pub service_tier: Option<Range<usize>>,
    /// `choices`: what a cost is estimated from when the provider tells no usage. Embeddings have none: their vectors are no
    /// tokens.
    pub choices: Option<Range<usize>>,
    /// `data`: the vectors of embeddings.
    pub data: Option<Range<usize>>,
    /// A non-null `error` in an answer whose status says success; MiniMax's `base_resp` when its `status_code` is not 0.
    pub error: Option<Range<usize>>,
}

impl AnswerSpans {
    /// Reads an answer; `None` when it is no JSON object or was cut short.
    pub fn read(body: &[u8]) -> Option<Self> {
        let mut spans = Self::default();
        let mut base_resp = None;
        scan_object(body, |field| {
            if field.key_is_escaped || &body[field.value.clone()] == b"null" {
                return;
            }
            let place = match &body[field.key] {
                b"id" => &mut spans.id,
                b"model" => &mut spans.model,
                b"usage" => &mut spans.usage,
                b"service_tier" => &mut spans.service_tier,
                b"choices" => &mut spans.choices,
                b"data" => &mut spans.data,
                b"error" => &mut spans.error,
                b"base_resp" => &mut base_resp,
                _ => return,
            };
            *place = Some(field.value);
        })
        .ok()?;
        spans.error = spans
            .error
            .or(base_resp.filter(|span| fails(&body[span.clone()])));
        Some(spans)
    }

    pub fn text<'a>(&self, body: &'a [u8], span: &Option<Range<usize>>) -> Option<&'a str> {
        json::plain_str(body, span.as_ref()?)
    }

    /// The answer with `model_json` (a JSON string, quotes included) as its model and every other byte as it came.
    pub fn with_model(&self, body: &[u8], model_json: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len() + model_json.len());
        match &self.model {
            Some(model) => {
                out.extend_from_slice(&body[..model.start]);
                out.extend_from_slice(model_json);
                out.extend_from_slice(&body[model.end..]);
            }
            None => out.extend_from_slice(body),
        }
        out
    }
}

fn fails(base_resp: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct BaseResp {
        status_code: i64,
    }
    serde_json::from_slice(base_resp).is_ok_and(|BaseResp { status_code }| status_code != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_alone_changes() {
        let body = br#"{"id":"c-1","model": "gpt-4o-2024" ,"choices":[{"message":{"content":"\"usage\":{}"}}],"usage":{"prompt_tokens":1},"x":1.50}"#;
        let spans = AnswerSpans::read(body).unwrap();
        assert_eq!(spans.text(body, &spans.id), Some("c-1"));
        assert_eq!(
            &body[spans.usage.clone().unwrap()],
            br#"{"prompt_tokens":1}"#
        );
        let edited = String::from_utf8(spans.with_model(body, b"\"mine\"")).unwrap();
        assert_eq!(
            edited,
            String::from_utf8_lossy(body).replace("\"gpt-4o-2024\"", "\"mine\"")
        );
    }

    #[test]
    fn errors_that_come_with_success() {
        for (body, error) in [
            (r#"{"error":{"code":429}}"#, Some(r#"{"code":429}"#)),
            (r#"{"error":null,"id":"c-1"}"#, None),
            (
                r#"{"choices":null,"base_resp":{"status_code":1004}}"#,
                Some(r#"{"status_code":1004}"#),
            ),
            (
                r#"{"choices":[],"base_resp":{"status_code":0,"status_msg":""}}"#,
                None,
            ),
            (r#"{"base_resp":"?"}"#, None),
        ] {
            let spans = AnswerSpans::read(body.as_bytes()).unwrap();
            assert_eq!(spans.error.map(|span| &body[span]), error, "{body}");
        }
    }

    #[test]
    fn what_is_no_answer() {
        for body in ["", "<html>", "[]", r#"{"id":"c-1","choices":[{"mess"#] {
            assert_eq!(AnswerSpans::read(body.as_bytes()), None, "{body}");
        }
    }
}
