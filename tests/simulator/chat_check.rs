//! What OpenAI refuses in a chat, in its words. Only a simulator that was told to be strict asks; most tests send what they
//! like to see which of it arrives.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::errors::{self, Refusal};

/// `simulate` is the simulator's own.
const FIELDS: [&str; 36] = [
    "model",
    "messages",
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
    "simulate",
];

/// Roles, and the fields of each beside `role` and `content`.
const ROLES: [(&str, &[&str]); 6] = [
    ("system", &["name"]),
    ("developer", &["name"]),
    ("user", &["name"]),
    (
        "assistant",
        &[
            "name",
            "annotations",
            "refusal",
            "audio",
            "tool_calls",
            "function_call",
        ],
    ),
    ("tool", &["tool_call_id"]),
    ("function", &["name"]),
];

/// Content parts, and the fields of each beside `type`.
const PARTS: [(&str, &[&str]); 5] = [
    ("text", &["text"]),
    ("image_url", &["image_url"]),
    ("input_audio", &["input_audio"]),
    ("file", &["file"]),
    ("refusal", &["refusal"]),
];

fn invalid(message: &str, param: &str, code: Option<&str>) -> Refusal {
    Refusal::invalid(400, message, Some(param), code)
}

/// Refuses every field but these.
fn only(path: &str, value: &Value, allowed: &[&str]) -> Result<(), Refusal> {
    let fields = value
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys());
    match fields
        .into_iter()
        .find(|name| !allowed.contains(&name.as_str()))
    {
        None => Ok(()),
        Some(name) => {
            let param = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            Err(invalid(
                &format!("Unknown parameter: '{param}'."),
                &param,
                Some("unknown_parameter"),
            ))
        }
    }
}

/// Checks a chat's body; `more` are fields that this provider knows besides, of the body and of an assistant's message.
pub fn check(body: &[u8], more: &[&str]) -> Result<(), Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|_| errors::not_json())?;
    only("", &body, &[&FIELDS[..], more].concat())?;
    let messages = match body["messages"].as_array() {
        Some(messages) if !messages.is_empty() => messages,
        _ => {
            let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
            return Err(invalid(message, "messages", Some("empty_array")));
        }
    };
    if !body["stream_options"].is_null() && body["stream"] != true {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(invalid(message, "stream_options", None));
    }
    if body["tools"].as_array().is_some_and(Vec::is_empty) {
        let message = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        return Err(invalid(message, "tools", Some("empty_array")));
    }
    for name in ["tool_choice", "parallel_tool_calls"] {
        if !body[name].is_null() && body["tools"].is_null() && body["functions"].is_null() {
            let message = format!("'{name}' is only allowed when 'tools' are specified.");
            return Err(invalid(&message, name, None));
        }
    }
    for (at, tool) in list(&body["tools"]).iter().enumerate() {
        check_tool(&format!("tools[{at}]"), tool)?;
    }
    for (at, message) in messages.iter().enumerate() {
        check_message(&format!("messages[{at}]"), message, more)?;
    }
    order(messages)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check_tool(path: &str, tool: &Value) -> Result<(), Refusal> {
    let kind = tool["type"].as_str().unwrap_or_default();
    if !["function", "custom"].contains(&kind) {
        let message =
            format!("Invalid value: '{kind}'. Supported values are: 'function' and 'custom'.");
        return Err(invalid(
            &message,
            &format!("{path}.type"),
            Some("invalid_value"),
        ));
    }
    only(path, tool, &["type", kind])?;
    let path = format!("{path}.{kind}");
    let known = ["name", "description", "parameters", "strict", "format"];
    only(&path, &tool[kind], &known)?;
    let name = tool[kind]["name"].as_str().unwrap_or_default();
    check_name(&format!("{path}.name"), name)
}

fn check_name(param: &str, name: &str) -> Result<(), Refusal> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        let message = format!(
            "Invalid '{param}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        );
        return Err(invalid(&message, param, Some("invalid_value")));
    }
    Ok(())
}

