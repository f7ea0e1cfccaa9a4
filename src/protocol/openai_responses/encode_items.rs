//! A conversation as items: each text of one voice a message, each thought, call and result an item of its own.

use std::collections::HashMap;

use super::annotations;
use super::encode_content::{self, Ink};
use super::encode_request::Target;
use crate::protocol::anthropic::system_for_others;
use crate::protocol::json_fields::Path;
use crate::protocol::json_write::{Array, Object};
use crate::protocol::neutral::proof::Proof;
use crate::protocol::neutral::{
    Block, Content, Message, Notes, Refused, Request, Role, ToolCall, ToolCallKind, ToolNames,
    ToolResult, Why,
};

/// Writes the conversation, `instructions` and `input`. A system prompt of one text is the instructions; one of several is a
/// developer's message of as many parts.
pub fn write(
    request: &Request,
    target: &Target<'_>,
    names: &ToolNames,
    notes: &mut Notes,
    out: &mut Object<'_>,
) -> Result<(), Refused> {
    let mut form = Form {
        deployment: target.deployment,
        names,
        ink: Ink { notes },
        kinds: kinds(request),
    };
    let mut system = system_for_others(request, form.ink.notes);
    if let [block] = system.as_slice()
        && let Some(text) = block.said()
    {
        out.said("instructions", text);
        form.ink.note_cache(block);
        system.clear();
    }
    let messages = Path::Body.field("messages");
    out.array("input", |out| {
        form.message(out, "developer", &system, &Path::Body.field("system"))?;
        for (index, message) in request.messages.iter().enumerate() {
            let place = request.leading_messages + index;
            form.turn(out, message, &messages.item(place))?;
        }
        Ok(())
    })
}

/// Which kind each call of the history is, by its id: a result says it too.
fn kinds(request: &Request) -> HashMap<&str, ToolCallKind> {
    let blocks = request.messages.iter().flat_map(|message| &message.content);
    let calls = blocks.filter_map(|block| match &block.content {
        Content::ToolCall(call) => Some((call.id.as_str(), call.kind)),
        _ => None,
    });
    calls.collect()
}

struct Form<'a, 'n> {
    deployment: &'a str,
    names: &'a ToolNames,
    ink: Ink<'n>,
    kinds: HashMap<&'a str, ToolCallKind>,
}

impl Form<'_, '_> {
    fn turn(
        &mut self,
        out: &mut Array<'_>,
        message: &Message,
        field: &Path<'_>,
    ) -> Result<(), Refused> {
        if message.name.is_some() {
            self.ink
                .notes
                .add(format!("{field}.name"), Why::Unsupported);
        }
        for extension in &message.extensions.0 {
            let field = format!("{field}.{}", extension.name);
            self.ink.notes.add(field, Why::Unsupported);
        }
        let field = field.field("content");
        if message.role == Role::Assistant {
            self.assistant(out, message, &field);
            return Ok(());
        }
        let role = match message.role {
            Role::System => "developer",
            _ => "user",
        };
        let mut said: Vec<&Block> = Vec::new();
        for (index, block) in message.content.iter().enumerate() {
            let Content::ToolResult(result) = &block.content else {
                said.push(block);
                continue;
            };
            self.message(out, role, &said, &field)?;
            said.clear();
            self.ink.note_cache(block);
            self.result(out, result, &field.item(index))?;
        }
        self.message(out, role, &said, &field)
    }

    /// One message of texts, images and files; nothing is no message.
    fn message(
        &mut self,
        out: &mut Array<'_>,
        role: &str,
        blocks: &[&Block],
        field: &Path<'_>,
    ) -> Result<(), Refused> {
        if blocks.is_empty() {
            return Ok(());
        }
        out.object(|out| {
            out.text("type", "message");
            out.text("role", role);
            out.array("content", |out| {
                encode_content::parts(out, blocks, field, &mut self.ink)
            })
        })
    }

