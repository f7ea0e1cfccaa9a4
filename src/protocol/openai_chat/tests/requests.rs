//! Requests of Anthropic's clients as they arrive at hosts of Chat Completions.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{generous, json as parsed};
use crate::protocol::anthropic;
use crate::protocol::neutral::{Effort, Encoded, Refused, Why};
use crate::protocol::openai_chat::*;

fn sent(body: &Value, target: &Target<'_>) -> Result<(Value, Encoded), Refused> {
    let request = anthropic::decode_request(&body.to_string().into()).expect("a request");
    let encoded = encode_request(&request, target)?;
    Ok((parsed(&encoded.body), encoded))
}

fn notes(encoded: &Encoded) -> Vec<(&str, Why)> {
    let notes = encoded.not_carried.iter();
    notes.map(|note| (note.field.as_str(), note.why)).collect()
}

fn gpt() -> Target<'static> {
    Target::openai("gpt", Some(Effort::High))
}

/// As Claude Code asks.
fn agent() -> Value {
    json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 32000,
        "stream": true,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1"},
            {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Env", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ],
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        "metadata": {"user_id": format!("user_{}", "f".repeat(80))},
        "tools": [
            {"name": "Read", "description": "Reads", "input_schema": {"$schema": "s", "type": "object", "properties": {"p": {"type": "string"}}}, "eager_input_streaming": true},
            {"name": "mcp__a_very_long_server_name__and_a_tool_whose_name_is_longer_than_sixty_four", "input_schema": {"type": "object"}},
        ],
        "messages": [
            {"role": "user", "content": "Read both"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "I must read", "signature": "EqQ="},
                {"type": "text", "text": "Reading."},
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"p": "a"}},
                {"type": "tool_use", "id": "toolu_2", "name": "Read", "input": {"p": "b"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "text", "text": "shot:"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                ]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such file", "is_error": true},
                {"type": "text", "text": "Continue", "cache_control": {"type": "ephemeral"}},
            ]},
        ],
    })
}

#[test]
fn an_agent_on_a_model_of_openai() {
    let (sent, encoded) = sent(&agent(), &gpt()).unwrap();
    let long = sent["tools"][1]["function"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(long.len(), 64);
    assert_eq!(
        encoded.reversal.names.original(&long),
        "mcp__a_very_long_server_name__and_a_tool_whose_name_is_longer_than_sixty_four"
    );
    assert_eq!(
        sent,
        json!({
            "model": "gpt",
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "You are Claude Code."}, {"type": "text", "text": "Env"}]},
                {"role": "user", "content": "Read both"},
                {"role": "assistant", "content": "Reading.", "tool_calls": [
                    {"id": "toolu_1", "type": "function", "function": {"name": "Read", "arguments": "{\"p\":\"a\"}"}},
                    {"id": "toolu_2", "type": "function", "function": {"name": "Read", "arguments": "{\"p\":\"b\"}"}},
                ]},
                {"role": "tool", "tool_call_id": "toolu_1", "content": "shot:"},
                {"role": "tool", "tool_call_id": "toolu_2", "content": [{"type": "text", "text": "The tool failed: "}, {"type": "text", "text": "no such file"}]},
                {"role": "user", "content": [
                    {"type": "text", "text": "Shown by the tool call toolu_1:"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"type": "text", "text": "Continue"},
                ]},
            ],
            "tools": [
                {"type": "function", "function": {"name": "Read", "description": "Reads", "parameters": {"$schema": "s", "type": "object", "properties": {"p": {"type": "string"}}}}},
                {"type": "function", "function": {"name": long, "parameters": {"type": "object"}}},
            ],
            "max_tokens": 32000,
            "user": format!("user_{}", "f".repeat(59)),
            "stream": true,
            "stream_options": {"include_usage": true},
            "reasoning_effort": "high",
        })
    );
    assert_eq!(
        notes(&encoded),
        [
            ("system.0", Why::Hint),
            ("cache_control", Why::Hint),
            ("messages.1.content.0", Why::Unverifiable),
            ("messages.2.content.0", Why::Approximated),
            ("messages.2.content.1.is_error", Why::Approximated),
            ("tools.0.eager_input_streaming", Why::Unsupported),
            ("user", Why::Approximated),
        ]
    );
}

