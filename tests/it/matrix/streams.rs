//! Streams of the three protocols, put together as their SDKs do it, and checked against their grammar on the way.
//!
//! What comes out has the form of a whole answer, so that one reader serves both. A stream that no SDK should have to expect
//! (a delta of another block's kind, a number out of order, two ends) is a failure of the test.

use serde_json::{Value, json};

use super::Protocol;
use crate::harness::Reply;

/// The events of a stream: their names and payloads.
#[track_caller]
pub fn events(reply: &Reply) -> Vec<(Option<String>, String)> {
    // Lines end as the upstream's do where a stream passes.
    let text = reply.text().replace("\r\n", "\n");
    assert!(
        text.is_empty() || text.ends_with("\n\n"),
        "not a whole frame at the end of {text}"
    );
    // Comments are for nobody, nor is a name without data, which is what is left of an event that was cut off.
    let frames = text.split_terminator("\n\n").filter(|frame| {
        !frame.starts_with(": ") && (!frame.starts_with("ev") || frame.contains('\n'))
    });
    frames
        .map(|frame| {
            let (name, data) = match frame.strip_prefix("event: ") {
                Some(rest) => {
                    let (name, data) = rest.split_once('\n').unwrap_or((rest, ""));
                    (Some(name.to_owned()), data)
                }
                None => (None, frame),
            };
            let data = data
                .strip_prefix("data: ")
                .unwrap_or_else(|| panic!("not a frame: {frame:?}"));
            assert!(!data.contains('\n'), "{frame:?}");
            (name, data.to_owned())
        })
        .collect()
}

/// The whole answer that a stream tells.
#[track_caller]
pub fn assembled(protocol: Protocol, reply: &Reply) -> Value {
    assert!(
        reply.must("content-type").starts_with("text/event-stream"),
        "{:?}",
        reply.headers
    );
    let events = events(reply);
    match protocol {
        Protocol::Chat => chat(&events),
        Protocol::Messages => messages(&events),
        Protocol::Responses => responses(&events),
    }
}

fn parsed(data: &str) -> Value {
    serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))
}

/// Appends a text of a delta.
fn append(to: &mut Value, piece: &Value) {
    if let Some(piece) = piece.as_str() {
        *to = json!(to.as_str().unwrap_or_default().to_owned() + piece);
    }
}

// --- Chat Completions ---

fn chat(events: &[(Option<String>, String)]) -> Value {
    let (last, chunks) = events.split_last().expect("a stream with frames");
    assert_eq!(last.1, "[DONE]");
    let mut message = json!({});
    let mut whole = Value::Null;
    let mut finish = Value::Null;
    for (number, (name, data)) in chunks.iter().enumerate() {
        assert_eq!(*name, None, "{data}");
        let chunk = parsed(data);
        assert_eq!(chunk["object"], "chat.completion.chunk", "{chunk}");
        if number == 0 {
            assert_eq!(chunk["choices"][0]["delta"]["role"], "assistant", "{chunk}");
            whole =
                json!({"id": chunk["id"], "model": chunk["model"], "object": "chat.completion"});
        }
        for name in ["id", "model"] {
            assert_eq!(chunk[name], whole[name], "{chunk}");
        }
        if chunk["usage"].is_object() {
            assert_eq!(whole["usage"], Value::Null, "usage twice");
            whole["usage"] = chunk["usage"].clone();
        }
        let choices = chunk["choices"].as_array().expect("choices");
        if choices.is_empty() {
            assert_eq!(number + 1, chunks.len(), "usage ends the stream: {chunk}");
            continue;
        }
        assert_eq!(
            finish,
            Value::Null,
            "something follows the finish reason: {chunk}"
        );
        finish = choices[0]["finish_reason"].clone();
        delta(&mut message, &choices[0]["delta"]);
    }
    if let Some(fields) = message.as_object_mut() {
        fields.retain(|name, value| name == "content" || !value.is_null());
    }
    whole["choices"] = json!([{"index": 0, "message": message, "finish_reason": finish}]);
    whole
}

fn delta(message: &mut Value, delta: &Value) {
    for name in ["role", "content", "refusal", "reasoning_content"] {
        append(&mut message[name], &delta[name]);
    }
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        let at = call["index"].as_u64().expect("an index") as usize;
        let calls = message["tool_calls"].as_array().map_or(0, Vec::len);
        assert!(at <= calls, "call {at} after {calls}");
        if at == calls {
            assert!(
                call["id"].is_string() && call["function"]["name"].is_string(),
                "{call}"
            );
            if calls == 0 {
                message["tool_calls"] = json!([]);
            }
            let made = json!({"id": call["id"], "type": "function", "function": {"name": call["function"]["name"], "arguments": ""}});
            message["tool_calls"]
                .as_array_mut()
                .expect("calls")
                .push(made);
        }
        append(
            &mut message["tool_calls"][at]["function"]["arguments"],
            &call["function"]["arguments"],
        );
    }
    if let Some(annotations) = delta["annotations"].as_array() {
        let known = message["annotations"].as_array().cloned();
        let all: Vec<Value> = known
            .into_iter()
            .flatten()
            .chain(annotations.clone())
            .collect();
        message["annotations"] = json!(all);
    }
    for block in delta["thinking_blocks"].as_array().into_iter().flatten() {
        thinking_block(message, block);
    }
}

