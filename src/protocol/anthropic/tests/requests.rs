//! Requests of clients of Chat Completions as they arrive at Anthropic, and bad requests of Anthropic's own clients.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{claude, json as parsed};
use crate::protocol::anthropic::*;
use crate::protocol::neutral::{Encoded, Refused, Why};
use crate::protocol::openai_chat;

fn sent(body: &Value, target: &Target<'_>) -> Result<(Value, Encoded), Refused> {
    let request = openai_chat::decode_request(&body.to_string().into()).expect("a request");
    let encoded = encode_request(&request, target)?;
    Ok((parsed(&encoded.body), encoded))
}

fn notes(encoded: &Encoded) -> Vec<(&str, Why)> {
    let notes = encoded.not_carried.iter();
    notes.map(|note| (note.field.as_str(), note.why)).collect()
}

#[test]
fn a_conversation_with_tools_and_images() {
    let body = json!({
        "model": "x",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "system", "content": [{"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "high"}},
                {"type": "image_url", "image_url": "https://x/y.png"},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call.1", "type": "function", "function": {"name": "read", "arguments": "{\"n\": 1.50}"}},
                {"id": "call.2", "type": "function", "function": {"name": "list", "arguments": ""}},
            ]},
            {"role": "tool", "tool_call_id": "call.1", "content": "one"},
            {"role": "tool", "tool_call_id": "call.2", "content": [{"type": "text", "text": "two"}]},
            {"role": "user", "content": "Go on"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "read", "description": "Reads", "parameters": {"type": "object"}, "strict": true}, "cache_control": {"type": "ephemeral"}},
            {"type": "function", "function": {"name": "list"}},
        ],
        "tool_choice": "required",
        "parallel_tool_calls": false,
        "stop": "END",
        "temperature": 0.5,
        "user": "u-1",
        "stream": true,
    });
    let (sent, encoded) = sent(&body, &claude()).unwrap();
    assert_eq!(
        sent,
        json!({
            "model": "claude",
            "max_tokens": 64000,
            "system": [
                {"type": "text", "text": "Be brief."},
                {"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ],
            "tools": [
                {"type": "custom", "name": "read", "description": "Reads", "input_schema": {"type": "object"}, "strict": true, "cache_control": {"type": "ephemeral"}},
                {"type": "custom", "name": "list", "input_schema": {"type": "object", "properties": {}}},
            ],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                    {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                    {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "BBBB"}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "call_1", "name": "read", "input": {"n": 1.50}},
                    {"type": "tool_use", "id": "call_2", "name": "list", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "one"}]},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": "two"}]},
                    {"type": "text", "text": "Go on"},
                ]},
            ],
            "stop_sequences": ["END"],
            "temperature": 0.5,
            "metadata": {"user_id": "u-1"},
            "stream": true,
        })
    );
    assert_eq!(notes(&encoded), []);
    // Numbers in arguments keep their digits.
    assert!(String::from_utf8_lossy(&encoded.body).contains(r#"{"n": 1.50}"#));
}

#[test]
fn thoughts_return_signed_or_not_at_all() {
    let body = json!({
        "model": "x",
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b", "reasoning_content": "so", "thinking_blocks": [
                {"type": "thinking", "thinking": "so", "signature": "Eq+/=="},
                {"type": "redacted_thinking", "data": "R"},
                {"type": "thinking", "thinking": "unsigned"},
            ]},
            {"role": "user", "content": "c"},
            {"role": "assistant", "content": "d  \n", "reasoning_content": "a host's own"},
        ],
    });
    let (sent, encoded) = sent(&body, &claude()).unwrap();
    assert_eq!(
        sent["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "so", "signature": "Eq+/=="},
            {"type": "redacted_thinking", "data": "R"},
            {"type": "text", "text": "b"},
        ])
    );
    // What the model shall go on from does not end in white space.
    assert_eq!(
        sent["messages"][3]["content"],
        json!([{"type": "text", "text": "d"}])
    );
    assert_eq!(
        notes(&encoded),
        [
            ("messages.1.content.2", Why::Unverifiable),
            ("messages.3.content.0", Why::Unverifiable),
        ]
    );
}

