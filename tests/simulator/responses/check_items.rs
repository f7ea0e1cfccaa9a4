//! What OpenAI refuses in an item or a tool, and in the order of items.

use serde_json::Value;

use super::check::{Caller, invalid, only, wrong_value};
use crate::simulator::chat_check::{is_image, no_image};
use crate::simulator::errors::{self, Refusal};
use crate::simulator::proof;

/// Items, the fields of each beside `type`, `id` and `status`, those that it needs, and how its id begins.
const ITEMS: [(&str, &[&str], &[&str], &str); 14] = [
    (
        "message",
        &["role", "content", "phase"],
        &["role", "content"],
        "msg",
    ),
    (
        "reasoning",
        &["summary", "content", "encrypted_content"],
        &["summary"],
        "rs",
    ),
    (
        "function_call",
        &["call_id", "name", "arguments", "namespace"],
        &["call_id", "name", "arguments"],
        "fc",
    ),
    (
        "function_call_output",
        &["call_id", "output"],
        &["call_id", "output"],
        "fc",
    ),
    (
        "custom_tool_call",
        &["call_id", "name", "input", "namespace"],
        &["call_id", "name", "input"],
        "ctc",
    ),
    (
        "custom_tool_call_output",
        &["call_id", "output"],
        &["call_id", "output"],
        "ctc",
    ),
    ("web_search_call", &["action"], &[], "ws"),
    (
        "local_shell_call",
        &["call_id", "action"],
        &["call_id", "action"],
        "lsh",
    ),
    ("local_shell_call_output", &["output"], &["output"], ""),
    ("image_generation_call", &["result"], &[], "ig"),
    (
        "mcp_call",
        &[
            "server_label",
            "name",
            "arguments",
            "output",
            "error",
            "approval_request_id",
        ],
        &["server_label", "name"],
        "mcp",
    ),
    (
        "mcp_list_tools",
        &["server_label", "tools", "error"],
        &["server_label", "tools"],
        "mcpl",
    ),
    (
        "compaction",
        &["encrypted_content", "created_by"],
        &["encrypted_content"],
        "cmp",
    ),
    ("item_reference", &[], &["id"], ""),
];

/// One item of the input.
pub fn item(path: &str, item: &Value, caller: &Caller<'_>) -> Result<(), Refusal> {
    let kind = match &item["type"] {
        Value::Null if !item["role"].is_null() => "message",
        Value::Null => return Err(errors::missing(&format!("{path}.type"))),
        kind => kind.as_str().unwrap_or_default(),
    };
    let Some((_, fields, needed, prefix)) = ITEMS.iter().find(|(own, ..)| *own == kind) else {
        let known: Vec<&str> = ITEMS.iter().map(|(own, ..)| *own).collect();
        return Err(wrong_value(path, &item["type"], &known));
    };
    let mut allowed = vec!["type", "id", "status"];
    allowed.extend(*fields);
    only(path, item, &allowed)?;
    if let Some(missing) = needed.iter().find(|name| item[**name].is_null()) {
        return Err(errors::missing(&format!("{path}.{missing}")));
    }
    if let Some(id) = item["id"].as_str()
        && !id.starts_with(prefix)
    {
        let param = format!("{path}.id");
        let message =
            format!("Invalid '{param}': '{id}'. Expected an ID that begins with '{prefix}'.");
        return Err(invalid(&message, &param, Some("invalid_value")));
    }
    if item["call_id"].as_str().is_some_and(|id| id.len() > 64) {
        let param = format!("{path}.call_id");
        let message = format!(
            "Invalid '{param}': string too long. Expected a string with maximum length 64."
        );
        return Err(invalid(&message, &param, Some("string_above_max_length")));
    }
    match kind {
        "message" => message(path, item),
        "reasoning" | "compaction" => encrypted(path, item, caller),
        "function_call" => match &item["arguments"] {
            Value::String(_) => Ok(()),
            _ => Err(not_text(&format!("{path}.arguments"))),
        },
        "function_call_output" | "custom_tool_call_output" => match &item["output"] {
            Value::String(_) => Ok(()),
            Value::Array(parts) => content(
                &format!("{path}.output"),
                parts,
                &["input_text", "input_image", "input_file"],
            ),
            _ => Err(not_text(&format!("{path}.output"))),
        },
        "item_reference" => {
            let id = item["id"].as_str().unwrap_or_default();
            if caller.shelf.has_item(id) {
                Ok(())
            } else {
                Err(lost(id))
            }
        }
        _ => Ok(()),
    }
}

fn not_text(param: &str) -> Refusal {
    invalid(
        &format!("Invalid type for '{param}': expected a string."),
        param,
        Some("invalid_type"),
    )
}

fn lost(id: &str) -> Refusal {
    let message = format!(
        "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input."
    );
    Refusal::invalid(404, &message, Some("input"), None)
}

fn message(path: &str, item: &Value) -> Result<(), Refusal> {
    let roles = ["assistant", "system", "developer", "user"];
    let role = item["role"].as_str().unwrap_or_default();
    if !roles.contains(&role) {
        return Err(wrong_value(&format!("{path}.role"), &item["role"], &roles));
    }
    let path = format!("{path}.content");
    match &item["content"] {
        Value::String(_) => Ok(()),
        Value::Array(parts) if role == "assistant" => {
            content(&path, parts, &["output_text", "refusal"])
        }
        Value::Array(parts) => content(
            &path,
            parts,
            &["input_text", "input_image", "input_file", "input_audio"],
        ),
        _ => Err(invalid(
            &format!("Invalid type for '{path}': expected one of an array of objects or string."),
            &path,
            Some("invalid_type"),
        )),
    }
}

