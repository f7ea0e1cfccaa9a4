//! Requests that make no sense: an error in the client's own shape that names the place, never a 500.

use super::failures::error;
use super::{Field, Protocol};
use crate::harness::{PROMPT, Value, json};

/// A request with something wrong, and what its error must name.
fn wrong(protocol: Protocol) -> Vec<(Value, &'static str)> {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    match protocol {
        Protocol::Chat => vec![
            (
                json!({"messages": user(json!([{"type": "smell", "smell": "x"}]))}),
                "messages",
            ),
            (json!({"messages": user(json!(7))}), "messages"),
            (
                json!({"messages": [{"role": "wizard", "content": "x"}]}),
                "messages",
            ),
            (json!({"messages": []}), "messages"),
            (
                json!({"messages": [{"role": "tool", "tool_call_id": "c1", "content": "x"}]}),
                "messages",
            ),
            (
                json!({"tools": [{"type": "function", "function": {"name": 7}}]}),
                "tools",
            ),
            (json!({"max_tokens": "many"}), "max_tokens"),
        ],
        Protocol::Messages => {
            let call = json!([{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]);
            let unsigned =
                json!([{"type": "thinking", "thinking": "x", "signature": "bm90IG91cnM="}]);
            vec![
                (
                    json!({"messages": user(json!([{"type": "smell", "smell": "x"}]))}),
                    "messages",
                ),
                (json!({"messages": user(json!(7))}), "messages"),
                (
                    json!({"messages": [{"role": "wizard", "content": "x"}]}),
                    "messages",
                ),
                (json!({"messages": []}), "messages"),
                (
                    json!({"messages": user(json!([{"type": "tool_result", "tool_use_id": "toolu_9", "content": "x"}]))}),
                    "messages",
                ),
                (
                    json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": call}, {"role": "user", "content": "y"}]}),
                    "messages",
                ),
                (
                    json!({"messages": [{"role": "assistant", "content": unsigned}]}),
                    "",
                ),
                (
                    json!({"messages": user(json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?!"}}]))}),
                    "messages",
                ),
                (json!({"tools": [{"name": "f"}]}), "tools"),
                (json!({"max_tokens": "many"}), "max_tokens"),
                (json!({"max_tokens": null}), "max_tokens"),
            ]
        }
        Protocol::Responses => vec![
            (json!({"input": [{"type": "smell"}]}), "input"),
            (json!({"input": 7}), "input"),
            (
                json!({"input": [{"role": "wizard", "content": "x"}]}),
                "input",
            ),
            (
                json!({"input": [{"role": "user", "content": [{"type": "smell"}]}]}),
                "input",
            ),
            (
                json!({"input": [{"type": "function_call_output", "call_id": "c9", "output": "x"}]}),
                "tool",
            ),
            (
                json!({"input": [{"type": "reasoning", "summary": [], "encrypted_content": "gAAAAnot-ours"}, {"role": "user", "content": "x"}]}),
                "",
            ),
            (json!({"tools": [{"type": "function"}]}), "tools"),
            (json!({"max_output_tokens": "many"}), "max_output_tokens"),
        ],
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let field = Field::new();
    field.each(|cell| {
        cell.behave(&json!({"content": "x"}));
        for (more, place) in wrong(cell.client) {
            let mut body = cell.first(false, false);
            for (name, value) in more.as_object().expect("fields") {
                body[name] = value.clone();
            }
            let reply = cell.reply(&body);
            // A proof that nobody can check is left out instead.
            if reply.status == 200 && place.is_empty() {
                continue;
            }
            assert!(
                [400, 404, 422].contains(&reply.status),
                "{} {} for {more}",
                reply.status,
                reply.text()
            );
            let (_, message) = error(cell.client, &reply);
            assert!(
                message.contains(place),
                "{message:?} does not name {place} of {more}"
            );
            assert!(!message.contains(PROMPT), "{message}");
        }
    });
}

#[test]
fn what_is_no_json_at_all() {
    let field = Field::new();
    field.each(|cell| {
        for body in [
            "",
            "{",
            "[]",
            "\"x\"",
            "{\"model\":",
            "\u{0}",
            "{\"model\": 7}",
        ] {
            let reply = cell.post(body);
            assert_eq!(reply.status, 400, "{body:?}: {}", reply.text());
            error(cell.client, &reply);
        }
    });
}

/// Images of several megabytes go through; the simulator refuses them as Anthropic does when they are larger than that.
#[test]
fn huge_images() {
    let field = Field::new();
    field.each(|cell| {
        cell.behave(&json!({"content": "A picture."}));
        for (bytes, fits) in [(3 << 20, true), (9 << 20, false)] {
            let data = "QUJD".repeat(bytes / 3);
            let url = format!("data:image/png;base64,{data}");
            let mut body = cell.first(false, false);
            match cell.client {
                Protocol::Chat => {
                    body["messages"][1]["content"] =
                        json!([{"type": "image_url", "image_url": {"url": url}}]);
                }
                Protocol::Messages => {
                    let source = json!({"type": "base64", "media_type": "image/png", "data": data});
                    body["messages"][0]["content"] = json!([{"type": "image", "source": source}]);
                }
                Protocol::Responses => {
                    body["input"][0]["content"] =
                        json!([{"type": "input_image", "image_url": url, "detail": "auto"}]);
                }
            }
            let reply = cell.reply(&body);
            let sent = cell.simulator.take();
            if fits || cell.family != super::Family::Anthropic {
                assert_eq!(reply.status, 200, "{}", reply.text());
                let arrived = sent.iter().any(|request| request.body.len() > data.len());
                assert!(arrived, "the picture did not arrive");
            } else {
                assert_eq!(reply.status, 400, "{}", reply.text());
                assert!(
                    error(cell.client, &reply)
                        .1
                        .contains("image exceeds 5 MB maximum")
                );
            }
        }
    });
}
