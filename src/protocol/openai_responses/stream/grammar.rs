//! A checker that knows OpenAI's stream from its reference alone, and nothing of how it is written.

use serde_json::{Value, json};

/// What is open, from the outside in.
struct Item {
    value: Value,
    /// The parts that are whole.
    parts: Vec<Value>,
    part: Option<Value>,
    text: String,
    done_text: Option<String>,
    annotations: Vec<Value>,
}

/// The first offence against the order of events, if there is one. `whole` asks that the stream has ended.
pub fn offence(bytes: &[u8], whole: bool) -> Option<String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Some("no UTF-8".to_owned());
    };
    let mut sequence = 0;
    let mut id = Value::Null;
    let mut items: Vec<Value> = Vec::new();
    let mut open: Option<Item> = None;
    let mut events = 0;
    let mut failing = false;
    let mut ended = false;
    for frame in text.split_terminator("\n\n") {
        if frame == ": ping" {
            continue;
        }
        let Some((event, data)) = frame
            .strip_prefix("event: ")
            .and_then(|rest| rest.split_once("\ndata: "))
        else {
            return Some(format!("no frame: {frame:?}"));
        };
        let Ok(data) = serde_json::from_str::<Value>(data) else {
            return Some(format!("no JSON: {data}"));
        };
        let wrong = |why: &str| Some(format!("{event}: {why}: {data}"));
        if data["type"] != event || data["sequence_number"] != sequence {
            return wrong("type or sequence");
        }
        sequence += 1;
        if ended || failing && event != "response.failed" {
            return wrong("after the end");
        }
        let response = &data["response"];
        if event.starts_with("response.") && data.get("response").is_some() {
            if id.is_null() {
                id = response["id"].clone();
            }
            let status = event.strip_prefix("response.").unwrap_or_default();
            let status = if status == "created" {
                "in_progress"
            } else {
                status
            };
            let complete = response["object"] == "response"
                && response["id"] == id
                && id.as_str().is_some_and(|id| id.starts_with("resp_"))
                && response["created_at"].is_u64()
                && response["model"].is_string()
                && response["status"] == status
                && response["tools"].is_array()
                && response["tool_choice"] == "auto"
                && response["parallel_tool_calls"] == true
                && response["text"]["format"]["type"] == "text"
                && response["metadata"] == json!({})
                && response.get("error").is_some()
                && response.get("incomplete_details").is_some();
            if !complete || response["output"] != json!(items) || open.is_some() {
                return wrong("response");
            }
        }
        match event {
            "response.created" if events == 0 => {}
            "response.in_progress" if events == 1 => {}
            "response.completed" | "response.incomplete" if events > 1 => {
                let usage = &response["usage"];
                let counts = usage["input_tokens"].is_u64()
                    && usage["input_tokens_details"]["cached_tokens"].is_u64()
                    && usage["output_tokens"].is_u64()
                    && usage["output_tokens_details"]["reasoning_tokens"].is_u64()
                    && usage["total_tokens"].is_u64();
                let why = &response["incomplete_details"]["reason"];
                if !counts || (event == "response.incomplete") != why.is_string() {
                    return wrong("end");
                }
                ended = true;
            }
            "error" if events > 1 && open.is_none() => {
                if !data["message"].is_string() || !data["error"]["message"].is_string() {
                    return wrong("error");
                }
                failing = true;
            }
            "response.failed" if failing => {
                if !response["error"]["code"].is_string()
                    || !response["error"]["message"].is_string()
                {
                    return wrong("error");
                }
                ended = true;
            }
            "response.output_item.added" if events > 1 && open.is_none() => {
                let item = &data["item"];
                let empty = match item["type"].as_str() {
                    Some("message") => item["content"] == json!([]) && item["role"] == "assistant",
                    Some("reasoning") => item["summary"] == json!([]),
                    Some("function_call") => item["arguments"] == "" && item["call_id"].is_string(),
                    Some("custom_tool_call") => item["input"] == "" && item["call_id"].is_string(),
                    Some("web_search_call" | "image_generation_call" | "local_shell_call") => true,
                    _ => false,
                };
                let known = items.iter().any(|other| other["id"] == item["id"]);
                if !empty || known || !item["id"].is_string() || data["output_index"] != items.len()
                {
                    return wrong("item");
                }
                open = Some(Item {
                    value: item.clone(),
                    parts: Vec::new(),
                    part: None,
                    text: String::new(),
                    done_text: None,
                    annotations: Vec::new(),
                });
            }
            "response.output_item.done" => {
                let Some(item) = open.take() else {
                    return wrong("no item");
                };
                let done = &data["item"];
                let same = done["id"] == item.value["id"]
                    && done["type"] == item.value["type"]
                    && done["call_id"] == item.value["call_id"]
                    && data["output_index"] == items.len()
                    && item.part.is_none();
                let told = match done["type"].as_str() {
                    Some("message") => {
                        done["content"] == json!(item.parts) && done["status"] == "completed"
                    }
                    Some("reasoning") => done["summary"] == json!(item.parts),
                    Some("function_call") => {
                        item.done_text.as_deref() == done["arguments"].as_str()
                    }
                    Some("custom_tool_call") => item.done_text.as_deref() == done["input"].as_str(),
                    _ => true,
                };
                if !same || !told {
                    return wrong("item");
                }
                items.push(done.clone());
            }
            _ => {
                let Some(item) = open.as_mut() else {
                    return wrong("no item");
                };
                if data["item_id"] != item.value["id"] || data["output_index"] != items.len() {
                    return wrong("another item");
                }
                if let Some(why) = inner(item, event, &data) {
                    return wrong(why);
                }
            }
        }
        events += 1;
    }
    (whole && !ended).then(|| "the end is missing".to_owned())
}