#[test]
fn what_is_refused() {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    for (body, field) in [
        (
            json!({"model": "x", "messages": user(json!("a")), "n": 2}),
            "n",
        ),
        (
            json!({"model": "x", "messages": user(json!("a")), "modalities": ["text", "audio"]}),
            "modalities",
        ),
        (
            json!({"model": "x", "messages": [{"role": "system", "content": "a"}]}),
            "messages",
        ),
        (
            json!({"model": "x", "messages": user(json!([{"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}]))}),
            "messages.0.content.0",
        ),
        (
            json!({"model": "x", "messages": user(json!([{"type": "text", "text": "a"}, {"type": "video_url", "video_url": {}}]))}),
            "messages.0.content.1",
        ),
        (
            json!({"model": "x", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]}),
            "messages.1.content.0",
        ),
        (
            json!({"model": "x", "messages": user(json!("a")), "tools": [{"type": "mcp", "server_label": "s"}]}),
            "tools.0",
        ),
    ] {
        let refused = sent(&body, &claude()).unwrap_err();
        assert_eq!(refused.field, field, "{body}");
        assert!(!refused.why.is_empty());
    }
}

#[test]
fn what_is_left_is_named() {
    let body = json!({
        "model": "x", "messages": [{"role": "user", "content": "a", "name": "bob"}],
        "n": 1, "seed": 1, "logit_bias": {"1": 2}, "logprobs": true, "top_logprobs": 2,
        "presence_penalty": 0.1, "frequency_penalty": 0.1, "verbosity": "low", "stop": [" ", "x"],
        "service_tier": "flex", "user": "a@b.com", "metadata": {"k": "v"}, "prediction": {}, "x_new": 1,
        "context_management": {"edits": []}, "speed": "fast",
    });
    let (sent, encoded) = sent(&body, &claude()).unwrap();
    let mut named: Vec<_> = notes(&encoded)
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "messages.0.name",
            "metadata",
            "prediction",
            "presence_penalty",
            "seed",
            "service_tier",
            "stop",
            "top_logprobs",
            "user",
            "verbosity",
            "x_new",
        ]
    );
    assert_eq!(sent["stop_sequences"], json!(["x"]));
    assert_eq!(sent["context_management"], json!({"edits": []}));
    assert_eq!(
        encoded.betas,
        ["context-management-2025-06-27", "fast-mode-2026-02-01"]
    );
    assert!(sent.get("metadata").is_none());
}

#[test]
fn reasoning_by_what_the_model_knows() {
    let with = |thinking| Target {
        thinking,
        ..claude()
    };
    let body = |fields: Value| {
        let mut body = json!({"model": "x", "messages": [{"role": "user", "content": "a"}]});
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        body
    };
    for (fields, support, thinking, config, max_tokens) in [
        (
            json!({"reasoning_effort": "high"}),
            ThinkingSupport::Budget,
            json!({"type": "enabled", "budget_tokens": 4096}),
            Value::Null,
            64000,
        ),
        (
            json!({"reasoning_effort": "minimal"}),
            ThinkingSupport::Budget,
            json!({"type": "enabled", "budget_tokens": 1024}),
            Value::Null,
            64000,
        ),
        (
            json!({"reasoning_effort": "high", "max_tokens": 2000}),
            ThinkingSupport::Budget,
            json!({"type": "enabled", "budget_tokens": 1999}),
            Value::Null,
            2000,
        ),
        (
            json!({"reasoning_effort": "high", "max_tokens": 500}),
            ThinkingSupport::Budget,
            Value::Null,
            Value::Null,
            500,
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 70000}}),
            ThinkingSupport::Budget,
            json!({"type": "enabled", "budget_tokens": 70000}),
            Value::Null,
            74096,
        ),
        (
            json!({"reasoning_effort": "minimal"}),
            ThinkingSupport::Adaptive,
            json!({"type": "adaptive", "display": "summarized"}),
            json!({"effort": "low"}),
            64000,
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 9000}}),
            ThinkingSupport::Adaptive,
            json!({"type": "adaptive"}),
            json!({"effort": "xhigh"}),
            64000,
        ),
        (
            json!({"reasoning_effort": "none"}),
            ThinkingSupport::Adaptive,
            Value::Null,
            Value::Null,
            64000,
        ),
        (
            json!({"thinking": {"type": "disabled"}}),
            ThinkingSupport::Adaptive,
            json!({"type": "disabled"}),
            Value::Null,
            64000,
        ),
        (
            json!({"thinking": {"type": "adaptive"}}),
            ThinkingSupport::Budget,
            json!({"type": "enabled", "budget_tokens": 2048}),
            Value::Null,
            64000,
        ),
        (
            json!({"reasoning_effort": "high"}),
            ThinkingSupport::None,
            Value::Null,
            Value::Null,
            64000,
        ),
        (
            json!({}),
            ThinkingSupport::Budget,
            Value::Null,
            Value::Null,
            64000,
        ),
    ] {
        let (sent, _) = sent(&body(fields.clone()), &with(support)).unwrap();
        assert_eq!(sent["thinking"], thinking, "{fields} {support:?}");
        assert_eq!(sent["output_config"], config, "{fields} {support:?}");
        assert_eq!(sent["max_tokens"], max_tokens, "{fields} {support:?}");
    }
    // A model that thinks takes neither a temperature nor a forced choice.
    let body = body(json!({
        "reasoning_effort": "low", "temperature": 0.3, "tool_choice": "required",
        "tools": [{"type": "function", "function": {"name": "f"}}],
    }));
    let (sent, encoded) = sent(&body, &claude()).unwrap();
    assert_eq!(sent["tool_choice"], json!({"type": "auto"}));
    assert_eq!(
        notes(&encoded),
        [
            ("tool_choice", Why::Approximated),
            ("temperature", Why::Unsupported)
        ]
    );
}