    /// A result of texts is one text; a result that shows something is parts.
    fn result(
        &mut self,
        out: &mut Array<'_>,
        result: &ToolResult,
        field: &Path<'_>,
    ) -> Result<(), Refused> {
        let is_text = |block: &Block| matches!(block.content, Content::Text { .. });
        let failed = Block::text("The tool failed: ");
        let mut blocks: Vec<&Block> = result.content.iter().collect();
        if result.is_error {
            // The format has no flag for it.
            let field = format!("{field}.is_error");
            self.ink.notes.add(field, Why::Approximated);
            blocks.insert(0, &failed);
        }
        let is_custom = self.kinds.get(result.call.as_str()) == Some(&ToolCallKind::Custom);
        out.object(|out| {
            out.text(
                "type",
                match is_custom {
                    true => "custom_tool_call_output",
                    false => "function_call_output",
                },
            );
            out.text("call_id", &result.call);
            if result.content.iter().all(is_text) {
                out.joined("output", blocks.iter().filter_map(|block| block.said()));
                return Ok(());
            }
            out.array("output", |out| {
                encode_content::parts(out, &blocks, field, &mut self.ink)
            })
        })
    }

    fn assistant(&mut self, out: &mut Array<'_>, message: &Message, field: &Path<'_>) {
        let mut said: Vec<&Block> = Vec::new();
        for (index, block) in message.content.iter().enumerate() {
            if let Content::Text { .. } | Content::Refusal(_) = block.content {
                said.push(block);
                continue;
            }
            spoken(out, &said);
            said.clear();
            self.ink.note_cache(block);
            let why = match &block.content {
                Content::ToolCall(call) => {
                    self.call(out, call);
                    continue;
                }
                Content::Thinking { text, signature } => {
                    match signature.as_deref().map(Proof::of) {
                        Some(Proof::Responses(item)) if item.is_for(self.deployment) => {
                            reasoning(out, item.id, text, item.encrypted);
                            continue;
                        }
                        // Without a proof of its own OpenAI refuses a thought.
                        Some(_) => Why::OtherProvider,
                        None => Why::Unverifiable,
                    }
                }
                Content::RedactedThinking(_)
                | Content::ServerCall(_)
                | Content::ServerResult(_)
                | Content::Unknown { .. } => Why::OtherProvider,
                _ => Why::Unsupported,
            };
            self.ink.notes.add(format!("{field}.{index}"), why);
        }
        spoken(out, &said);
    }

    fn call(&mut self, out: &mut Array<'_>, call: &ToolCall) {
        let (kind, name) = match call.kind {
            ToolCallKind::Function => ("function_call", "arguments"),
            ToolCallKind::Custom => ("custom_tool_call", "input"),
        };
        let none = call.kind == ToolCallKind::Function && call.arguments.trim().is_empty();
        out.object(|out| {
            out.text("type", kind);
            out.text("call_id", &call.id);
            out.text("name", self.names.sent(&call.name));
            out.text(name, if none { "{}" } else { &call.arguments });
        });
    }
}

/// What the assistant said: one message of as many parts. Nothing, and an empty text alone, is no message.
fn spoken(out: &mut Array<'_>, blocks: &[&Block]) {
    let is_empty =
        |block: &Block| matches!(&block.content, Content::Text { text, .. } if text.is_empty());
    if blocks.iter().all(|block| is_empty(block)) {
        return;
    }
    out.object(|out| {
        out.text("type", "message");
        out.text("role", "assistant");
        out.array("content", |out| {
            for block in blocks {
                out.object(|out| match &block.content {
                    Content::Text { text, citations } => {
                        out.text("type", "output_text");
                        out.said("text", text);
                        let length = match citations.as_slice() {
                            [] => 0,
                            _ => text.said().chars().count() as u64,
                        };
                        out.array("annotations", |out| {
                            for citation in citations {
                                if let Some(json) = annotations::encode(citation, (0, length)) {
                                    out.raw(&json);
                                }
                            }
                        });
                    }
                    Content::Refusal(text) => {
                        out.text("type", "refusal");
                        out.text("refusal", text);
                    }
                    _ => {}
                });
            }
        });
    });
}

/// A thought of the provider's own, as it came.
fn reasoning(out: &mut Array<'_>, id: &str, text: &str, encrypted: &str) {
    out.object(|out| {
        out.text("type", "reasoning");
        if !id.is_empty() {
            out.text("id", id);
        }
        out.array("summary", |out| {
            if !text.is_empty() {
                out.object(|out| {
                    out.text("type", "summary_text");
                    out.text("text", text);
                });
            }
        });
        out.text("encrypted_content", encrypted);
    });
}
