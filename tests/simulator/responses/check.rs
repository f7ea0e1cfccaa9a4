//! What OpenAI refuses in a request for a response, in its words: the fields.

use serde_json::Value;

use super::check_items;
use super::kept::Shelf;
use crate::simulator::errors::{self, Refusal};

/// Who asks, and what is kept.
pub struct Caller<'a> {
    /// The key, whose account alone can read the encrypted content that it was given.
    pub account: &'a str,
    pub shelf: &'a Shelf,
}

/// `simulate` is the simulator's own.
const FIELDS: [&str; 33] = [
    "model",
    "input",
    "instructions",
    "previous_response_id",
    "conversation",
    "store",
    "include",
    "stream",
    "stream_options",
    "background",
    "max_output_tokens",
    "max_tool_calls",
    "temperature",
    "top_p",
    "top_logprobs",
    "text",
    "reasoning",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "truncation",
    "metadata",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "service_tier",
    "prompt",
    "context_management",
    "moderation",
    "client_metadata",
    "simulate",
];

pub fn invalid(message: &str, param: &str, code: Option<&str>) -> Refusal {
    Refusal::invalid(400, message, Some(param), code)
}

pub fn unknown(param: &str) -> Refusal {
    invalid(
        &format!("Unknown parameter: '{param}'."),
        param,
        Some("unknown_parameter"),
    )
}

pub fn wrong_value(param: &str, value: &Value, supported: &[&str]) -> Refusal {
    let value = value.as_str().map_or(value.to_string(), str::to_owned);
    let listed: Vec<String> = supported.iter().map(|name| format!("'{name}'")).collect();
    let message = match listed.split_last() {
        Some((last, [])) => format!("Invalid value: '{value}'. Value must be {last}."),
        Some((last, rest)) => format!(
            "Invalid value: '{value}'. Supported values are: {}, and {last}.",
            rest.join(", ")
        ),
        None => format!("Invalid value: '{value}'."),
    };
    invalid(&message, param, Some("invalid_value"))
}

/// Refuses every field but these.
pub fn only(path: &str, value: &Value, allowed: &[&str]) -> Result<(), Refusal> {
    let Some(fields) = value.as_object() else {
        let message = format!(
            "Invalid type for '{path}': expected an object, but got something else instead."
        );
        return Err(invalid(&message, path, Some("invalid_type")));
    };
    match fields.keys().find(|name| !allowed.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(unknown(&format!("{path}.{name}"))),
    }
}

/// Checks a body; the whole history that the answer follows.
pub fn check(body: &Value, caller: &Caller<'_>) -> Result<Vec<Value>, Refusal> {
    let Some(fields) = body.as_object() else {
        return Err(errors::not_json());
    };
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(unknown(name));
    }
    if body["model"].is_null() {
        return Err(errors::missing("model"));
    }
    numbers(body)?;
    values(body)?;
    text(&body["text"])?;
    tools(body)?;
    let mut history = match &body["previous_response_id"] {
        Value::Null => Vec::new(),
        id => {
            let id = id.as_str().unwrap_or_default();
            caller.shelf.history(id).ok_or_else(|| {
                let message = format!("Previous response with id '{id}' not found.");
                invalid(
                    &message,
                    "previous_response_id",
                    Some("previous_response_not_found"),
                )
            })?
        }
    };
    match &body["input"] {
        Value::Null
            if history.is_empty() && body["prompt"].is_null() && body["conversation"].is_null() =>
        {
            return Err(errors::missing("input"));
        }
        Value::Null => {}
        Value::String(text) => history.push(serde_json::json!({
            "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}],
        })),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                check_items::item(&format!("input[{at}]"), item, caller)?;
            }
            history.extend(items.iter().cloned());
        }
        _ => {
            let message =
                "Invalid type for 'input': expected one of a string or array of input items.";
            return Err(invalid(message, "input", Some("invalid_type")));
        }
    }
    check_items::order(&history)?;
    Ok(history)
}