#[test]
fn formats_and_the_web() {
    let body = json!({
        "model": "x", "messages": [{"role": "user", "content": "a"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}}},
        "web_search_options": {"search_context_size": "medium", "user_location": {"type": "approximate", "approximate": {"city": "Bern"}}},
    });
    let (native, encoded) = sent(&body, &claude()).unwrap();
    assert_eq!(
        native["output_format"],
        json!({"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"type": "integer", "description": "(minimum: 1)"}}, "additionalProperties": false}})
    );
    assert_eq!(
        native["tools"],
        json!([{"type": "web_search_20250305", "name": "web_search", "max_uses": 5, "user_location": {"type": "approximate", "city": "Bern"}}])
    );
    assert_eq!(encoded.betas, ["structured-outputs-2025-11-13"]);
    assert_eq!(encoded.reversal.format_tool, None);
    let older = Target {
        native_format: false,
        ..claude()
    };
    let (emulated, encoded) = sent(&body, &older).unwrap();
    assert!(emulated.get("output_format").is_none());
    assert_eq!(
        emulated["tool_choice"],
        json!({"type": "tool", "name": FORMAT_TOOL})
    );
    assert_eq!(
        emulated["tools"][1]["input_schema"]["properties"]["a"]["minimum"],
        1
    );
    assert_eq!(encoded.reversal.format_tool, Some(FORMAT_TOOL));
}

#[test]
fn provided_tools_and_results_of_server_tools() {
    let body = json!({
        "model": "x",
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b", "tool_calls": [
                {"id": "srvtoolu_1", "type": "function", "function": {"name": "web_search", "arguments": "{\"query\":\"q\"}"}},
            ], "provider_specific_fields": {"web_search_results": [
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"encrypted_content": "E"}]},
            ]}},
            {"role": "user", "content": "c"},
        ],
        "tools": [
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
            {"type": "computer_20250124", "function": {"name": "computer", "parameters": {"display_width_px": 100, "display_height_px": 50}}},
            {"name": "plain", "input_schema": {"type": "object"}},
        ],
    });
    let (sent, encoded) = sent(&body, &claude()).unwrap();
    assert_eq!(
        sent["tools"],
        json!([
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
            {"type": "computer_20250124", "name": "computer", "display_width_px": 100, "display_height_px": 50},
            {"type": "custom", "name": "plain", "input_schema": {"type": "object"}},
        ])
    );
    assert_eq!(
        sent["messages"][1]["content"],
        json!([
            {"type": "text", "text": "b"},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"encrypted_content": "E"}]},
        ])
    );
    assert_eq!(encoded.betas, ["computer-use-2025-01-24"]);
    assert_eq!(notes(&encoded), []);
}

#[test]
fn arguments_that_were_cut_off_are_told_as_text() {
    let body = json!({"model": "x", "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{\"a\":"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "broken"},
    ]});
    let (sent, encoded) = sent(&body, &claude()).unwrap();
    assert_eq!(
        sent["messages"][1]["content"][0]["input"],
        json!({"INVALID_JSON": "{\"a\":"})
    );
    assert_eq!(notes(&encoded), [("arguments", Why::Approximated)]);
    // The history needs a tool, though none is offered any more.
    assert_eq!(sent["tools"][0]["name"], "unavailable_tool");
}

