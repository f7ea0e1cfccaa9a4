//! A checker that knows OpenAI's stream from its reference alone, and nothing of how it is written.

use std::collections::BTreeMap;

use serde_json::Value;

#[derive(Default)]
struct Choice {
    calls: u64,
    finished: bool,
}

/// The first offence against the order of chunks, if there is one. `whole` asks that the stream has ended.
pub fn offence(bytes: &[u8], whole: bool) -> Option<String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Some("no UTF-8".to_owned());
    };
    let mut stamp: Option<(Value, Value, Value)> = None;
    let mut choices: BTreeMap<u64, Choice> = BTreeMap::new();
    let mut has_usage = false;
    let mut ended = false;
    for frame in text.split_terminator("\n\n") {
        if frame == ": ping" {
            continue;
        }
        let Some(data) = frame.strip_prefix("data: ") else {
            return Some(format!("no frame: {frame:?}"));
        };
        if ended {
            return Some(format!("{data} after the end"));
        }
        if data == "[DONE]" {
            if choices.is_empty() || choices.values().any(|choice| !choice.finished) {
                return Some("[DONE] before the finish reasons".to_owned());
            }
            ended = true;
            continue;
        }
        let Ok(data) = serde_json::from_str::<Value>(data) else {
            return Some(format!("no JSON: {data}"));
        };
        if let Some(error) = data.get("error") {
            if !error["message"].is_string()
                || !error["type"].is_string()
                || !error["code"].is_string()
            {
                return Some(format!("error: {data}"));
            }
            ended = true;
            continue;
        }
        let own = (
            data["id"].clone(),
            data["created"].clone(),
            data["model"].clone(),
        );
        let stamped = own.0.as_str().is_some_and(|id| !id.is_empty()) && own.1.is_u64();
        if data["object"] != "chat.completion.chunk" || !stamped || has_usage {
            return Some(format!("chunk: {data}"));
        }
        if *stamp.get_or_insert_with(|| own.clone()) != own {
            return Some(format!("another id, time or model: {data}"));
        }
        let Some(items) = data["choices"].as_array() else {
            return Some(format!("no choices: {data}"));
        };
        if items.is_empty() {
            if !data["usage"]["prompt_tokens"].is_u64()
                || choices.values().any(|choice| !choice.finished)
            {
                return Some(format!("usage: {data}"));
            }
            has_usage = true;
        }
        for item in items {
            let Some(index) = item["index"].as_u64() else {
                return Some(format!("a choice without an index: {data}"));
            };
            let first = !choices.contains_key(&index);
            let choice = choices.entry(index).or_default();
            let delta = &item["delta"];
            if choice.finished || first != (delta["role"] == "assistant") || !delta.is_object() {
                return Some(format!("role or order: {data}"));
            }
            if let Some(reason) = item.get("finish_reason") {
                let known = ["stop", "length", "tool_calls", "content_filter"];
                if delta.as_object().is_some_and(|delta| !delta.is_empty())
                    || !known.iter().any(|known| reason == known)
                {
                    return Some(format!("finish: {data}"));
                }
                choice.finished = true;
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let Some(place) = call["index"].as_u64() else {
                    return Some(format!("a call without an index: {data}"));
                };
                let begins = call.get("id").is_some();
                if begins {
                    let body = call.get("function").or(call.get("custom"));
                    let named = body.is_some_and(|body| body["name"].is_string());
                    if place != choice.calls || !named {
                        return Some(format!("a call begins: {data}"));
                    }
                    choice.calls += 1;
                } else if place >= choice.calls {
                    return Some(format!("arguments of no call: {data}"));
                }
            }
        }
    }
    (whole && !ended).then(|| "the end is missing".to_owned())
}