#[test]
fn an_agent_on_claude_behind_a_host_of_chat() {
    let (sent, encoded) = sent(&agent(), &generous()).unwrap();
    assert_eq!(
        sent["thinking"],
        json!({"type": "enabled", "budget_tokens": 31999})
    );
    assert_eq!(
        sent["messages"][2]["thinking_blocks"],
        json!([{"type": "thinking", "thinking": "I must read", "signature": "EqQ="}])
    );
    assert_eq!(
        sent["messages"][0]["content"][1]["cache_control"],
        json!({"type": "ephemeral", "ttl": "1h"})
    );
    assert_eq!(sent["messages"][3]["content"][1]["type"], "image_url");
    assert!(
        notes(&encoded)
            .iter()
            .all(|(_, why)| *why != Why::Unverifiable)
    );
}

#[test]
fn effort_by_what_the_model_takes() {
    let body = |fields: Value| {
        let mut body =
            json!({"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]});
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        body
    };
    let budget = |n: u64| json!({"thinking": {"type": "enabled", "budget_tokens": n}});
    for (fields, highest, effort) in [
        (budget(1023), Some(Effort::High), json!("minimal")),
        (budget(1024), Some(Effort::High), json!("low")),
        (budget(2048), Some(Effort::High), json!("medium")),
        (budget(50_000), Some(Effort::XHigh), json!("high")),
        (
            json!({"thinking": {"type": "adaptive"}}),
            Some(Effort::High),
            json!("medium"),
        ),
        (
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
            Some(Effort::High),
            json!("high"),
        ),
        (
            json!({"thinking": {"type": "disabled"}}),
            Some(Effort::High),
            json!("none"),
        ),
        (json!({"thinking": {"type": "disabled"}}), None, Value::Null),
        (budget(4096), None, Value::Null),
        (json!({}), Some(Effort::High), Value::Null),
    ] {
        let target = Target::openai("gpt", highest);
        let (sent, encoded) = sent(&body(fields.clone()), &target).unwrap();
        assert_eq!(sent["reasoning_effort"], effort, "{fields}");
        let left = highest.is_none() && fields["thinking"]["type"] == "enabled";
        assert_eq!(
            !notes(&encoded).is_empty(),
            left || fields["output_config"].is_object(),
            "{fields}"
        );
    }
}

#[test]
fn documents_formats_and_choices() {
    let body = json!({
        "model": "x", "max_tokens": 9, "temperature": 1.0, "top_k": 5, "stop_sequences": ["E"],
        "service_tier": "standard_only", "container": "c",
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "output_format": {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}},
        "messages": [{"role": "user", "content": [
            {"type": "document", "title": "T", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA"}},
            {"type": "document", "title": "N", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "inner"}]}},
        ]}],
    });
    let (sent, encoded) = sent(&body, &gpt()).unwrap();
    assert_eq!(
        sent["messages"][0]["content"],
        json!([
            {"type": "file", "file": {"filename": "T", "file_data": "data:application/pdf;base64,AA"}},
            {"type": "text", "text": "N\n\nwords"},
            {"type": "text", "text": "inner"},
        ])
    );
    assert_eq!(
        sent["tool_choice"],
        json!({"type": "function", "function": {"name": "f"}})
    );
    assert_eq!(sent["parallel_tool_calls"], false);
    assert_eq!(sent["stop"], json!(["E"]));
    assert_eq!(sent["service_tier"], "default");
    assert_eq!(sent["response_format"]["json_schema"]["strict"], true);
    assert_eq!(
        sent["response_format"]["json_schema"]["name"],
        "structured_output"
    );
    let named: Vec<_> = notes(&encoded)
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    assert_eq!(
        named,
        [
            "messages.0.content.1",
            "messages.0.content.2",
            "top_k",
            "container"
        ]
    );
    // The number as it was written.
    assert!(String::from_utf8_lossy(&encoded.body).contains("\"temperature\":1.0"));
}

#[test]
fn strictness_is_asked_for_closed_schemas_only() {
    for (schema, closed) in [
        (
            json!({"type": "object", "properties": {}, "additionalProperties": false}),
            true,
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}),
            false,
        ),
        (json!({"type": "object"}), false),
        (json!({"type": "array", "items": {"type": "object"}}), false),
        (json!({"type": "array", "items": {"type": "string"}}), true),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "object"}]}),
            false,
        ),
        (json!(true), false),
    ] {
        let text = schema.to_string();
        assert_eq!(
            super::super::encode_tools::is_closed(text.as_bytes()),
            closed,
            "{text}"
        );
    }
}