#[test]
fn instructions_between_turns() {
    let body = json!({"model": "x", "messages": [
        {"role": "user", "content": "a"}, {"role": "system", "content": "now French"}, {"role": "user", "content": "b"},
    ]});
    let (merged, encoded) = sent(&body, &claude()).unwrap();
    assert_eq!(
        merged["messages"],
        json!([{"role": "user", "content": [
            {"type": "text", "text": "a"}, {"type": "text", "text": "[System message] now French"}, {"type": "text", "text": "b"},
        ]}])
    );
    assert_eq!(notes(&encoded), [("messages.1", Why::Approximated)]);
    let newer = Target {
        takes_mid_system: true,
        ..claude()
    };
    let (kept, encoded) = sent(&body, &newer).unwrap();
    assert_eq!(kept["messages"][1]["role"], "system");
    assert_eq!(notes(&encoded), []);
}

#[test]
fn bad_requests_are_told_where() {
    let message = |content: &str| {
        format!(
            r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":{content}}}]}}"#
        )
    };
    for (body, error) in [
        ("[]".to_owned(), "body: expected an object"),
        (r#"{"model":"m"}"#.to_owned(), "messages: field required"),
        (r#"{"messages":[{"role":"user","content":"x"}]}"#.to_owned(), "model: field required"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#.to_owned(),
            "max_tokens: field required",
        ),
        (
            r#"{"model":"m","max_tokens":-1,"messages":[{"role":"user","content":"x"}]}"#.to_owned(),
            "max_tokens: expected a whole number, zero or more",
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"tool","content":"x"}]}"#.to_owned(),
            "messages.0.role: expected \"user\" or \"assistant\"",
        ),
        (
            message("1"),
            "messages.0.content: expected a string or an array of content blocks",
        ),
        (
            message(r#"[{"text":"x"}]"#),
            "messages.0.content.0.type: field required",
        ),
        (
            message(r#"[{"type":"text","text":"a"},{"type":"tool_result"}]"#),
            "messages.0.content.1.tool_use_id: field required",
        ),
        (
            message(r#"[{"type":"tool_use","id":"a","name":"b","input":"x"}]"#),
            "messages.0.content.0.input: expected an object",
        ),
        (
            message(r#"[{"type":"image","source":{"type":"base64","data":"x"}}]"#),
            "messages.0.content.0.source.media_type: field required",
        ),
        (
            message(
                r#"[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"2h"}}]"#,
            ),
            "messages.0.content.0.cache_control.ttl: expected \"5m\" or \"1h\"",
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[]}"#.to_owned(),
            "messages: expected at least one message",
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"a"}]}"#.to_owned(),
            "tools.0.input_schema: expected a JSON schema",
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"thinking":{"type":"enabled"}}"#
                .to_owned(),
            "thinking.budget_tokens: field required",
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"tool_choice":{"type":"tool"}}"#
                .to_owned(),
            "tool_choice.name: field required",
        ),
    ] {
        assert_eq!(
            decode_request(&Bytes::copy_from_slice(body.as_bytes())).unwrap_err().to_string(),
            error,
            "{body}"
        );
    }
    let mut deep = r#""x""#.to_owned();
    for _ in 0..10 {
        deep = format!(r#"[{{"type":"tool_result","tool_use_id":"a","content":{deep}}}]"#);
    }
    let error = decode_request(&Bytes::copy_from_slice(message(&deep).as_bytes())).unwrap_err();
    assert!(error.to_string().contains("not nested so deep"), "{error}");
}

#[test]
fn counting_needs_no_limit_and_sends_none() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"a"}],"system":"s","temperature":1,"metadata":{"user_id":"u"},"stream":true}"#;
    let request = decode_count_request(body).unwrap();
    let encoded = encode_count_request(&request, &claude()).unwrap();
    assert_eq!(
        parsed(&encoded.body),
        json!({
            "model": "claude",
            "system": [{"type": "text", "text": "s"}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
        })
    );
    assert_eq!(decode_count_answer(br#"{"input_tokens":7}"#), Ok(7));
    assert_eq!(encode_count_answer(7), br#"{"input_tokens":7}"#);
}
