//! What Anthropic refuses in a block, a tool, a cache breakpoint.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::errors::invalid;
use crate::simulator::errors::Refusal;
use crate::simulator::proof;

const IMAGE_BYTES: usize = 5 << 20;

/// The items of a list, numbered; none of anything else.
pub fn all_of(list: &Value) -> impl Iterator<Item = (usize, &Value)> {
    list.as_array().into_iter().flatten().enumerate()
}

/// Refuses every field but these.
pub fn only(path: &str, value: &Value, allowed: &[&str]) -> Result<(), Refusal> {
    let Some(fields) = value.as_object() else {
        return Err(invalid(&format!(
            "{path}: Input should be a valid dictionary or object to extract fields from"
        )));
    };
    match fields.keys().find(|name| !allowed.contains(&name.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(invalid(&format!(
            "{path}.{unknown}: Extra inputs are not permitted"
        ))),
    }
}

/// Kinds of blocks, the fields of each beside `type` and `cache_control`, and those without which it is nothing.
const BLOCKS: [(&str, &[&str], &[&str]); 19] = [
    (
        "bash_code_execution_tool_result",
        &["tool_use_id", "content"],
        &["tool_use_id"],
    ),
    (
        "code_execution_tool_result",
        &["tool_use_id", "content"],
        &["tool_use_id"],
    ),
    ("compaction", &["content", "encrypted_content"], &[]),
    ("container_upload", &["file_id"], &["file_id"]),
    (
        "document",
        &["source", "title", "context", "citations"],
        &["source"],
    ),
    ("image", &["source"], &["source"]),
    (
        "mcp_tool_result",
        &["tool_use_id", "content", "is_error"],
        &["tool_use_id"],
    ),
    (
        "mcp_tool_use",
        &["id", "name", "server_name", "input"],
        &["id", "name", "server_name"],
    ),
    ("redacted_thinking", &["data"], &["data"]),
    (
        "search_result",
        &["source", "title", "content", "citations"],
        &["source", "title", "content"],
    ),
    (
        "server_tool_use",
        &["id", "name", "input", "caller"],
        &["id", "name", "input"],
    ),
    ("text", &["text", "citations"], &["text"]),
    (
        "text_editor_code_execution_tool_result",
        &["tool_use_id", "content"],
        &["tool_use_id"],
    ),
    (
        "thinking",
        &["thinking", "signature"],
        &["thinking", "signature"],
    ),
    ("tool_reference", &["tool_name"], &["tool_name"]),
    (
        "tool_result",
        &["tool_use_id", "content", "is_error"],
        &["tool_use_id"],
    ),
    (
        "tool_use",
        &["id", "name", "input", "caller"],
        &["id", "name", "input"],
    ),
    (
        "web_fetch_tool_result",
        &["tool_use_id", "content", "caller"],
        &["tool_use_id"],
    ),
    (
        "web_search_tool_result",
        &["tool_use_id", "content", "caller"],
        &["tool_use_id"],
    ),
];

/// One block of a turn; `role` is `system` for the system's.
pub fn block(path: &str, block: &Value, role: &str) -> Result<(), Refusal> {
    let Some(kind) = block["type"].as_str() else {
        return Err(invalid(&format!("{path}.type: Field required")));
    };
    let Some((_, fields, needed)) = BLOCKS.iter().find(|(own, ..)| *own == kind) else {
        let expected: Vec<String> = BLOCKS.iter().map(|(own, ..)| format!("'{own}'")).collect();
        return Err(invalid(&format!(
            "{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {}",
            expected.join(", ")
        )));
    };
    let path = format!("{path}.{kind}");
    let mut allowed = vec!["type", "cache_control"];
    allowed.extend(*fields);
    only(&path, block, &allowed)?;
    if let Some(missing) = needed.iter().find(|name| block[**name].is_null()) {
        return Err(invalid(&format!("{path}.{missing}: Field required")));
    }
    let told_by_assistant = [
        "thinking",
        "redacted_thinking",
        "tool_use",
        "server_tool_use",
        "web_search_tool_result",
    ];
    if role == "user" && told_by_assistant.contains(&kind) {
        return Err(invalid(&format!(
            "{path}: `{kind}` blocks can only be in `assistant` messages"
        )));
    }
    if role == "assistant" && ["tool_result", "image", "document"].contains(&kind) {
        return Err(invalid(&format!(
            "{path}: `{kind}` blocks can only be in `user` messages"
        )));
    }
    match kind {
        "text" => text(&path, &block["text"]),
        "thinking" => thinking(&path, block),
        "tool_use" | "server_tool_use" => tool_use(&path, block),
        "image" => source(&path, &block["source"]),
        "tool_result" => result(&path, block),
        _ => Ok(()),
    }
}

fn text(path: &str, text: &Value) -> Result<(), Refusal> {
    match text.as_str() {
        None => Err(invalid(&format!(
            "{path}.text: Input should be a valid string"
        ))),
        Some("") => Err(invalid("messages: text content blocks must be non-empty")),
        Some(text) if text.trim().is_empty() => Err(invalid(
            "messages: text content blocks must contain non-whitespace text",
        )),
        Some(_) => Ok(()),
    }
}

fn thinking(path: &str, block: &Value) -> Result<(), Refusal> {
    let text = block["thinking"].as_str().unwrap_or_default();
    if block["signature"] == proof::signature(text).as_str() {
        return Ok(());
    }
    let path = path.strip_suffix(".thinking").unwrap_or(path);
    Err(invalid(&format!(
        "{path}: Invalid `signature` in `thinking` block"
    )))
}

fn tool_use(path: &str, block: &Value) -> Result<(), Refusal> {
    let id = block["id"].as_str().unwrap_or_default();
    if !is_name(id) {
        return Err(invalid(&format!(
            "{path}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        )));
    }
    if !block["input"].is_object() {
        return Err(invalid(&format!(
            "{path}.input: Input should be a valid dictionary"
        )));
    }
    Ok(())
}

fn source(path: &str, source: &Value) -> Result<(), Refusal> {
    match source["type"].as_str() {
        Some("base64") => {
            only(
                &format!("{path}.source.base64"),
                source,
                &["type", "media_type", "data"],
            )?;
            let kind = source["media_type"].as_str().unwrap_or_default();
            if !["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&kind) {
                return Err(invalid(&format!(
                    "{path}.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
                )));
            }
            let data = source["data"].as_str().unwrap_or_default();
            match STANDARD.decode(data) {
                Err(_) => Err(invalid(&format!(
                    "{path}.source.base64: invalid base64 data"
                ))),
                Ok(bytes) if bytes.len() > IMAGE_BYTES => Err(invalid(&format!(
                    "{path}.source.base64: image exceeds 5 MB maximum: {} bytes > {IMAGE_BYTES} bytes",
                    bytes.len()
                ))),
                Ok(_) => Ok(()),
            }
        }
        Some("url") => only(&format!("{path}.source.url"), source, &["type", "url"]),
        Some("file") => only(&format!("{path}.source.file"), source, &["type", "file_id"]),
        _ => Err(invalid(&format!(
            "{path}.source: Input tag found using 'type' does not match any of the expected tags: 'base64', 'file', 'url'"
        ))),
    }
}

fn result(path: &str, result: &Value) -> Result<(), Refusal> {
    for (at, inner) in all_of(&result["content"]) {
        let kind = inner["type"].as_str().unwrap_or_default();
        if ![
            "text",
            "image",
            "document",
            "search_result",
            "tool_reference",
        ]
        .contains(&kind)
        {
            return Err(invalid(&format!(
                "{path}.content.{at}: Input tag '{kind}' found using 'type' does not match any of the expected tags: 'document', 'image', 'search_result', 'text', 'tool_reference'"
            )));
        }
        block(&format!("{path}.content.{at}"), inner, "user")?;
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    !text.is_empty() && text.chars().all(allowed)
}

/// A tool of the caller's, or one of the provider's own.
pub fn tool(at: usize, tool: &Value) -> Result<(), Refusal> {
    let kind = tool["type"].as_str().unwrap_or("custom");
    let path = format!("tools.{at}.{kind}");
    let name = tool["name"].as_str().unwrap_or_default();
    if !is_name(name) || name.len() > 128 {
        return Err(invalid(&format!(
            "{path}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        )));
    }
    if kind != "custom" {
        let known = [
            "web_search_",
            "web_fetch_",
            "code_execution_",
            "bash_",
            "text_editor_",
            "memory_",
            "computer_",
            "tool_search_tool_",
        ];
        return if known.iter().any(|prefix| kind.starts_with(prefix)) {
            Ok(())
        } else {
            Err(invalid(&format!(
                "tools.{at}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            )))
        };
    }
    let allowed = [
        "type",
        "name",
        "description",
        "input_schema",
        "cache_control",
        "strict",
        "defer_loading",
        "allowed_callers",
        "input_examples",
        "eager_input_streaming",
    ];
    only(&path, tool, &allowed)?;
    let schema = &tool["input_schema"];
    if !schema.is_object() {
        return Err(invalid(&format!("{path}.input_schema: Field required")));
    }
    match schema["type"].as_str() {
        Some("object") => {}
        Some(_) => {
            return Err(invalid(&format!(
                "{path}.input_schema.type: Input should be 'object'"
            )));
        }
        None => {
            return Err(invalid(&format!(
                "{path}.input_schema.type: Field required"
            )));
        }
    }
    for combinator in ["oneOf", "allOf", "anyOf"] {
        if !schema[combinator].is_null() {
            return Err(invalid(&format!(
                "{path}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
            )));
        }
    }
    Ok(())
}

/// Cache breakpoints seen so far, in the order in which the prompt is read.
#[derive(Default)]
pub struct Breakpoints {
    count: usize,
    short: bool,
}

impl Breakpoints {
    /// Sees a tool or block, which may carry one.
    pub fn see(&mut self, path: &str, block: &Value) -> Result<(), Refusal> {
        let control = &block["cache_control"];
        if control.is_null() {
            return Ok(());
        }
        let path = format!("{path}.cache_control");
        only(&path, control, &["type", "ttl", "scope"])?;
        if control["type"] != "ephemeral" {
            return Err(invalid(&format!(
                "{path}.type: Input should be 'ephemeral'"
            )));
        }
        match control["ttl"].as_str() {
            None | Some("5m") => self.short = true,
            Some("1h") if self.short => {
                return Err(invalid(&format!(
                    "{path}.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block."
                )));
            }
            Some("1h") => {}
            Some(_) => {
                return Err(invalid(&format!(
                    "{path}.ttl: Input should be '5m' or '1h'"
                )));
            }
        }
        self.count += 1;
        if self.count > 4 {
            return Err(invalid(&format!(
                "A maximum of 4 blocks with cache_control may be provided. Found {}.",
                self.count
            )));
        }
        Ok(())
    }
}
