//! What a client was told, in one form for all protocols.

use serde_json::{Value, json};

use super::Protocol;

/// One answer as its client understands it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub text: String,
    pub thinking: String,
    pub refusal: String,
    pub calls: Vec<Call>,
    pub end: String,
    pub usage: Usage,
    pub model: String,
    /// What the client sends back as the assistant's turn: a message, or items.
    pub turn: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub id: String,
    pub name: String,
    /// As text; of a whole message its meaning alone.
    pub arguments: String,
}

/// Tokens in one way of counting: all input, and the part of it that a cache had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: u64,
    pub cached: u64,
    pub output: u64,
}

impl Told {
    /// Reads a whole answer, or what a stream was put together to.
    pub fn of(protocol: Protocol, answer: &Value) -> Self {
        match protocol {
            Protocol::Chat => chat(answer),
            Protocol::Messages => messages(answer),
            Protocol::Responses => responses(answer),
        }
    }

    /// Arguments as values.
    pub fn arguments(&self) -> Vec<Value> {
        let calls = self.calls.iter();
        calls
            .map(|call| serde_json::from_str(&call.arguments).unwrap_or(Value::Null))
            .collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn chat(answer: &Value) -> Told {
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    let usage = &answer["usage"];
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    assert_eq!(message["role"], "assistant", "{answer}");
    Told {
        text: text(&message["content"]),
        thinking: text(&message["reasoning_content"]),
        refusal: text(&message["refusal"]),
        calls: list(&message["tool_calls"])
            .map(|call| Call {
                id: text(&call["id"]),
                name: text(&call["function"]["name"]),
                arguments: text(&call["function"]["arguments"]),
            })
            .collect(),
        end: match choice["finish_reason"].as_str() {
            Some("stop") => "stop",
            Some("length") => "length",
            Some("tool_calls") => "tools",
            Some("content_filter") => "refusal",
            other => panic!("finish_reason {other:?}: {answer}"),
        }
        .to_owned(),
        usage: Usage {
            input: count(&usage["prompt_tokens"]),
            cached: count(&usage["prompt_tokens_details"]["cached_tokens"]),
            output: count(&usage["completion_tokens"]),
        },
        model: text(&answer["model"]),
        turn: message.clone(),
    }
}

fn messages(answer: &Value) -> Told {
    let mut told = Told {
        end: match answer["stop_reason"].as_str() {
            Some("end_turn" | "stop_sequence") => "stop",
            Some("max_tokens") => "length",
            Some("tool_use") => "tools",
            Some("refusal") => "refusal",
            other => panic!("stop_reason {other:?}: {answer}"),
        }
        .to_owned(),
        model: text(&answer["model"]),
        ..Told::default()
    };
    let mut content = Vec::new();
    for block in list(&answer["content"]) {
        let mut back = block.clone();
        match block["type"].as_str().unwrap_or_default() {
            "text" => told.text += block["text"].as_str().expect("text"),
            "thinking" => {
                told.thinking += block["thinking"].as_str().expect("thinking");
                assert!(block["signature"].is_string(), "{block}");
            }
            "tool_use" => {
                let said = back
                    .as_object_mut()
                    .and_then(|fields| fields.remove("raw_input"));
                told.calls.push(Call {
                    id: text(&block["id"]),
                    name: text(&block["name"]),
                    arguments: said.map_or(block["input"].to_string(), |said| text(&said)),
                });
            }
            _ => {}
        }
        content.push(back);
    }
    let usage = &answer["usage"];
    let count = |name: &str| usage[name].as_u64().unwrap_or_default();
    told.usage = Usage {
        input: count("input_tokens")
            + count("cache_creation_input_tokens")
            + count("cache_read_input_tokens"),
        cached: count("cache_read_input_tokens"),
        output: count("output_tokens"),
    };
    told.turn = json!({"role": "assistant", "content": content});
    told
}

fn responses(answer: &Value) -> Told {
    let mut told = Told {
        model: text(&answer["model"]),
        turn: answer["output"].clone(),
        ..Told::default()
    };
    for item in list(&answer["output"]) {
        match item["type"].as_str().unwrap_or_default() {
            "message" => {
                for part in list(&item["content"]) {
                    told.text += part["text"].as_str().unwrap_or_default();
                    told.refusal += part["refusal"].as_str().unwrap_or_default();
                }
            }
            "reasoning" => {
                let parts = list(&item["summary"]).chain(list(&item["content"]));
                told.thinking
                    .extend(parts.filter_map(|part| part["text"].as_str()));
            }
            "function_call" => told.calls.push(Call {
                id: text(&item["call_id"]),
                name: text(&item["name"]),
                arguments: text(&item["arguments"]),
            }),
            _ => {}
        }
    }
    told.end = match (
        answer["status"].as_str(),
        answer["incomplete_details"]["reason"].as_str(),
    ) {
        (Some("completed"), _) if !told.refusal.is_empty() => "refusal",
        (Some("completed"), _) if !told.calls.is_empty() => "tools",
        (Some("completed"), _) => "stop",
        (Some("incomplete"), Some("max_output_tokens")) => "length",
        (Some("incomplete"), Some("content_filter")) => "refusal",
        other => panic!("status {other:?}: {answer}"),
    }
    .to_owned();
    let usage = &answer["usage"];
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    told.usage = Usage {
        input: count(&usage["input_tokens"]),
        cached: count(&usage["input_tokens_details"]["cached_tokens"]),
        output: count(&usage["output_tokens"]),
    };
    assert_eq!(
        count(&usage["total_tokens"]),
        told.usage.input + told.usage.output,
        "{usage}"
    );
    told
}