/// An event within an item.
fn inner(item: &mut Item, event: &str, data: &Value) -> Option<&'static str> {
    let kind = item.value["type"].as_str().unwrap_or_default().to_owned();
    let part_kind = item
        .part
        .as_ref()
        .map(|part| part["type"].clone())
        .unwrap_or_default();
    let place = match kind.as_str() {
        "message" => data["content_index"] == item.parts.len(),
        "reasoning" => data["summary_index"] == item.parts.len(),
        _ => true,
    };
    if !place {
        return Some("index");
    }
    let fits = |outer: &str, inner: &str| kind == outer && (inner.is_empty() || part_kind == inner);
    match event {
        "response.content_part.added" | "response.reasoning_summary_part.added" => {
            let outer = if event.contains("reasoning") {
                "reasoning"
            } else {
                "message"
            };
            let part = &data["part"];
            let empty = match part["type"].as_str() {
                Some("output_text") => part["text"] == "" && part["annotations"] == json!([]),
                Some("refusal") => part["refusal"] == "",
                Some("summary_text") => part["text"] == "" && outer == "reasoning",
                _ => false,
            };
            if kind != outer || item.part.is_some() || !empty {
                return Some("part");
            }
            item.part = Some(part.clone());
            item.text.clear();
            item.done_text = None;
            item.annotations.clear();
        }
        "response.content_part.done" | "response.reasoning_summary_part.done" => {
            let part = &data["part"];
            let text = part["text"].as_str().or(part["refusal"].as_str());
            let cited =
                part["type"] != "output_text" || part["annotations"] == json!(item.annotations);
            if item.part.take().is_none()
                || text != item.done_text.as_deref()
                || part["type"] != part_kind
                || !cited
            {
                return Some("part");
            }
            item.parts.push(part.clone());
        }
        "response.output_text.annotation.added" if fits("message", "output_text") => {
            if data["annotation_index"] != item.annotations.len() || item.done_text.is_some() {
                return Some("annotation");
            }
            item.annotations.push(data["annotation"].clone());
        }
        _ => {
            let (outer, part, field) = match event.rsplit_once('.')?.0 {
                "response.output_text" => ("message", "output_text", "text"),
                "response.refusal" => ("message", "refusal", "refusal"),
                "response.reasoning_summary_text" => ("reasoning", "summary_text", "text"),
                "response.function_call_arguments" => ("function_call", "", "arguments"),
                "response.custom_tool_call_input" => ("custom_tool_call", "", "input"),
                _ => return Some("unknown"),
            };
            if !fits(outer, part) || item.done_text.is_some() {
                return Some("another kind");
            }
            if event.ends_with(".delta") {
                item.text.push_str(data["delta"].as_str()?);
            } else if data[field] == item.text {
                item.done_text = Some(item.text.clone());
            } else {
                return Some("text");
            }
        }
    }
    None
}
