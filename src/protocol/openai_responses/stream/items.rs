//! Items of a response and their parts, as they are written: under way, whole, and in the response itself.

use crate::protocol::json_write::Object;

/// What is known of a call when it begins.
#[derive(Clone, Debug)]
pub struct CallHead {
    pub call_id: String,
    pub name: String,
    pub namespace: Option<String>,
    /// Takes free text.
    pub is_custom: bool,
}

/// `parts` are the items of an array, with commas between.
pub fn message(out: &mut Object<'_>, id: &str, status: &str, parts: &[u8]) {
    out.text("id", id);
    out.text("type", "message");
    out.text("status", status);
    list(out, "content", parts);
    out.text("role", "assistant");
}

/// An array whose items are JSON already, with commas between.
pub fn list(out: &mut Object<'_>, name: &str, items: &[u8]) {
    out.array(name, |out| {
        if !items.is_empty() {
            out.raw(items);
        }
    });
}

pub fn output_text(out: &mut Object<'_>, text: &str, annotations: &[u8], logprobs: &[u8]) {
    out.text("type", "output_text");
    list(out, "annotations", annotations);
    out.raw("logprobs", logprobs);
    out.text("text", text);
}

pub fn refusal(out: &mut Object<'_>, text: &str) {
    out.text("type", "refusal");
    out.text("refusal", text);
}

pub fn summary_text(out: &mut Object<'_>, text: &str) {
    out.text("type", "summary_text");
    out.text("text", text);
}

pub fn reasoning(
    out: &mut Object<'_>,
    id: &str,
    status: &str,
    summary: Option<&str>,
    encrypted: Option<&str>,
) {
    out.text("id", id);
    out.text("type", "reasoning");
    out.text("status", status);
    out.array("summary", |out| {
        if let Some(text) = summary {
            out.object(|out| summary_text(out, text));
        }
    });
    out.maybe_text("encrypted_content", encrypted);
}

pub fn call(out: &mut Object<'_>, id: &str, status: &str, call: &CallHead, arguments: &str) {
    out.text("id", id);
    let (kind, field) = match call.is_custom {
        true => ("custom_tool_call", "input"),
        false => ("function_call", "arguments"),
    };
    out.text("type", kind);
    out.text("status", status);
    out.text("call_id", &call.call_id);
    out.text("name", &call.name);
    out.maybe_text("namespace", call.namespace.as_deref());
    out.text(field, arguments);
}
