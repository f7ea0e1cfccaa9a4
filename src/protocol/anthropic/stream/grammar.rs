//! A checker that knows Anthropic's stream from its reference alone, and nothing of how it is written.

use serde_json::Value;

/// The first offence against the order of events, if there is one. `whole` asks that the stream has ended.
pub fn offence(bytes: &[u8], whole: bool) -> Option<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => return Some("no UTF-8".to_owned()),
    };
    let mut started = false;
    let mut open: Option<(u64, String)> = None;
    let mut next = 0;
    let mut delta_seen = false;
    let mut ended = false;
    for frame in text.split_terminator("\n\n") {
        let Some((event, data)) = frame
            .strip_prefix("event: ")
            .and_then(|rest| rest.split_once("\ndata: "))
        else {
            return Some(format!("no frame: {frame:?}"));
        };
        let Ok(data) = serde_json::from_str::<Value>(data) else {
            return Some(format!("no JSON: {data}"));
        };
        if data["type"] != event {
            return Some(format!("{event} says {}", data["type"]));
        }
        if ended {
            return Some(format!("{event} after the end"));
        }
        let index = data["index"].as_u64();
        match event {
            "message_start" => {
                let message = &data["message"];
                let usage = &message["usage"];
                let complete = message["id"]
                    .as_str()
                    .is_some_and(|id| id.starts_with("msg_"))
                    && message["type"] == "message"
                    && message["role"] == "assistant"
                    && message["model"].is_string()
                    && message["content"] == Value::Array(Vec::new())
                    && message["stop_reason"].is_null()
                    && counts(usage);
                if started || !complete {
                    return Some(format!("message_start: {data}"));
                }
                started = true;
            }
            "ping" if started => {}
            "content_block_start" => {
                let block = &data["content_block"];
                let Some(kind) = block["type"].as_str() else {
                    return Some(format!("a block without a type: {data}"));
                };
                let complete = match kind {
                    "text" => block["text"] == "",
                    "thinking" => block["thinking"] == "" && block["signature"] == "",
                    "redacted_thinking" => block["data"].is_string(),
                    "tool_use" | "server_tool_use" => {
                        block["id"].is_string()
                            && block["name"].is_string()
                            && block["input"] == serde_json::json!({})
                    }
                    _ => kind.ends_with("_tool_result") && block["tool_use_id"].is_string(),
                };
                let in_place = started && open.is_none() && !delta_seen && index == Some(next);
                if !in_place || !complete {
                    return Some(format!("content_block_start: {data}"));
                }
                open = Some((next, kind.to_owned()));
                next += 1;
            }
            "content_block_delta" => {
                let Some((number, kind)) = &open else {
                    return Some(format!("a delta of no block: {data}"));
                };
                let delta = &data["delta"];
                let fits = match delta["type"].as_str() {
                    Some("text_delta") => kind == "text" && delta["text"].is_string(),
                    Some("citations_delta") => kind == "text" && delta["citation"].is_object(),
                    Some("thinking_delta") => kind == "thinking" && delta["thinking"].is_string(),
                    Some("signature_delta") => kind == "thinking" && delta["signature"].is_string(),
                    Some("input_json_delta") => {
                        kind.ends_with("tool_use") && delta["partial_json"].is_string()
                    }
                    _ => false,
                };
                if index != Some(*number) || !fits {
                    return Some(format!("{kind} got {data}"));
                }
            }
            "content_block_stop" => match open.take() {
                Some((number, _)) if index == Some(number) => {}
                _ => return Some(format!("a stop of no block: {data}")),
            },
            "message_delta" => {
                let complete = data["delta"]["stop_reason"].is_string() && counts(&data["usage"]);
                if !started || open.is_some() || delta_seen || !complete {
                    return Some(format!("message_delta: {data}"));
                }
                delta_seen = true;
            }
            "message_stop" if delta_seen => ended = true,
            "error" => {
                let error = &data["error"];
                if !error["type"].is_string() || !error["message"].is_string() {
                    return Some(format!("error: {data}"));
                }
                ended = true;
            }
            other => return Some(format!("{other} out of place")),
        }
    }
    (whole && !ended).then(|| "the end is missing".to_owned())
}

fn counts(usage: &Value) -> bool {
    [
        "input_tokens",
        "output_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
    ]
    .iter()
    .all(|name| usage[*name].is_u64())
}