fn content(path: &str, parts: &[Value], known: &[&str]) -> Result<(), Refusal> {
    for (at, part) in parts.iter().enumerate() {
        let path = format!("{path}[{at}]");
        let kind = part["type"].as_str().unwrap_or_default();
        if !known.contains(&kind) {
            return Err(wrong_value(&path, &part["type"], known));
        }
        let (allowed, needed): (&[&str], &str) = match kind {
            "output_text" => (&["type", "text", "annotations", "logprobs"], "text"),
            "refusal" => (&["type", "refusal"], "refusal"),
            "input_image" => (&["type", "image_url", "file_id", "detail"], "type"),
            "input_file" => (
                &[
                    "type",
                    "file_id",
                    "file_data",
                    "file_url",
                    "filename",
                    "detail",
                ],
                "type",
            ),
            "input_audio" => (&["type", "input_audio"], "input_audio"),
            _ => (&["type", "text"], "text"),
        };
        only(&path, part, allowed)?;
        if part[needed].is_null() {
            return Err(errors::missing(&format!("{path}.{needed}")));
        }
        let url = part["image_url"].as_str();
        if url.is_some_and(|url| !is_image(url)) {
            return Err(no_image(&format!("{path}.image_url")));
        }
    }
    Ok(())
}

/// Thoughts come back encrypted as they were given to this account, or are still kept.
fn encrypted(path: &str, item: &Value, caller: &Caller<'_>) -> Result<(), Refusal> {
    let id = item["id"].as_str().unwrap_or_default();
    match item["encrypted_content"].as_str() {
        Some(content) if proof::is_ours(caller.account, content) => Ok(()),
        Some(content) => {
            let start: String = content.chars().take(12).collect();
            let message = format!(
                "The encrypted content {start}... could not be verified. Reason: Encrypted content could not be decrypted or parsed."
            );
            Err(Refusal::invalid(
                400,
                &message,
                None,
                Some("invalid_encrypted_content"),
            ))
        }
        None if caller.shelf.has_item(id) => Ok(()),
        None if id.is_empty() => Err(errors::missing(&format!("{path}.id"))),
        None => Err(lost(id)),
    }
}

/// A tool that may be called.
pub fn tool(path: &str, tool: &Value) -> Result<(), Refusal> {
    let kind = tool["type"].as_str().unwrap_or_default();
    let name = |allowed: &[&str], needed: &[&str]| {
        only(path, tool, allowed)?;
        if let Some(missing) = needed.iter().find(|field| tool[**field].is_null()) {
            return Err(errors::missing(&format!("{path}.{missing}")));
        }
        let name = tool["name"].as_str().unwrap_or_default();
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            let param = format!("{path}.name");
            let message = format!(
                "Invalid '{param}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            );
            return Err(invalid(&message, &param, Some("invalid_value")));
        }
        Ok(())
    };
    match kind {
        "function" => name(
            &[
                "type",
                "name",
                "description",
                "parameters",
                "strict",
                "defer_loading",
            ],
            &["name"],
        ),
        "custom" => name(&["type", "name", "description", "format"], &["name"]),
        "web_search"
        | "web_search_preview"
        | "file_search"
        | "mcp"
        | "code_interpreter"
        | "image_generation"
        | "local_shell"
        | "shell"
        | "apply_patch"
        | "computer_use_preview"
        | "tool_search"
        | "namespace" => Ok(()),
        _ => Err(wrong_value(
            &format!("{path}.type"),
            &tool["type"],
            &["function", "custom", "web_search", "mcp"],
        )),
    }
}

/// Every call has its output and every output its call, and thoughts are followed by what they led to.
pub fn order(history: &[Value]) -> Result<(), Refusal> {
    let ids = |kinds: [&str; 2]| -> Vec<&str> {
        let of_kind = history
            .iter()
            .filter(|item| kinds.iter().any(|kind| item["type"] == *kind));
        of_kind
            .map(|item| item["call_id"].as_str().unwrap_or_default())
            .collect()
    };
    let calls = ids(["function_call", "custom_tool_call"]);
    let outputs = ids(["function_call_output", "custom_tool_call_output"]);
    if let Some(orphan) = outputs.iter().find(|id| !calls.contains(id)) {
        let message = format!("No tool call found for function call output with call_id {orphan}.");
        return Err(invalid(&message, "input", None));
    }
    if let Some(open) = calls.iter().find(|id| !outputs.contains(id)) {
        return Err(invalid(
            &format!("No tool output found for function call {open}."),
            "input",
            None,
        ));
    }
    for (at, item) in history.iter().enumerate() {
        let follows = history.get(at + 1);
        let is_led_to = |next: &Value| {
            [
                "function_call",
                "custom_tool_call",
                "reasoning",
                "web_search_call",
                "local_shell_call",
            ]
            .iter()
            .any(|kind| next["type"] == *kind)
                || next["role"] == "assistant"
        };
        if item["type"] == "reasoning" && item["id"].is_string() && !follows.is_some_and(is_led_to)
        {
            let message = format!(
                "Item '{}' of type 'reasoning' was provided without its required following item.",
                item["id"].as_str().unwrap_or_default()
            );
            return Err(invalid(&message, "input", None));
        }
    }
    Ok(())
}
