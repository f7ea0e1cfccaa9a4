//! A conversation as Chat Completions takes it: results of tools as messages of their own, thoughts and calls beside the text.

use std::ops::Range;

use super::decode_messages::PROVIDER_FIELDS;
use super::encode_parts::cache_control;
use super::target::Target;
use crate::protocol::anthropic::system_for_others;
use crate::protocol::json_fields::Path;
use crate::protocol::json_write::{Array, Object};
use crate::protocol::neutral::{
    Block, Content, Dialect, Message, Notes, Refused, Request, Role, ToolCallKind, ToolNames,
    ToolResult, Why, free_text, proof,
};

/// What the messages are written with.
pub struct Form<'a> {
    pub target: &'a Target<'a>,
    pub names: &'a ToolNames,
    pub notes: &'a mut Notes,
}

/// Writes `messages` and tells where its value stands.
pub fn write(
    request: &Request,
    target: &Target<'_>,
    names: &ToolNames,
    notes: &mut Notes,
    out: &mut Object<'_>,
) -> Result<Range<usize>, Refused> {
    let mut form = Form {
        target,
        names,
        notes,
    };
    let (place, outcome) = out.array_at("messages", |out| {
        form.system(out, request)?;
        for (index, message) in request.messages.iter().enumerate() {
            form.message(out, message, request.leading_messages + index)?;
        }
        Ok(())
    });
    outcome.map(|()| place)
}

