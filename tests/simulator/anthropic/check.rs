//! What Anthropic refuses in a request, in its words: the fields and how the turns follow each other.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::check_blocks::{self, Breakpoints, all_of};
use super::errors::invalid;
use crate::simulator::errors::Refusal;

/// `simulate` is the simulator's own.
const FIELDS: [&str; 25] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "stop_sequences",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "container",
    "context_management",
    "mcp_servers",
    "service_tier",
    "output_format",
    "output_config",
    "inference_geo",
    "speed",
    "cache_control",
    "betas",
    "safeguards",
    "simulate",
];

/// Checks a body; `counting` when only its tokens are to be counted, which needs no `max_tokens`.
pub fn check(body: &Value, counting: bool) -> Result<(), Refusal> {
    let fields = body
        .as_object()
        .ok_or_else(|| invalid("Input should be a valid dictionary"))?;
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(invalid(&format!(
            "{unknown}: Extra inputs are not permitted"
        )));
    }
    let text = |name: &str| match &body[name] {
        Value::String(_) => Ok(()),
        Value::Null => Err(invalid(&format!("{name}: Field required"))),
        _ => Err(invalid(&format!("{name}: Input should be a valid string"))),
    };
    text("model")?;
    let messages = match &body["messages"] {
        Value::Array(messages) => messages,
        Value::Null => return Err(invalid("messages: Field required")),
        _ => return Err(invalid("messages: Input should be a valid list")),
    };
    if !counting {
        limits(fields)?;
    }
    thinking(body)?;
    let has_tools = tools(body)?;
    let mut breakpoints = Breakpoints::default();
    for (at, tool) in all_of(&body["tools"]) {
        breakpoints.see(&format!("tools.{at}"), tool)?;
    }
    match &body["system"] {
        Value::Null | Value::String(_) => {}
        Value::Array(blocks) => {
            for (at, block) in blocks.iter().enumerate() {
                let path = format!("system.{at}");
                if block["type"] != "text" {
                    return Err(invalid(&format!("{path}.type: Input should be 'text'")));
                }
                check_blocks::block(&path, block, "system")?;
                breakpoints.see(&path, block)?;
            }
        }
        _ => return Err(invalid("system: Input should be a valid list")),
    }
    turns(messages, &mut breakpoints)?;
    let uses = |kind: &str| {
        messages
            .iter()
            .any(|turn| all_of(&turn["content"]).any(|(_, block)| block["type"] == kind))
    };
    if !has_tools && (uses("tool_use") || uses("tool_result")) {
        return Err(invalid(
            "Requests which have `tool_use` or `tool_result` blocks in `messages` must define tools.",
        ));
    }
    Ok(())
}

fn limits(fields: &Map<String, Value>) -> Result<(), Refusal> {
    match fields.get("max_tokens") {
        None | Some(Value::Null) => return Err(invalid("max_tokens: Field required")),
        Some(value) => match value.as_u64() {
            Some(0) | None => {
                return Err(invalid(
                    "max_tokens: Input should be greater than or equal to 1",
                ));
            }
            Some(_) => {}
        },
    }
    for name in ["temperature", "top_p"] {
        match fields.get(name) {
            None => {}
            Some(value) => match value.as_f64() {
                Some(number) if (0.0..=1.0).contains(&number) => {}
                _ => return Err(invalid(&format!("{name}: range: 0..1"))),
            },
        }
    }
    let stops = fields.get("stop_sequences").unwrap_or(&Value::Null);
    for (at, stop) in all_of(stops) {
        if stop.as_str().is_none_or(|text| text.trim().is_empty()) {
            let message =
                format!("stop_sequences.{at}: each stop sequence must contain non-whitespace");
            return Err(invalid(&message));
        }
    }
    if let Some(metadata) = fields.get("metadata").and_then(Value::as_object)
        && let Some(other) = metadata.keys().find(|name| *name != "user_id")
    {
        return Err(invalid(&format!(
            "metadata.{other}: Extra inputs are not permitted"
        )));
    }
    Ok(())
}

