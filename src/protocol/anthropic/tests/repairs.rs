//! Conversations that Anthropic would refuse, and what is sent in their place.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{claude, json as parsed};
use crate::protocol::anthropic::{Target, encode_request};
use crate::protocol::openai_chat;

fn mending() -> Target<'static> {
    Target {
        mends: true,
        ..claude()
    }
}

fn sent(messages: &Value, more: Value) -> Value {
    let mut body = json!({"model": "x", "max_tokens": 9000, "messages": messages});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let request = openai_chat::decode_request(&body.to_string().into()).unwrap();
    parsed(&encode_request(&request, &mending()).unwrap().body)
}

fn call(id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}})
}

/// The conversation in short: roles, and of each block its type or its id.
fn outline(body: &Value) -> Vec<String> {
    let turns = body["messages"].as_array().unwrap().iter();
    let block = |block: &Value| match (&block["id"], &block["tool_use_id"]) {
        (Value::String(id), _) => format!("call {id}"),
        (_, Value::String(id)) if block["is_error"] == true => format!("no result {id}"),
        (_, Value::String(id)) => format!("result {id}"),
        _ => block["type"].as_str().unwrap_or_default().to_owned(),
    };
    turns
        .map(|turn| {
            let blocks = turn["content"].as_array().unwrap().iter().map(block);
            let blocks: Vec<String> = blocks.collect();
            format!("{} {}", turn["role"].as_str().unwrap(), blocks.join("+"))
        })
        .collect()
}

#[test]
fn conversations_are_mended() {
    let user = json!({"role": "user", "content": "a"});
    let calls = |ids: &[&str]| json!({"role": "assistant", "tool_calls": ids.iter().map(|id| call(id)).collect::<Vec<_>>()});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "r"});
    let said = json!({"role": "assistant", "content": "b"});
    for (messages, expected) in [
        (
            json!([user, calls(&["x"]), result("x"), said]),
            vec![
                "user text",
                "assistant call x",
                "user result x",
                "assistant text",
            ],
        ),
        (
            json!([{"role": "system", "content": "s"}]),
            vec!["user text"],
        ),
        (
            json!([said, user]),
            vec!["user text", "assistant text", "user text"],
        ),
        (
            json!([user, calls(&["x", "y"]), result("y"), user]),
            vec![
                "user text",
                "assistant call x+call y",
                "user no result x+result y+text",
            ],
        ),
        (
            json!([user, calls(&["x"])]),
            vec!["user text", "assistant call x", "user no result x"],
        ),
        (
            json!([user, result("z"), said]),
            vec!["user text", "assistant text"],
        ),
        (json!([result("z")]), vec!["user text"]),
        (
            json!([user, calls(&["x"]), user, said, result("x")]),
            vec![
                "user text",
                "assistant call x",
                "user no result x+text",
                "assistant text",
            ],
        ),
    ] {
        assert_eq!(outline(&sent(&messages, json!({}))), expected, "{messages}");
    }
}

#[test]
fn who_called_without_a_thought_does_not_think() {
    let messages = |thought: Value| {
        json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [call("x")], "thinking_blocks": thought},
            {"role": "tool", "tool_call_id": "x", "content": "r"},
        ])
    };
    let asks = json!({"reasoning_effort": "high"});
    let without = sent(&messages(json!([])), asks.clone());
    assert_eq!(without.get("thinking"), None);
    let thought = json!([{"type": "thinking", "thinking": "t", "signature": "c2ln"}]);
    let with = sent(&messages(thought), asks);
    assert_eq!(with["thinking"]["type"], "enabled");
}

/// A message of some kind, with ids of few letters so that calls and results meet.
fn message() -> impl Strategy<Value = Value> {
    let id = || "[a-d]";
    prop_oneof![
        "[ab ]{0,2}".prop_map(|text| json!({"role": "user", "content": text})),
        "[ab ]{0,2}".prop_map(|text| json!({"role": "system", "content": text})),
        "[ab ]{0,2}".prop_map(|text| json!({"role": "assistant", "content": text})),
        prop::collection::vec(id(), 1..3).prop_map(|ids| {
            let calls: Vec<Value> = ids.iter().map(|id| call(id)).collect();
            json!({"role": "assistant", "tool_calls": calls})
        }),
        id().prop_map(|id| json!({"role": "tool", "tool_call_id": id, "content": "r"})),
    ]
}

proptest! {
    #[test]
    fn what_is_mended_is_in_order(messages in prop::collection::vec(message(), 1..12)) {
        let body = sent(&json!(messages), json!({}));
        let turns = body["messages"].as_array().unwrap();
        prop_assert_ne!(&turns[0]["role"], "assistant");
        let ids = |turn: Option<&Value>, field: &str| -> Vec<String> {
            let blocks = turn.and_then(|turn| turn["content"].as_array()).into_iter().flatten();
            let of_client = blocks.filter(|block| ["tool_use", "tool_result"].contains(&block["type"].as_str().unwrap_or_default()));
            let mut ids: Vec<String> = of_client.filter_map(|block| block[field].as_str()).map(str::to_owned).collect();
            ids.sort();
            ids.dedup();
            ids
        };
        for (at, turn) in turns.iter().enumerate() {
            prop_assert!(!turn["content"].as_array().unwrap().is_empty());
            if turn["role"] == "assistant" {
                prop_assert_eq!(ids(Some(turn), "id"), ids(turns.get(at + 1), "tool_use_id"));
            }
        }
    }
}