fn check_message(path: &str, message: &Value, more: &[&str]) -> Result<(), Refusal> {
    let role = message["role"].as_str().unwrap_or_default();
    let Some((_, fields)) = ROLES.iter().find(|(own, _)| *own == role) else {
        let text = format!(
            "Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
        );
        return Err(invalid(
            &text,
            &format!("{path}.role"),
            Some("invalid_value"),
        ));
    };
    let mut allowed = vec!["role", "content"];
    allowed.extend(*fields);
    if role == "assistant" {
        allowed.extend(more);
    }
    only(path, message, &allowed)?;
    let calls = list(&message["tool_calls"]);
    let content = &message["content"];
    match content {
        Value::String(_) => {}
        Value::Null
            if role == "assistant" && (!calls.is_empty() || message["refusal"].is_string()) => {}
        Value::Array(parts) if !parts.is_empty() => {
            for (at, part) in parts.iter().enumerate() {
                check_part(&format!("{path}.content[{at}]"), part, role)?;
            }
        }
        _ => {
            let param = format!("{path}.content");
            let text = format!("Invalid value for '{param}': expected a string, got null.");
            return Err(invalid(&text, &param, None));
        }
    }
    if message["tool_calls"].is_array() && calls.is_empty() {
        let param = format!("{path}.tool_calls");
        let text =
            format!("Invalid '{param}': empty array. Expected an array with minimum length 1.");
        return Err(invalid(&text, &param, Some("empty_array")));
    }
    for (at, call) in calls.iter().enumerate() {
        let path = format!("{path}.tool_calls[{at}]");
        only(&path, call, &["id", "type", "function", "custom"])?;
        let id = call["id"].as_str().unwrap_or_default();
        if id.is_empty() || id.len() > 40 {
            let param = format!("{path}.id");
            let text = format!(
                "Invalid '{param}': string too long. Expected a string with maximum length 40."
            );
            return Err(invalid(&text, &param, Some("string_above_max_length")));
        }
        if call["type"] == "function" {
            only(
                &format!("{path}.function"),
                &call["function"],
                &["name", "arguments"],
            )?;
            let name = call["function"]["name"].as_str().unwrap_or_default();
            check_name(&format!("{path}.function.name"), name)?;
            if !call["function"]["arguments"].is_string() {
                return Err(errors::missing(&format!("{path}.function.arguments")));
            }
        }
    }
    if role == "tool" && !message["tool_call_id"].is_string() {
        return Err(errors::missing(&format!("{path}.tool_call_id")));
    }
    Ok(())
}

fn check_part(path: &str, part: &Value, role: &str) -> Result<(), Refusal> {
    let kind = part["type"].as_str().unwrap_or_default();
    let known = match role {
        "user" => &PARTS[..4],
        "assistant" => &[PARTS[0], PARTS[4]][..],
        _ => &PARTS[..1],
    };
    let Some((_, fields)) = known.iter().find(|(own, _)| *own == kind) else {
        let listed: Vec<String> = known.iter().map(|(own, _)| format!("'{own}'")).collect();
        let text = format!(
            "Invalid value: '{kind}'. Supported values are: {}.",
            listed.join(", ")
        );
        return Err(invalid(
            &text,
            &format!("{path}.type"),
            Some("invalid_value"),
        ));
    };
    let mut allowed = vec!["type"];
    allowed.extend(*fields);
    only(path, part, &allowed)?;
    let url = part["image_url"]["url"].as_str();
    if url.is_some_and(|url| !is_image(url)) {
        let param = format!("{path}.image_url.url");
        return Err(no_image(&param));
    }
    Ok(())
}

/// Whether it is an address, or data that can be decoded.
pub fn is_image(url: &str) -> bool {
    let data = url
        .strip_prefix("data:image/")
        .and_then(|rest| rest.split_once(";base64,"));
    url.starts_with("https://") || data.is_some_and(|(_, data)| STANDARD.decode(data).is_ok())
}

pub fn no_image(param: &str) -> Refusal {
    let text = format!(
        "Invalid '{param}'. Expected a base64-encoded data URL with an image MIME type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU=')."
    );
    invalid(&text, param, Some("invalid_value"))
}

/// Every call has its result right behind it, and every result its call.
fn order(messages: &[Value]) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            match open.iter().position(|call| *call == id) {
                Some(found) => drop(open.remove(found)),
                None => {
                    let text = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
                    return Err(invalid(text, &format!("messages.[{at}].role"), None));
                }
            }
            continue;
        }
        unanswered(&open, at)?;
        let calls = list(&message["tool_calls"]).iter();
        open.extend(calls.map(|call| call["id"].as_str().unwrap_or_default()));
    }
    unanswered(&open, messages.len())
}

fn unanswered(open: &[&str], at: usize) -> Result<(), Refusal> {
    if open.is_empty() {
        return Ok(());
    }
    let text = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    );
    Err(invalid(&text, &format!("messages.[{at}].role"), None))
}
