//! Messages and Responses: what is answered, what is refused, and that both say what a chat says.

use serde_json::{Value, json};

use super::super::{Simulator, proof};
use super::peer::{Answer, Peer};

const VERSION: &str = "anthropic-version: 2023-06-01\r\nx-api-key: sk-ant";

fn post(peer: &mut Peer, path: &str, headers: &str, body: &Value) -> Answer {
    let head = format!("POST /v1/{path} HTTP/1.1\r\nhost: sim\r\n{headers}");
    peer.send(&head, &body.to_string());
    peer.answer()
}

fn messages(peer: &mut Peer, more: Value) -> Answer {
    let mut body = json!({"model": "claude", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    post(peer, "messages", VERSION, &body)
}

fn responses(peer: &mut Peer, more: Value) -> Answer {
    let mut body = json!({"model": "gpt", "input": "Hi"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    post(peer, "responses", "authorization: Bearer sk-one", &body)
}

fn everything() -> Value {
    json!({
        "blocks": [
            {"type": "thinking", "thinking": "Let me see."},
            {"type": "text", "text": "One moment – ", "cites": [{"url": "https://example.org/", "title": "T"}]},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "arguments": "{\"city\": \"Köln\"}"},
            {"type": "tool_use", "id": "toolu_2", "name": "time", "arguments": "{}"},
        ],
        "counts": {"input": 10, "cache_read": 200, "cache_write_5m": 30, "cache_write_1h": 4, "output": 50, "thinking": 6},
        "chunk_bytes": 5,
    })
}

fn types(events: &[Value]) -> Vec<&str> {
    let mut types: Vec<&str> = events
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    types.dedup();
    types
}

fn joined(events: &[Value], kind: &str, field: &str) -> String {
    let of_kind = events
        .iter()
        .filter(|event| event["type"] == kind || event["delta"]["type"] == kind);
    of_kind
        .filter_map(|event| event["delta"][field].as_str().or(event[field].as_str()))
        .collect()
}

#[test]
fn a_message_is_anthropics_whole_and_streamed() {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    let tools = json!([{"name": "weather", "input_schema": {"type": "object"}}]);
    let answer = messages(&mut peer, json!({"tools": tools, "simulate": everything()}));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(answer.header("request-id").unwrap().starts_with("req_"));
    let message = answer.json();
    assert_eq!(
        (&message["type"], &message["stop_reason"]),
        (&json!("message"), &json!("tool_use"))
    );
    let content = message["content"].as_array().unwrap();
    assert_eq!(content.len(), 4);
    assert_eq!(content[0]["signature"], proof::signature("Let me see."));
    assert_eq!(content[1]["citations"][0]["url"], "https://example.org/");
    assert_eq!(content[2]["input"], json!({"city": "Köln"}));
    assert_eq!(
        message["usage"],
        json!({
            "input_tokens": 10, "cache_creation_input_tokens": 34, "cache_read_input_tokens": 200,
            "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 4},
            "output_tokens": 50, "service_tier": "standard",
        })
    );
    let streamed = messages(
        &mut peer,
        json!({"tools": tools, "stream": true, "simulate": everything()}),
    );
    let text = streamed.text();
    assert!(
        text.starts_with("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"),
        "{text}"
    );
    assert!(
        text.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        "{text}"
    );
    let events = streamed.events();
    let block = [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    ];
    let mut order = vec![
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
    ];
    order.extend(block.repeat(3));
    order.extend(["message_delta", "message_stop"]);
    assert_eq!(types(&events), order);
    assert_eq!(joined(&events, "text_delta", "text"), "One moment – ");
    assert_eq!(joined(&events, "thinking_delta", "thinking"), "Let me see.");
    assert_eq!(
        joined(&events, "input_json_delta", "partial_json"),
        "{\"city\": \"Köln\"}{}"
    );
    assert_eq!(
        joined(&events, "signature_delta", "signature"),
        proof::signature("Let me see.")
    );
}

#[test]
fn a_response_is_openais_whole_and_streamed() {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    let include = json!(["reasoning.encrypted_content"]);
    let answer = responses(
        &mut peer,
        json!({"include": include, "simulate": everything()}),
    );
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let response = answer.json();
    assert_eq!(
        (&response["object"], &response["status"]),
        (&json!("response"), &json!("completed"))
    );
    let output = response["output"].as_array().unwrap();
    let kinds: Vec<&Value> = output.iter().map(|item| &item["type"]).collect();
    assert_eq!(
        kinds,
        ["reasoning", "message", "function_call", "function_call"]
    );
    assert_eq!(
        output[0]["encrypted_content"],
        proof::encrypted("sk-one", "Let me see.")
    );
    assert_eq!(output[1]["content"][0]["annotations"][0]["end_index"], 13);
    assert_eq!(output[2]["arguments"], "{\"city\": \"Köln\"}");
    assert_eq!(
        response["usage"],
        json!({
            "input_tokens": 244, "input_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 34},
            "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 6}, "total_tokens": 294,
        })
    );
    let streamed = responses(&mut peer, json!({"stream": true, "simulate": everything()}));
    let events = streamed.events();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    assert_eq!(
        joined(&events, "response.output_text.delta", "delta"),
        "One moment – "
    );
    assert_eq!(
        joined(&events, "response.reasoning_summary_text.delta", "delta"),
        "Let me see."
    );
    assert_eq!(
        joined(&events, "response.function_call_arguments.delta", "delta"),
        "{\"city\": \"Köln\"}{}"
    );
    let last = &events[events.len() - 1];
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"][2], {
        let mut item = output[2].clone();
        item["id"] = last["response"]["output"][2]["id"].clone();
        item
    });
    let mut done_only = everything();
    done_only["whole_arguments"] = json!(true);
    let events = responses(&mut peer, json!({"stream": true, "simulate": done_only})).events();
    assert_eq!(
        joined(&events, "response.function_call_arguments.delta", "delta"),
        ""
    );
    assert_eq!(
        joined(
            &events,
            "response.function_call_arguments.done",
            "arguments"
        ),
        "{\"city\": \"Köln\"}{}"
    );
}

#[test]
fn a_chat_says_the_same() {
    let simulator = Simulator::start();
    let mut body = super::chat(json!({}));
    body["simulate"] = everything();
    let answer = Peer::new(&simulator).ask(&body).json();
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["content"], "One moment – ");
    assert_eq!(message["reasoning_content"], "Let me see.");
    assert_eq!(
        message["tool_calls"][0]["function"]["arguments"],
        "{\"city\": \"Köln\"}"
    );
    assert_eq!(answer["usage"]["prompt_tokens"], 244);
    assert_eq!(
        answer["usage"]["prompt_tokens_details"]["cached_tokens"],
        200
    );
    assert_eq!(answer["usage"]["completion_tokens"], 50);
}