fn numbers(body: &Value) -> Result<(), Refusal> {
    match body["max_output_tokens"].as_u64() {
        Some(most @ ..16) => {
            let message = format!(
                "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {most} instead."
            );
            return Err(invalid(
                &message,
                "max_output_tokens",
                Some("integer_below_min_value"),
            ));
        }
        None if !body["max_output_tokens"].is_null() => {
            let message = "Invalid type for 'max_output_tokens': expected an integer.";
            return Err(invalid(message, "max_output_tokens", Some("invalid_type")));
        }
        _ => {}
    }
    for (name, most) in [("temperature", 2.0), ("top_p", 1.0)] {
        let value = &body[name];
        if !value.is_null()
            && !value
                .as_f64()
                .is_some_and(|number| (0.0..=most).contains(&number))
        {
            let message = format!(
                "Invalid '{name}': decimal out of range. Expected a value between 0 and {most}."
            );
            return Err(invalid(&message, name, Some("decimal_out_of_range")));
        }
    }
    for name in ["stream", "store", "background", "parallel_tool_calls"] {
        if !matches!(body[name], Value::Null | Value::Bool(_)) {
            let message = format!("Invalid type for '{name}': expected a boolean.");
            return Err(invalid(&message, name, Some("invalid_type")));
        }
    }
    if let Some(metadata) = body["metadata"].as_object()
        && let Some((name, _)) = metadata.iter().find(|(_, value)| !value.is_string())
    {
        let param = format!("metadata.{name}");
        let message = format!("Invalid type for '{param}': expected a string.");
        return Err(invalid(&message, &param, Some("invalid_type")));
    }
    Ok(())
}

fn values(body: &Value) -> Result<(), Refusal> {
    let included = [
        "file_search_call.results",
        "web_search_call.results",
        "web_search_call.action.sources",
        "message.input_image.image_url",
        "computer_call_output.output.image_url",
        "code_interpreter_call.outputs",
        "reasoning.encrypted_content",
        "message.output_text.logprobs",
    ];
    for (at, include) in body["include"].as_array().into_iter().flatten().enumerate() {
        if !included.iter().any(|known| include == known) {
            return Err(wrong_value(&format!("include[{at}]"), include, &included));
        }
    }
    if !body["stream_options"].is_null() {
        only(
            "stream_options",
            &body["stream_options"],
            &["include_obfuscation"],
        )?;
    }
    let reasoning = &body["reasoning"];
    if !reasoning.is_null() {
        only(
            "reasoning",
            reasoning,
            &["effort", "summary", "generate_summary", "context"],
        )?;
        let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
        for (name, known) in [
            ("effort", &efforts[..]),
            ("summary", &["auto", "concise", "detailed"]),
        ] {
            let value = &reasoning[name];
            if !value.is_null() && !known.iter().any(|own| value == own) {
                return Err(wrong_value(&format!("reasoning.{name}"), value, known));
            }
        }
    }
    for (name, known) in [
        ("truncation", &["auto", "disabled"][..]),
        (
            "service_tier",
            &["auto", "default", "flex", "scale", "priority", "fast"],
        ),
    ] {
        let value = &body[name];
        if !value.is_null() && !known.iter().any(|own| value == own) {
            return Err(wrong_value(name, value, known));
        }
    }
    Ok(())
}

fn text(text: &Value) -> Result<(), Refusal> {
    if text.is_null() {
        return Ok(());
    }
    only("text", text, &["format", "verbosity"])?;
    let format = &text["format"];
    match format["type"].as_str() {
        None if format.is_null() => Ok(()),
        Some("text" | "json_object") => only("text.format", format, &["type"]),
        Some("json_schema") => {
            only(
                "text.format",
                format,
                &["type", "name", "schema", "strict", "description"],
            )?;
            match ["name", "schema"]
                .iter()
                .find(|name| format[**name].is_null())
            {
                Some(name) => Err(errors::missing(&format!("text.format.{name}"))),
                None => Ok(()),
            }
        }
        _ => Err(wrong_value(
            "text.format.type",
            &format["type"],
            &["json_object", "json_schema", "text"],
        )),
    }
}

fn tools(body: &Value) -> Result<(), Refusal> {
    for (at, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        check_items::tool(&format!("tools[{at}]"), tool)?;
    }
    let choice = &body["tool_choice"];
    match choice {
        Value::Null => Ok(()),
        Value::String(word) => {
            let known = ["none", "auto", "required"];
            if known.contains(&word.as_str()) {
                Ok(())
            } else {
                Err(wrong_value("tool_choice", choice, &known))
            }
        }
        _ => match choice["type"].as_str() {
            Some("function" | "custom") => {
                only("tool_choice", choice, &["type", "name"])?;
                if choice["name"].is_null() {
                    return Err(errors::missing("tool_choice.name"));
                }
                let tools = body["tools"].as_array();
                let found = tools
                    .is_some_and(|tools| tools.iter().any(|tool| tool["name"] == choice["name"]));
                if found {
                    Ok(())
                } else {
                    let message = format!(
                        "Tool choice '{}' not found in 'tools' parameter.",
                        choice["name"]
                    );
                    Err(invalid(&message, "tool_choice", None))
                }
            }
            Some("allowed_tools") => only("tool_choice", choice, &["type", "mode", "tools"]),
            Some(_) => Ok(()),
            None => Err(errors::missing("tool_choice.type")),
        },
    }
}
