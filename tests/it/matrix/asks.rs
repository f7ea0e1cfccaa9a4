//! The same conversation, asked in each protocol.

use serde_json::{Value, json};

use super::Protocol;
use super::told::Told;
use crate::harness::PROMPT;

/// What is asked for beside an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    pub stream: bool,
    pub tools: bool,
    pub thinking: bool,
}

const RESULT: &str = "18 °C, \"sunny\"";

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

/// A first request.
pub fn first(protocol: Protocol, model: &str, asked: Asked) -> Value {
    let names = ["weather", "time"];
    let mut body = json!({"model": model, "stream": asked.stream});
    match protocol {
        Protocol::Chat => {
            body["messages"] = json!([
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": PROMPT},
            ]);
            if asked.stream {
                body["stream_options"] = json!({"include_usage": true});
            }
            if asked.thinking {
                body["reasoning_effort"] = json!("low");
            }
            if asked.tools {
                body["tools"] = names
                    .iter()
                    .map(|name| json!({"type": "function", "function": {"name": name, "description": "Tells it.", "parameters": schema()}}))
                    .collect();
            }
        }
        Protocol::Messages => {
            body["max_tokens"] = json!(4000);
            body["system"] = json!([{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]);
            body["messages"] =
                json!([{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]);
            if asked.thinking {
                body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
            }
            if asked.tools {
                body["tools"] = names
                    .iter()
                    .map(|name| json!({"name": name, "description": "Tells it.", "input_schema": schema()}))
                    .collect();
            }
        }
        Protocol::Responses => {
            body["instructions"] = json!("Be brief.");
            body["input"] = json!([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": PROMPT}]}]);
            body["store"] = json!(false);
            if asked.thinking {
                body["reasoning"] = json!({"effort": "low", "summary": "auto"});
                body["include"] = json!(["reasoning.encrypted_content"]);
            }
            if asked.tools {
                body["tools"] = names
                    .iter()
                    .map(|name| json!({"type": "function", "name": name, "description": "Tells it.", "parameters": schema(), "strict": false}))
                    .collect();
            }
        }
    }
    body
}

/// The request that brings the results of the tools that were called.
pub fn with_results(protocol: Protocol, before: &Value, told: &Told) -> Value {
    let mut body = before.clone();
    let field = if protocol == Protocol::Responses {
        "input"
    } else {
        "messages"
    };
    let turns = body[field].as_array_mut().expect("turns");
    let calls = told.calls.iter();
    match protocol {
        Protocol::Chat => {
            turns.push(told.turn.clone());
            turns.extend(
                calls.map(
                    |call| json!({"role": "tool", "tool_call_id": call.id, "content": RESULT}),
                ),
            );
        }
        Protocol::Messages => {
            turns.push(told.turn.clone());
            let results: Vec<Value> = calls
                .map(|call| json!({"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": RESULT}]}))
                .collect();
            turns.push(json!({"role": "user", "content": results}));
        }
        Protocol::Responses => {
            turns.extend(told.turn.as_array().expect("items").iter().cloned());
            turns.extend(calls.map(|call| json!({"type": "function_call_output", "call_id": call.id, "output": RESULT})));
        }
    }
    body
}

/// The results of tools in a request as an upstream got it: whose they are, and what they say.
pub fn results(protocol: Protocol, body: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => value.as_str().unwrap_or_default().to_owned(),
    };
    let of = |value: &Value, id: &str, content: &str| {
        (
            value[id].as_str().unwrap_or_default().to_owned(),
            text(&value[content]),
        )
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match protocol {
        Protocol::Chat => list(&body["messages"])
            .iter()
            .filter(|turn| turn["role"] == "tool")
            .map(|turn| of(turn, "tool_call_id", "content"))
            .collect(),
        Protocol::Messages => list(&body["messages"])
            .iter()
            .flat_map(|turn| list(&turn["content"]))
            .filter(|block| block["type"] == "tool_result")
            .map(|block| of(&block, "tool_use_id", "content"))
            .collect(),
        Protocol::Responses => list(&body["input"])
            .iter()
            .filter(|item| item["type"] == "function_call_output")
            .map(|item| of(item, "call_id", "output"))
            .collect(),
    }
}

/// What every result of a tool says.
pub fn result() -> &'static str {
    RESULT
}