/// A turn of tools, as a client sends it back.
fn tool_turn(thinking: Value, id: &str) -> Value {
    let mut said = vec![json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}})];
    if !thinking.is_null() {
        said.insert(0, thinking);
    }
    json!({
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": said},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "ok"}]},
        ],
    })
}

#[test]
fn a_message_is_refused_in_anthropics_words() {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    let thoughts =
        |signature: &str| json!({"type": "thinking", "thinking": "Hm.", "signature": signature});
    let mut unsigned = tool_turn(Value::Null, "toolu_1");
    unsigned["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    unsigned["max_tokens"] = json!(2000);
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "no!"}});
    for (more, expected) in [
        (json!({"max_tokens": null}), "max_tokens: Field required"),
        (json!({"n": 1}), "n: Extra inputs are not permitted"),
        (json!({"temperature": 1.5}), "temperature: range: 0..1"),
        (
            json!({"messages": [{"role": "system", "content": "x"}]}),
            "messages: Unexpected role \"system\"",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": "x"}]}),
            "messages: first message must use",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}),
            "messages: text content blocks",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}),
            "messages.0.content.0: Input tag 'smell'",
        ),
        (
            json!({"messages": [{"role": "user", "content": [image]}]}),
            "messages.0.content.0.image.source.base64: invalid",
        ),
        (
            tool_turn(Value::Null, "toolu_9"),
            "messages.2.content.0: unexpected `tool_use_id`",
        ),
        (
            tool_turn(thoughts("c2lnbmVk"), "toolu_1"),
            "messages.1.content.0: Invalid `signature` in `thinking` block",
        ),
        (unsigned, "messages.1.content.0.type: Expected `thinking`"),
        (
            json!({"tool_choice": {"type": "auto"}}),
            "tool_choice may only be specified",
        ),
    ] {
        let answer = messages(&mut peer, more);
        let body = answer.json();
        assert_eq!(
            (answer.status(), &body["type"]),
            (400, &json!("error")),
            "{body}"
        );
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert!(
            body["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with(expected),
            "{body}"
        );
        assert_eq!(answer.header("request-id"), body["request_id"].as_str());
    }
    let right = tool_turn(thoughts(&proof::signature("Hm.")), "toolu_1");
    assert_eq!(messages(&mut peer, right).status(), 200);
    let body = json!({"model": "claude", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]});
    let unversioned = post(&mut peer, "messages", "x-api-key: sk-ant", &body);
    assert!(
        unversioned
            .text()
            .contains("anthropic-version: header is required")
    );
    let beta = format!("{VERSION}\r\nanthropic-beta: claude-code-20250219,made-up-2020-01-01");
    let unknown = post(&mut peer, "messages", &beta, &body);
    assert!(
        unknown
            .text()
            .contains("Unexpected value(s) `made-up-2020-01-01`")
    );
    simulator.expect_key(Some("sk-other"));
    let stranger = post(&mut peer, "messages", VERSION, &body);
    assert_eq!(
        (stranger.status(), &stranger.json()["error"]["type"]),
        (401, &json!("authentication_error"))
    );
}