/// Pieces of thoughts, then the signature, as LiteLLM's clients join them.
fn thinking_block(message: &mut Value, block: &Value) {
    if message["thinking_blocks"].is_null() {
        message["thinking_blocks"] = json!([]);
    }
    let blocks = message["thinking_blocks"].as_array_mut().expect("blocks");
    match blocks.last_mut() {
        Some(open)
            if block["type"] == "thinking"
                && open["type"] == "thinking"
                && open["signature"].is_null() =>
        {
            append(&mut open["thinking"], &block["thinking"]);
            if !block["signature"].is_null() {
                open["signature"] = block["signature"].clone();
            }
        }
        _ => blocks.push(block.clone()),
    }
}

// --- Messages ---

fn messages(events: &[(Option<String>, String)]) -> Value {
    let mut message = Value::Null;
    let mut open: Option<usize> = None;
    let mut stopped = false;
    let mut input = String::new();
    for (name, data) in events {
        let event = parsed(data);
        assert_eq!(name.as_deref(), event["type"].as_str(), "{data}");
        assert!(!stopped, "something follows message_stop: {data}");
        let kind = name.as_deref().unwrap_or_default();
        assert!(
            !message.is_null() || kind == "message_start",
            "before message_start: {data}"
        );
        match kind {
            "message_start" => {
                assert!(message.is_null(), "two starts");
                message = event["message"].clone();
                assert_eq!(message["content"], json!([]));
                assert_eq!(message["stop_reason"], Value::Null);
                for field in ["id", "model", "usage"] {
                    assert!(!message[field].is_null(), "no {field}: {data}");
                }
                for field in ["input_tokens", "output_tokens"] {
                    assert!(message["usage"][field].is_u64(), "no {field}: {data}");
                }
            }
            "content_block_start" => {
                assert_eq!(open, None, "a block within a block: {data}");
                let blocks = message["content"].as_array_mut().expect("content");
                assert_eq!(event["index"], blocks.len(), "{data}");
                open = Some(blocks.len());
                input.clear();
                blocks.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let at = open.unwrap_or_else(|| panic!("a delta of no block: {data}"));
                assert_eq!(event["index"], at, "{data}");
                block_delta(&mut message["content"][at], &event["delta"], &mut input);
            }
            "content_block_stop" => {
                let at = open
                    .take()
                    .unwrap_or_else(|| panic!("a stop of no block: {data}"));
                assert_eq!(event["index"], at, "{data}");
                let block = &mut message["content"][at];
                let whole = if input.is_empty() { "{}" } else { &input };
                if block["type"] == "tool_use" || block["type"] == "server_tool_use" {
                    // What an SDK makes of it, and what was said to the byte.
                    block["input"] = serde_json::from_str(whole).unwrap_or(json!({}));
                    block["raw_input"] = json!(whole);
                }
            }
            "message_delta" => {
                assert_eq!(open, None, "{data}");
                assert!(event["delta"]["stop_reason"].is_string(), "{data}");
                for (name, value) in event["delta"].as_object().expect("a delta") {
                    message[name] = value.clone();
                }
                for (name, value) in event["usage"].as_object().expect("usage") {
                    message["usage"][name] = value.clone();
                }
            }
            "message_stop" => {
                assert!(
                    message["stop_reason"].is_string(),
                    "no message_delta before the end"
                );
                stopped = true;
            }
            "ping" | "weather_report" => {}
            other => panic!("an event {other}: {data}"),
        }
    }
    assert!(stopped, "no message_stop");
    message
}

fn block_delta(block: &mut Value, delta: &Value, input: &mut String) {
    let kind = block["type"].as_str().unwrap_or_default().to_owned();
    let (field, of) = match delta["type"].as_str().unwrap_or_default() {
        "text_delta" => ("text", "text"),
        "thinking_delta" => ("thinking", "thinking"),
        "signature_delta" => ("signature", "thinking"),
        "input_json_delta" => {
            assert!(
                ["tool_use", "server_tool_use"].contains(&kind.as_str()),
                "{delta} of a {kind}"
            );
            input.push_str(delta["partial_json"].as_str().expect("partial_json"));
            return;
        }
        "citations_delta" => {
            assert_eq!(kind, "text");
            if block["citations"].is_null() {
                block["citations"] = json!([]);
            }
            let citations = block["citations"].as_array_mut().expect("citations");
            citations.push(delta["citation"].clone());
            return;
        }
        other => panic!("a delta {other}"),
    };
    assert_eq!(kind, of, "a delta of another block's kind: {delta}");
    append(&mut block[field], &delta[field]);
}

// --- Responses ---