impl Form<'_> {
    fn system(&mut self, out: &mut Array<'_>, request: &Request) -> Result<(), Refused> {
        let blocks = system_for_others(request, self.notes);
        if blocks.is_empty() {
            return Ok(());
        }
        out.object(|out| {
            out.text("role", "system");
            self.content(out, &blocks, &Path::Body.field("system"))
        })
    }

    fn message(
        &mut self,
        out: &mut Array<'_>,
        message: &Message,
        place: usize,
    ) -> Result<(), Refused> {
        for extension in message.extensions.foreign(Dialect::Chat) {
            let field = format!("messages.{place}.{}", extension.name);
            self.notes.add(field, Why::Unsupported);
        }
        let messages = Path::Body.field("messages");
        let at = messages.item(place);
        let field = at.field("content");
        match message.role {
            Role::Assistant => {
                self.assistant(out, message, &field);
                Ok(())
            }
            Role::User => self.user(out, message, &field),
            Role::System => {
                let blocks: Vec<_> = message.content.iter().collect();
                out.object(|out| {
                    out.text("role", "system");
                    self.content(out, &blocks, &field)?;
                    extras(out, message);
                    Ok(())
                })
            }
        }
    }

    /// Results first, each a message; then what the user says.
    fn user(
        &mut self,
        out: &mut Array<'_>,
        message: &Message,
        field: &Path<'_>,
    ) -> Result<(), Refused> {
        let mut said: Vec<&Block> = Vec::new();
        let mut shown: Vec<Block> = Vec::new();
        let mut results = 0;
        for (index, block) in message.content.iter().enumerate() {
            match &block.content {
                Content::ToolResult(result) => {
                    results += 1;
                    self.result(out, block, result, &mut shown, &field.item(index))?;
                }
                _ => said.push(block),
            }
        }
        let whole: Vec<&Block> = shown.iter().chain(said).collect();
        if whole.is_empty() && results > 0 {
            return Ok(());
        }
        out.object(|out| {
            out.text("role", "user");
            self.content(out, &whole, field)?;
            extras(out, message);
            Ok(())
        })
    }

    /// A result's images, where the host takes none in it, are shown by the user right behind.
    fn result(
        &mut self,
        out: &mut Array<'_>,
        block: &Block,
        result: &ToolResult,
        shown: &mut Vec<Block>,
        field: &Path<'_>,
    ) -> Result<(), Refused> {
        let mut inner: Vec<Block> = Vec::with_capacity(result.content.len());
        let mut seen = false;
        for block in &result.content {
            let is_text = matches!(block.content, Content::Text { .. });
            if is_text || self.target.takes_tool_images {
                inner.push(block.clone());
                continue;
            }
            if !std::mem::replace(&mut seen, true) {
                shown.push(Block::text(format!(
                    "Shown by the tool call {}:",
                    result.call
                )));
            }
            shown.push(block.clone());
        }
        if seen {
            self.notes.add(field.to_string(), Why::Approximated);
            if inner.is_empty() {
                inner.push(Block::text("The result is shown in the next message."));
            }
        }
        if result.is_error {
            // The format has no flag for it.
            self.notes
                .add(format!("{field}.is_error"), Why::Approximated);
            inner.insert(0, Block::text("The tool failed: "));
        }
        let parts: Vec<&Block> = inner.iter().collect();
        out.object(|out| {
            out.text("role", "tool");
            out.text("tool_call_id", &result.call);
            self.content(out, &parts, field)?;
            cache_control(out, block.cache.as_ref(), self.target, self.notes);
            Ok(())
        })
    }

    fn assistant(&mut self, out: &mut Array<'_>, message: &Message, field: &Path<'_>) {
        let mut spoken = Spoken::default();
        for (index, block) in message.content.iter().enumerate() {
            let field = || format!("{field}.{index}");
            let why = match &block.content {
                Content::Text { .. } => {
                    spoken.texts.push(block);
                    continue;
                }
                Content::Refusal(text) => {
                    spoken.refusal.get_or_insert_default().push_str(text);
                    continue;
                }
                Content::ToolCall(_) => {
                    spoken.calls.push(block);
                    continue;
                }
                Content::Thinking { signature, .. } => {
                    spoken.thoughts.push(block);
                    match signature {
                        Some(_) if !self.target.is_claude => Why::Unverifiable,
                        Some(signature) if !proof::is_anthropic(signature) => Why::OtherProvider,
                        None if !self.target.takes_reasoning_content => Why::OtherProvider,
                        _ => continue,
                    }
                }
                Content::RedactedThinking(_) => {
                    spoken.thoughts.push(block);
                    if self.target.is_claude {
                        continue;
                    }
                    Why::Unverifiable
                }
                Content::Audio { id: Some(id), .. } => {
                    spoken.audio = Some(id);
                    continue;
                }
                Content::ServerCall(_) | Content::ServerResult(_) | Content::Unknown { .. } => {
                    Why::OtherProvider
                }
                _ => Why::Unsupported,
            };
            self.notes.add(field(), why);
        }
        if spoken.says_nothing() {
            return;
        }
        out.object(|out| {
            out.text("role", "assistant");
            self.spoken(out, &spoken);
            extras(out, message);
        });
    }

    fn spoken(&mut self, out: &mut Object<'_>, spoken: &Spoken<'_>) {
        match spoken.texts.as_slice() {
            [] => out.null("content"),
            texts if texts.iter().any(|block| self.is_marked(block)) => {
                out.array("content", |out| {
                    for block in texts {
                        self.text_part(out, block);
                    }
                });
            }
            texts => out.joined("content", texts.iter().filter_map(|block| block.said())),
        }
        out.maybe_text("refusal", spoken.refusal.as_deref());
        self.thoughts(out, &spoken.thoughts);
        if !spoken.calls.is_empty() {
            out.array("tool_calls", |out| {
                for block in &spoken.calls {
                    self.call(out, block);
                }
            });
        }
        if let Some(id) = spoken.audio {
            out.object("audio", |out| out.text("id", id));
        }
    }

    fn thoughts(&mut self, out: &mut Object<'_>, thoughts: &[&Block]) {
        let text = |block: &&Block| match &block.content {
            Content::Thinking { text, .. } => Some(text.clone()),
            _ => None,
        };
        if self.target.takes_reasoning_content || self.target.is_claude {
            let whole: String = thoughts.iter().filter_map(text).collect();
            if !whole.is_empty() {
                out.text("reasoning_content", &whole);
            }
        }
        let is_own = |content: &&Content| match content {
            Content::Thinking {
                signature: Some(signature),
                ..
            } => proof::is_anthropic(signature),
            _ => true,
        };
        let own = thoughts.iter().map(|block| &block.content).filter(is_own);
        if self.target.is_claude && own.clone().next().is_some() {
            thinking_blocks(out, own);
        }
    }

    fn call(&mut self, out: &mut Array<'_>, block: &Block) {
        let Content::ToolCall(call) = &block.content else {
            return;
        };
        let is_wrapped = call.kind == ToolCallKind::Custom && !self.target.takes_custom_tools;
        let wrapped = is_wrapped.then(|| free_text::wrap(&call.arguments));
        let kind = if is_wrapped {
            ToolCallKind::Function
        } else {
            call.kind
        };
        let arguments = wrapped.as_ref().unwrap_or(&call.arguments);
        out.object(|out| {
            let name = self.names.sent(&call.name);
            tool_call(out, &call.id, name, kind, arguments);
            cache_control(out, block.cache.as_ref(), self.target, self.notes);
            out.extensions(&block.extensions, Dialect::Chat);
        });
    }
}