#[test]
fn a_response_is_refused_in_openais_words() {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    let call = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"});
    let output = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "ok"});
    let thoughts =
        |content: &str| json!({"type": "reasoning", "summary": [], "encrypted_content": content});
    let ours = proof::encrypted("sk-one", "Hm.");
    for (more, expected) in [
        (json!({"messages": []}), "Unknown parameter: 'messages'."),
        (
            json!({"stream_options": {"include_usage": true}}),
            "Unknown parameter: 'stream_options.include_usage'.",
        ),
        (
            json!({"max_output_tokens": 5}),
            "Invalid 'max_output_tokens': integer below minimum value.",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
            "Unknown parameter: 'tools[0].function'.",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}),
            "Invalid value: 'text'.",
        ),
        (
            json!({"input": [output("c1")]}),
            "No tool call found for function call output with call_id c1.",
        ),
        (
            json!({"input": [call]}),
            "No tool output found for function call c1.",
        ),
        (
            json!({"input": [thoughts(&proof::encrypted("sk-two", "Hm.")), call, output("c1")]}),
            "The encrypted content",
        ),
        (
            json!({"previous_response_id": "resp_none"}),
            "Previous response with id 'resp_none' not found.",
        ),
    ] {
        let answer = responses(&mut peer, more);
        let body = answer.json();
        assert_eq!(
            (answer.status(), &body["error"]["type"]),
            (400, &json!("invalid_request_error")),
            "{body}"
        );
        assert!(
            body["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with(expected),
            "{body}"
        );
    }
    let right = json!({"input": [thoughts(&ours), call, output("c1")]});
    assert_eq!(responses(&mut peer, right).status(), 200);
}