fn thinking(body: &Value) -> Result<(), Refusal> {
    let thinking = &body["thinking"];
    let kind = match &thinking["type"] {
        Value::String(kind) => kind.as_str(),
        _ if thinking.is_null() => return Ok(()),
        _ => return Err(invalid("thinking.type: Field required")),
    };
    let allowed: &[&str] = match kind {
        "enabled" => &["type", "budget_tokens", "display"],
        "adaptive" => &["type", "display"],
        "disabled" => &["type"],
        other => {
            return Err(invalid(&format!(
                "thinking: Input tag '{other}' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'"
            )));
        }
    };
    check_blocks::only(&format!("thinking.{kind}"), thinking, allowed)?;
    if kind == "enabled" {
        match (
            thinking["budget_tokens"].as_u64(),
            body["max_tokens"].as_u64(),
        ) {
            (None, _) => return Err(invalid("thinking.enabled.budget_tokens: Field required")),
            (Some(..1024), _) => {
                return Err(invalid(
                    "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
                ));
            }
            (Some(budget), Some(most)) if most <= budget => {
                return Err(invalid(
                    "`max_tokens` must be greater than `thinking.budget_tokens`.",
                ));
            }
            _ => {}
        }
    }
    if kind == "disabled" {
        return Ok(());
    }
    if body["temperature"]
        .as_f64()
        .is_some_and(|number| number != 1.0)
    {
        return Err(invalid(
            "`temperature` may only be set to 1 when thinking is enabled.",
        ));
    }
    if ["any", "tool"]
        .iter()
        .any(|forced| body["tool_choice"]["type"] == *forced)
    {
        return Err(invalid(
            "Thinking may not be enabled when tool_choice forces tool use.",
        ));
    }
    if kind == "enabled" {
        begins_with_thoughts(body)?;
    }
    Ok(())
}

/// The assistant's turn whose tools' results are being given must begin with its thoughts.
fn begins_with_thoughts(body: &Value) -> Result<(), Refusal> {
    let turns: Vec<&Value> = all_of(&body["messages"]).map(|(_, turn)| turn).collect();
    let (Some(last), Some(at)) = (turns.last(), turns.len().checked_sub(2)) else {
        return Ok(());
    };
    let gives = all_of(&last["content"]).any(|(_, block)| block["type"] == "tool_result");
    let first = &turns[at]["content"][0]["type"];
    if gives
        && turns[at]["role"] == "assistant"
        && first != "thinking"
        && first != "redacted_thinking"
    {
        let found = first.as_str().unwrap_or("text");
        return Err(invalid(&format!(
            "messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
        )));
    }
    Ok(())
}

/// Checks tools and the choice among them; whether there are any.
fn tools(body: &Value) -> Result<bool, Refusal> {
    let mut names = HashSet::new();
    for (at, tool) in all_of(&body["tools"]) {
        check_blocks::tool(at, tool)?;
        if !names.insert(tool["name"].as_str().unwrap_or_default()) {
            return Err(invalid("tools: Tool names must be unique."));
        }
    }
    let choice = &body["tool_choice"];
    if choice.is_null() {
        return Ok(!names.is_empty());
    }
    let kind = choice["type"].as_str().unwrap_or_default();
    let allowed: &[&str] = match kind {
        "auto" | "any" => &["type", "disable_parallel_tool_use"],
        "tool" => &["type", "name", "disable_parallel_tool_use"],
        "none" => &["type"],
        other => {
            return Err(invalid(&format!(
                "tool_choice: Input tag '{other}' found using 'type' does not match any of the expected tags: 'any', 'auto', 'none', 'tool'"
            )));
        }
    };
    check_blocks::only(&format!("tool_choice.{kind}"), choice, allowed)?;
    if names.is_empty() {
        return Err(invalid(
            "tool_choice may only be specified while providing tools.",
        ));
    }
    let named = choice["name"].as_str().unwrap_or_default();
    if kind == "tool" && !names.contains(named) {
        return Err(invalid(&format!(
            "Tool '{named}' not found in provided tools"
        )));
    }
    Ok(true)
}