/// What an assistant's message holds, by where it goes.
#[derive(Default)]
struct Spoken<'a> {
    texts: Vec<&'a Block>,
    refusal: Option<String>,
    thoughts: Vec<&'a Block>,
    calls: Vec<&'a Block>,
    audio: Option<&'a str>,
}

impl Spoken<'_> {
    fn says_nothing(&self) -> bool {
        self.texts.is_empty()
            && self.refusal.is_none()
            && self.calls.is_empty()
            && self.audio.is_none()
    }
}

/// What a message has beside role and content.
fn extras(out: &mut Object<'_>, message: &Message) {
    out.maybe_text("name", message.name.as_deref());
    let mut provider_fields = Vec::new();
    for extension in message.extensions.of(Dialect::Chat) {
        match extension.name.strip_prefix(PROVIDER_FIELDS) {
            Some(name) => provider_fields.push((name.trim_start_matches('.'), &extension.value)),
            None => out.raw(&extension.name, extension.value.as_bytes()),
        }
    }
    if !provider_fields.is_empty() {
        out.object(PROVIDER_FIELDS, |out| {
            for (name, value) in provider_fields {
                out.raw(name, value.as_bytes());
            }
        });
    }
}

/// The fields of one call. Arguments that are not there are those of a call without any.
pub fn tool_call(out: &mut Object<'_>, id: &str, name: &str, kind: ToolCallKind, arguments: &str) {
    out.text("id", id);
    match kind {
        ToolCallKind::Custom => {
            out.text("type", "custom");
            out.object("custom", |out| {
                out.text("name", name);
                out.text("input", arguments);
            });
        }
        ToolCallKind::Function => {
            out.text("type", "function");
            out.object("function", |out| {
                out.text("name", name);
                let none = arguments.trim().is_empty();
                out.text("arguments", if none { "{}" } else { arguments });
            });
        }
    }
}

/// `thinking_blocks`: Anthropic's blocks, as LiteLLM carries them.
pub fn thinking_blocks<'c>(out: &mut Object<'_>, thoughts: impl Iterator<Item = &'c Content>) {
    out.array("thinking_blocks", |out| {
        for thought in thoughts {
            match thought {
                Content::Thinking { text, signature } => out.object(|out| {
                    out.text("type", "thinking");
                    out.text("thinking", text);
                    out.maybe_text("signature", signature.as_deref());
                }),
                Content::RedactedThinking(data) => out.object(|out| {
                    out.text("type", "redacted_thinking");
                    out.text("data", data);
                }),
                _ => {}
            }
        }
    });
}