#[test]
fn a_session_has_its_turns_in_every_protocol() {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    let turns =
        json!({"turns": [{"content": "first"}, {"content": "second"}, {"content": "third"}]});
    let mut message = tool_turn(Value::Null, "toolu_1");
    message["simulate"] = turns.clone();
    assert_eq!(
        messages(&mut peer, message).json()["content"][0]["text"],
        "second"
    );
    assert_eq!(
        messages(&mut peer, json!({"simulate": turns})).json()["content"][0]["text"],
        "first"
    );
    let call = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "c1", "output": "ok"});
    let asked = json!({"input": [call, output], "simulate": turns});
    let answer = responses(&mut peer, asked).json();
    assert_eq!(answer["output"][0]["content"][0]["text"], "second");
    let mut chat = super::chat(
        json!({"messages": [{"role": "tool"}, {"role": "tool"}, {"role": "user"}, {"role": "tool"}]}),
    );
    chat["simulate"] = turns;
    assert_eq!(
        peer.ask(&chat).json()["choices"][0]["message"]["content"],
        "third"
    );
}

#[test]
fn responses_are_kept_continued_and_deleted() {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    let tool = json!([{"type": "function", "name": "f"}]);
    let call = json!({"tool_calls": [{"id": "c1", "name": "f", "arguments": "{}"}]});
    let first = responses(&mut peer, json!({"tools": tool, "simulate": call})).json();
    let id = first["id"].as_str().unwrap();
    let output = json!([{"type": "function_call_output", "call_id": "c1", "output": "ok"}]);
    let next = responses(
        &mut peer,
        json!({"input": output, "previous_response_id": id}),
    );
    assert_eq!(next.status(), 200, "{}", next.text());
    let mut get = |method: &str, path: &str| {
        peer.send(&format!("{method} /v1/responses/{path} HTTP/1.1"), "");
        peer.answer()
    };
    assert_eq!(get("GET", id).json()["output"], first["output"]);
    assert_eq!(
        get("GET", &format!("{id}/input_items")).json()["data"][0]["content"][0]["text"],
        "Hi"
    );
    assert!(
        get("POST", &format!("{id}/cancel"))
            .text()
            .contains("Cannot cancel a synchronous response.")
    );
    assert_eq!(get("DELETE", id).json()["deleted"], true);
    assert_eq!(get("GET", id).status(), 404);
    let queued = responses(&mut peer, json!({"background": true})).json();
    assert_eq!(queued["status"], "queued");
    let id = queued["id"].as_str().unwrap();
    let mut get = |path: &str| {
        peer.send(&format!("GET /v1/responses/{path} HTTP/1.1"), "");
        peer.answer().json()["status"].clone()
    };
    assert_eq!(
        (get(id), get(id)),
        (json!("in_progress"), json!("completed"))
    );
}

#[test]
fn streams_break_off_in_their_own_way() {
    let simulator = Simulator::start();
    let mut peer = Peer::new(&simulator);
    let broken = json!({"stream": true, "simulate": {"content": "a b c", "error_mid_stream": {"after_chunks": 2}}});
    let text = messages(&mut peer, broken.clone()).text();
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    assert!(text.ends_with(error), "{text}");
    let events = responses(&mut peer, broken).events();
    let last = &events[events.len() - 1];
    assert_eq!(
        (&last["type"], &last["response"]["status"]),
        (&json!("response.failed"), &json!("failed"))
    );
    assert_eq!(last["sequence_number"], events.len() - 1);
    let overloaded = messages(&mut peer, json!({"simulate": {"status": 529}}));
    assert_eq!(
        (overloaded.status(), &overloaded.json()["error"]["type"]),
        (529, &json!("overloaded_error"))
    );
}

#[test]
fn tokens_are_counted_and_models_listed() {
    let simulator = Simulator::start();
    simulator.behave("claude", super::super::Behaviour::default());
    let mut peer = Peer::new(&simulator);
    let body = json!({"model": "claude", "messages": [{"role": "user", "content": "Hello there"}]});
    let counted = post(&mut peer, "messages/count_tokens", VERSION, &body);
    assert!(counted.json()["input_tokens"].as_u64().unwrap() > 5);
    peer.send(
        "GET /v1/models HTTP/1.1\r\nanthropic-version: 2023-06-01",
        "",
    );
    assert_eq!(peer.answer().json()["data"][0]["type"], "model");
}