/// Every turn has something in it, and every call its result in the turn that follows.
fn turns(messages: &[Value], breakpoints: &mut Breakpoints) -> Result<(), Refusal> {
    if messages.is_empty() {
        return Err(invalid("messages: at least one message is required"));
    }
    let mut open: Vec<&str> = Vec::new();
    for (at, turn) in messages.iter().enumerate() {
        check_blocks::only(&format!("messages.{at}"), turn, &["role", "content"])?;
        let role = turn["role"].as_str().unwrap_or_default();
        match role {
            "user" | "assistant" => {}
            "system" => {
                return Err(invalid(
                    "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.",
                ));
            }
            _ => {
                return Err(invalid(&format!(
                    "messages.{at}.role: Input should be 'user' or 'assistant'"
                )));
            }
        }
        if at == 0 && role != "user" {
            return Err(invalid(
                "messages: first message must use the \"user\" role",
            ));
        }
        let is_last = at + 1 == messages.len();
        content(at, turn, role, is_last)?;
        results(at, turn, role, &mut open)?;
        for (place, block) in all_of(&turn["content"]) {
            breakpoints.see(&format!("messages.{at}.content.{place}"), block)?;
            if block["type"] == "tool_use" {
                open.push(block["id"].as_str().unwrap_or_default());
            }
        }
    }
    match open.first() {
        None => Ok(()),
        Some(_) => Err(unanswered(messages.len() - 1, &open)),
    }
}

fn content(at: usize, turn: &Value, role: &str, is_last: bool) -> Result<(), Refusal> {
    let empty = || {
        invalid(&format!(
            "messages.{at}: all messages must have non-empty content except for the optional final assistant message"
        ))
    };
    let end = match &turn["content"] {
        Value::String(text) if text.is_empty() => {
            return if is_last && role == "assistant" {
                Ok(())
            } else {
                Err(empty())
            };
        }
        Value::String(text) if text.trim().is_empty() => {
            return Err(invalid(
                "messages: text content blocks must contain non-whitespace text",
            ));
        }
        Value::String(text) => text.as_str(),
        Value::Array(blocks) => {
            if blocks.is_empty() && !(is_last && role == "assistant") {
                return Err(empty());
            }
            for (place, block) in blocks.iter().enumerate() {
                check_blocks::block(&format!("messages.{at}.content.{place}"), block, role)?;
            }
            blocks
                .last()
                .and_then(|block| block["text"].as_str())
                .unwrap_or_default()
        }
        Value::Null => return Err(invalid(&format!("messages.{at}.content: Field required"))),
        _ => {
            return Err(invalid(&format!(
                "messages.{at}.content: Input should be a valid list"
            )));
        }
    };
    if is_last && role == "assistant" && end.ends_with(char::is_whitespace) {
        return Err(invalid(
            "messages: final assistant content cannot end with trailing whitespace",
        ));
    }
    Ok(())
}

/// Results come first in their turn, and answer calls of the turn before: all of them.
fn results<'a>(
    at: usize,
    turn: &'a Value,
    role: &str,
    open: &mut Vec<&'a str>,
) -> Result<(), Refusal> {
    let mut leads = true;
    for (place, block) in all_of(&turn["content"]) {
        if block["type"] != "tool_result" {
            leads = false;
            continue;
        }
        let id = block["tool_use_id"].as_str().unwrap_or_default();
        match open.iter().position(|call| *call == id) {
            Some(found) if role == "user" && leads => drop(open.remove(found)),
            Some(_) => return Err(unanswered(at - 1, open)),
            None => {
                return Err(invalid(&format!(
                    "messages.{at}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                )));
            }
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(unanswered(at - 1, open))
    }
}

fn unanswered(at: usize, open: &[&str]) -> Refusal {
    let ids = open.join(", ");
    invalid(&format!(
        "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    ))
}