#[test]
fn server_tools_where_there_are_none() {
    let body = |tool: Value| json!({"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}], "tools": [tool]});
    let search = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "user_location": {"type": "approximate", "city": "Bern"}});
    let refused = sent(&body(search.clone()), &gpt()).unwrap_err();
    assert_eq!(refused.field, "tools.0");
    assert!(refused.why.contains("search the web"));
    let searching = Target {
        searches_web: true,
        ..gpt()
    };
    let (found, encoded) = sent(&body(search), &searching).unwrap();
    assert_eq!(
        found["web_search_options"],
        json!({"user_location": {"type": "approximate", "approximate": {"city": "Bern"}}})
    );
    assert!(found.get("tools").is_none());
    assert_eq!(notes(&encoded), [("tools.0.max_uses", Why::Unsupported)]);
    let bash = json!({"type": "bash_20250124", "name": "bash"});
    assert_eq!(sent(&body(bash), &searching).unwrap_err().field, "tools.0");
}

#[test]
fn content_that_cannot_be_said_is_refused_with_its_place() {
    let body = |block: Value| {
        json!({"model": "x", "max_tokens": 9, "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": [{"type": "text", "text": "c"}, block]},
        ]})
    };
    for block in [
        json!({"type": "container_upload", "file_id": "f"}),
        json!({"type": "image", "source": {"type": "file", "file_id": "f"}}),
        json!({"type": "document", "source": {"type": "url", "url": "https://x"}}),
    ] {
        let refused = sent(&body(block.clone()), &gpt()).unwrap_err();
        assert_eq!(refused.field, "messages.2.content.1", "{block}");
    }
}

#[test]
fn what_another_provider_did_is_left_with_its_place() {
    let body = json!({"model": "x", "max_tokens": 9, "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            {"type": "redacted_thinking", "data": "R"},
            {"type": "text", "text": "b"},
        ]},
        {"role": "user", "content": "c"},
    ]});
    let (sent, encoded) = sent(&body, &gpt()).unwrap();
    assert_eq!(
        sent["messages"][1],
        json!({"role": "assistant", "content": "b"})
    );
    assert_eq!(
        notes(&encoded),
        [
            ("messages.1.content.0", Why::OtherProvider),
            ("messages.1.content.1", Why::OtherProvider),
            ("messages.1.content.2", Why::Unverifiable),
        ]
    );
}

#[test]
fn bad_requests_are_told_where() {
    let message = |message: &str| format!(r#"{{"model":"m","messages":[{message}]}}"#);
    for (body, error) in [
        (r#"{"model":"m"}"#.to_owned(), "messages: field required"),
        (message("1"), "messages.0: expected an object"),
        (
            message(r#"{"role":"tool","content":"x"}"#),
            "messages.0.tool_call_id: field required",
        ),
        (
            message(r#"{"role":"user","content":[{"type":"text"}]}"#),
            "messages.0.content.0.text: field required",
        ),
        (
            message(r#"{"role":"user","content":{}}"#),
            "messages.0.content: expected a string or an array of content parts",
        ),
        (
            message(r#"{"role":"assistant","tool_calls":[{"id":"a"}]}"#),
            "messages.0.tool_calls.0.function: field required",
        ),
        (
            r#"{"model":"m","messages":[],"reasoning_effort":"much"}"#.to_owned(),
            "reasoning_effort: expected \"none\", \"minimal\", \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"",
        ),
        (
            r#"{"model":"m","messages":[],"temperature":"1"}"#.to_owned(),
            "temperature: expected a number",
        ),
        (
            r#"{"model":"m","messages":[],"stop":5}"#.to_owned(),
            "stop: expected a string or an array of strings",
        ),
        (
            r#"{"model":"m","messages":[],"tools":[{"type":"function"}]}"#.to_owned(),
            "tools.0.function: field required",
        ),
    ] {
        assert_eq!(
            decode_request(&Bytes::copy_from_slice(body.as_bytes()))
                .unwrap_err()
                .to_string(),
            error,
            "{body}"
        );
    }
    // What clients send for nothing.
    let empty = r#"{"model":"m","messages":[],"stop":null,"tools":[],"logit_bias":{},"response_format":{},"max_tokens":null,"stream_options":null}"#;
    let request = decode_request(&Bytes::copy_from_slice(empty.as_bytes())).unwrap();
    assert_eq!(request.model, "m");
    assert_eq!(request.format, None);
    assert_eq!(request.sampling, Default::default());
}
