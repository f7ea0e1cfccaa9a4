//! Conversations that fail: with the upstream's status before the first content, with an error of the client's protocol after.

use serde_json::Value;

use super::streams::events;
use super::{Family, Field, Protocol};
use crate::harness::{Reply, json};

/// The error of an answer, which must have the shape of the client's protocol: its type, and its message with the field that it
/// names.
#[track_caller]
pub fn error(protocol: Protocol, reply: &Reply) -> (String, String) {
    assert!(
        reply.must("content-type").starts_with("application/json"),
        "{:?}",
        reply.headers
    );
    let body = reply.json();
    match protocol {
        Protocol::Messages => {
            assert_eq!(body["type"], "error", "{body}");
            let fields: Vec<&String> = body["error"]
                .as_object()
                .expect("an error")
                .keys()
                .collect();
            assert_eq!(fields, ["message", "type"], "{body}");
            let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
            (text("type"), text("message"))
        }
        _ => {
            let error = reply.error();
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            (
                text("type"),
                format!("{} ({})", text("message"), text("param")),
            )
        }
    }
}

#[test]
fn before_the_first_content() {
    let field = Field::new();
    field.each(|cell| {
        for (status, kind) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (503, "overloaded_error"),
        ] {
            cell.behave(&json!({"status": status}));
            let reply = cell.reply(&cell.first(false, false));
            assert_eq!(reply.status, status, "{}", reply.text());
            let (found, message) = error(cell.client, &reply);
            if cell.client == Protocol::Messages {
                assert_eq!(found, kind, "{status}: {message}");
            }
        }
        if cell.family == Family::Anthropic {
            cell.behave(&json!({"status": 529}));
            let reply = cell.reply(&cell.first(false, false));
            let (kind, _) = error(cell.client, &reply);
            if cell.client == Protocol::Messages {
                assert_eq!((reply.status, kind.as_str()), (529, "overloaded_error"));
            } else {
                // OpenAI's clients know no 529.
                assert_eq!(reply.status, 503);
            }
        }
    });
}

/// P23: a stream that fails before it has said anything is an error of HTTP, however politely it began.
#[test]
fn a_stream_that_only_began() {
    let field = Field::new();
    field.each(|cell| {
        if !cell.stream {
            return;
        }
        cell.behave(
            &json!({"content": "a b c", "error_mid_stream": {"after_chunks": 0}, "pings": true}),
        );
        let reply = cell.reply(&cell.first(false, false));
        assert!(reply.status >= 500, "{} {}", reply.status, reply.text());
        error(cell.client, &reply);
    });
}

#[test]
fn in_mid_stream() {
    let field = Field::new();
    field.each(|cell| {
        if !cell.stream {
            return;
        }
        cell.behave(&json!({"content": "a b c d", "error_mid_stream": {"after_chunks": 2}}));
        let reply = cell.reply(&cell.first(false, false)).with_status(200);
        let (text, error) = broken_off(cell.client, &reply);
        assert_eq!(text, "a b ");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{error}"
        );
    });
}

/// A connection that ends in the middle is no end of an answer.
#[test]
fn cut_in_mid_stream() {
    let field = Field::new();
    field.each(|cell| {
        if !cell.stream {
            return;
        }
        for with in ["fin", "rst"] {
            // Anthropic's events are short, those that begin a response are long.
            let bytes = if cell.family == Family::Anthropic { 1300 } else { 2600 };
            cell.behave(&json!({
                "content": "a b c d e f", "chunk_delay_ms": 5, "cut_after_bytes": bytes, "cut_with": with,
            }));
            let reply = cell.reply(&cell.first(false, false));
            if reply.status != 200 {
                assert!(reply.status >= 500, "{}", reply.text());
                continue;
            }
            let (text, _) = broken_off(cell.client, &reply);
            assert!("a b c d e f".starts_with(&text), "{text}");
        }
    });
}

/// The text of a stream that ends with an error, and the error.
#[track_caller]
pub fn broken_off(client: Protocol, reply: &Reply) -> (String, Value) {
    let events = events(reply);
    let parse = |data: &str| serde_json::from_str::<Value>(data).unwrap_or_default();
    let texts = events.iter().filter_map(|(name, data)| {
        let event = parse(data);
        let text = match (client, name.as_deref()) {
            (Protocol::Chat, _) => &event["choices"][0]["delta"]["content"],
            (Protocol::Messages, Some("content_block_delta")) => &event["delta"]["text"],
            (Protocol::Responses, Some("response.output_text.delta")) => &event["delta"],
            _ => return None,
        };
        text.as_str().map(str::to_owned)
    });
    let text = texts.collect();
    let (name, data) = events.last().expect("an event");
    let last = parse(data);
    let error = match (client, name.as_deref()) {
        (Protocol::Chat, None) => last["error"].clone(),
        (Protocol::Messages, Some("error")) => {
            assert_eq!(last["type"], "error");
            assert!(last["error"]["type"].is_string(), "{last}");
            last["error"].clone()
        }
        (Protocol::Responses, Some("response.failed")) => {
            assert_eq!(last["response"]["status"], "failed");
            assert!(last["response"]["error"]["code"].is_string(), "{last}");
            last["response"]["error"].clone()
        }
        (Protocol::Responses, Some("error")) => last.clone(),
        other => panic!("the stream ends with {other:?}: {last}"),
    };
    assert!(error.is_object(), "no error: {last}");
    (text, error)
}