fn responses(events: &[(Option<String>, String)]) -> Value {
    let mut items: Vec<Value> = Vec::new();
    let mut open: Option<usize> = None;
    let mut end = Value::Null;
    for (number, (name, data)) in events.iter().enumerate() {
        let event = parsed(data);
        assert_eq!(name.as_deref(), event["type"].as_str(), "{data}");
        assert_eq!(event["sequence_number"], number, "{data}");
        assert!(end.is_null(), "something follows the end: {data}");
        let kind = name.as_deref().unwrap_or_default();
        if number == 0 {
            assert_eq!(kind, "response.created");
        }
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                assert!(number < 3, "{data}");
                response_fields(&event["response"]);
            }
            "response.output_item.added" => {
                assert_eq!(open, None, "an item within an item: {data}");
                assert_eq!(event["output_index"], items.len(), "{data}");
                open = Some(items.len());
                items.push(event["item"].clone());
            }
            "response.output_item.done" => {
                let at = open
                    .take()
                    .unwrap_or_else(|| panic!("the end of no item: {data}"));
                assert_eq!(event["output_index"], at, "{data}");
                same_item(&items[at], &event["item"]);
                items[at] = event["item"].clone();
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                assert_eq!(open, None, "{data}");
                end = event["response"].clone();
                response_fields(&end);
                let status = kind.strip_prefix("response.");
                assert_eq!(end["status"].as_str(), status, "{data}");
            }
            "response.weather.reported" => {}
            _ => {
                let at = open.unwrap_or_else(|| panic!("outside of an item: {data}"));
                assert_eq!(event["output_index"], at, "{data}");
                assert_eq!(event["item_id"], items[at]["id"], "{data}");
                item_event(&mut items[at], kind, &event);
            }
        }
    }
    assert!(!end.is_null(), "the stream has no end");
    if end["status"] != "failed" {
        assert_eq!(
            end["output"],
            json!(items),
            "the items of the stream are those of its end"
        );
    }
    end
}

/// What OpenAI's SDKs require of a response.
fn response_fields(response: &Value) {
    assert_eq!(response["object"], "response", "{response}");
    for field in [
        "id",
        "created_at",
        "model",
        "output",
        "parallel_tool_calls",
        "tool_choice",
        "tools",
        "status",
    ] {
        assert!(!response[field].is_null(), "no {field}: {response}");
    }
}

/// What an item's deltas came to is what it says in the end.
fn same_item(made: &Value, done: &Value) {
    let texts = |item: &Value| -> Vec<Value> {
        let of = |list: &Value, field: &str| -> Vec<Value> {
            let parts = list.as_array().into_iter().flatten();
            parts.map(|part| part[field].clone()).collect()
        };
        let mut texts = of(&item["content"], "text");
        texts.extend(of(&item["content"], "refusal"));
        texts.extend(of(&item["summary"], "text"));
        texts.extend(
            ["arguments", "input", "name", "call_id", "id", "type"]
                .map(|field| item[field].clone()),
        );
        texts
    };
    assert_eq!(texts(made), texts(done), "{done}");
}

fn item_event(item: &mut Value, kind: &str, event: &Value) {
    let at = event["content_index"]
        .as_u64()
        .or(event["summary_index"].as_u64())
        .unwrap_or_default() as usize;
    let list = if kind.contains("summary") {
        "summary"
    } else {
        "content"
    };
    match kind {
        "response.content_part.added" | "response.reasoning_summary_part.added" => {
            if item[list].is_null() {
                item[list] = json!([]);
            }
            let parts = item[list].as_array_mut().expect("parts");
            assert_eq!(parts.len(), at, "{event}");
            parts.push(event["part"].clone());
        }
        "response.content_part.done" | "response.reasoning_summary_part.done" => {
            for field in ["type", "text", "refusal"] {
                assert_eq!(item[list][at][field], event["part"][field], "{event}");
            }
        }
        "response.output_text.delta"
        | "response.reasoning_summary_text.delta"
        | "response.reasoning_text.delta" => {
            append(&mut item[list][at]["text"], &event["delta"]);
        }
        "response.refusal.delta" => append(&mut item[list][at]["refusal"], &event["delta"]),
        "response.output_text.done" | "response.reasoning_summary_text.done" => {
            assert_eq!(item[list][at]["text"], event["text"], "{event}");
        }
        "response.refusal.done" => {
            assert_eq!(item[list][at]["refusal"], event["refusal"], "{event}")
        }
        "response.function_call_arguments.delta" => append(&mut item["arguments"], &event["delta"]),
        "response.function_call_arguments.done" => {
            // An upstream may send them here alone.
            if item["arguments"] == "" {
                item["arguments"] = event["arguments"].clone();
            }
            assert_eq!(item["arguments"], event["arguments"], "{event}");
        }
        "response.output_text.annotation.added" => {}
        _ if kind.starts_with("response.web_search_call.") => {}
        other => panic!("an event {other}: {event}"),
    }
}
