//! Events of a stream as texts of their own.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use crate::http::error::{ApiError, ErrorForm};
use crate::protocol::continuity::field;
use crate::protocol::json::plain_str;
use crate::protocol::sse;

/// Takes server-sent events apart, whatever pieces they come in.
#[derive(Default)]
pub struct Events {
    held: BytesMut,
    /// The response of the event that ended it.
    ended: Option<Bytes>,
}

impl Events {
    /// The data of the events that are whole now. Comments say nothing here.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        self.held.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = sse::event_end(&self.held) {
            let event = self.held.split_to(end);
            let data = sse::data(&event);
            let Some(data) = data.bytes() else {
                continue;
            };
            let Ok(text) = std::str::from_utf8(data) else {
                continue;
            };
            // What ends streams of other operations.
            if text == "[DONE]" {
                continue;
            }
            if let Some(response) = ended(data) {
                self.ended = Some(Bytes::copy_from_slice(response));
            }
            events.push(text.to_owned());
        }
        events
    }

    /// The whole response, if it has come to its end.
    pub fn ended(&self) -> Option<&Bytes> {
        self.ended.as_ref()
    }
}

/// The response of an event that ends a stream well.
fn ended(data: &[u8]) -> Option<&[u8]> {
    let kind = field(data, "type")?;
    let kind = plain_str(kind, &(0..kind.len()))?;
    let is_end = ["response.completed", "response.incomplete"].contains(&kind);
    is_end.then(|| field(data, "response")).flatten()
}

/// An error as an event: with the status that it has over HTTP.
pub fn error(error: ApiError) -> String {
    let status = error.status();
    let body = error.body(ErrorForm::Responses);
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let error = match body.get("error") {
        Some(error) => error.clone(),
        None => {
            json!({"type": "invalid_request_error", "message": body["detail"], "code": status.to_string(), "param": null})
        }
    };
    json!({"type": "error", "status": status, "error": error}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_one_by_one() {
        let stream = "event: response.created\ndata: {\"type\":\"response.created\"}\n\n: ping\n\n\
                      data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\"}}\n\ndata: [DONE]\n\n";
        for at in 0..stream.len() {
            let mut events = Events::default();
            let mut all = events.feed(&stream.as_bytes()[..at]);
            all.extend(events.feed(&stream.as_bytes()[at..]));
            assert_eq!(
                all,
                [
                    r#"{"type":"response.created"}"#,
                    r#"{"type":"response.completed","response":{"id":"r"}}"#
                ]
            );
            assert_eq!(events.ended().unwrap(), r#"{"id":"r"}"#);
        }
    }

    #[test]
    fn errors_have_their_status() {
        let text = error(ApiError::bad_request("no", Some("input")).code(Some("a_code")));
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&event["type"], &event["status"]),
            (&json!("error"), &json!(400))
        );
        assert_eq!(event["error"]["code"], "a_code");
        assert_eq!(event["error"]["message"], "no");
    }
}
