//! Content blocks as they are written, in requests and in answers.

use crate::protocol::json_write::{Array, Object};
use crate::protocol::neutral::{
    Block, CacheControl, Citation, Content, Dialect, Lifetime, Notes, Raw, Source, ToolCallKind,
    ToolNames, Why, free_text, proof,
};

/// What a block is written with.
pub struct Ink<'a> {
    pub names: &'a ToolNames,
    pub notes: &'a mut Notes,
}

/// Why a block is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritable {
    /// It can be left out, and is noted.
    Left(Why),
    /// Without it the request would ask something else.
    Refused(&'static str),
}

/// Whether a block can be said to Anthropic, or to a client of it.
pub fn check(content: &Content, to_client: bool) -> Result<(), Unwritable> {
    let source = match content {
        // Without its signature Anthropic refuses a thought; a client only reads it.
        Content::Thinking {
            signature: None, ..
        } if !to_client => return Err(Unwritable::Left(Why::Unverifiable)),
        Content::Thinking {
            signature: Some(signature),
            ..
        } if !to_client && !proof::is_anthropic(signature) => {
            return Err(Unwritable::Left(Why::OtherProvider));
        }
        Content::Audio { .. } => {
            return Err(Unwritable::Refused("Anthropic's models take no audio"));
        }
        // What OpenAI's own tools did.
        Content::Unknown {
            dialect: Dialect::Responses,
            kind,
            ..
        } if kind.ends_with("_call") || kind == "mcp_list_tools" => {
            return Err(Unwritable::Left(Why::OtherProvider));
        }
        Content::Unknown { dialect, .. } if *dialect != Dialect::Anthropic => {
            return Err(Unwritable::Refused(
                "this kind of content is unknown to Anthropic",
            ));
        }
        Content::Image { source, .. } => source,
        Content::Document { source, .. } => source,
        Content::ToolResult(result) => {
            return result
                .content
                .iter()
                .try_for_each(|inner| check(&inner.content, to_client));
        }
        _ => return Ok(()),
    };
    match source {
        Source::Url(url) if !url.starts_with("https://") => Err(Unwritable::Refused(
            "Anthropic fetches https addresses only",
        )),
        Source::Blocks(blocks) => blocks
            .iter()
            .try_for_each(|inner| check(&inner.content, to_client)),
        _ => Ok(()),
    }
}

/// Writes a block that [`check`] has let pass.
pub fn block(out: &mut Array<'_>, block: &Block, ink: &mut Ink<'_>) {
    if let Content::Unknown { raw, .. } = &block.content {
        return out.raw(raw.as_bytes());
    }
    for extension in block.extensions.foreign(Dialect::Anthropic) {
        ink.notes.add(&extension.name, Why::Unsupported);
    }
    out.object(|out| {
        fields(out, &block.content, ink);
        cache_control(out, block.cache.as_ref());
        out.extensions(&block.extensions, Dialect::Anthropic);
    });
}

fn fields(out: &mut Object<'_>, content: &Content, ink: &mut Ink<'_>) {
    match content {
        Content::Text { text, citations } => {
            out.text("type", "text");
            out.said("text", text);
            write_citations(out, citations, ink.notes);
        }
        Content::Refusal(text) => {
            out.text("type", "text");
            out.text("text", text);
        }
        Content::Image { source: from, .. } => {
            out.text("type", "image");
            source(out, from, ink);
        }
        Content::Document {
            source: from,
            title,
            context,
            cited,
        } => {
            out.text("type", "document");
            source(out, from, ink);
            out.maybe_text("title", title.as_deref());
            out.maybe_text("context", context.as_deref());
            if *cited {
                out.object("citations", |out| out.truth("enabled", true));
            }
        }
        Content::ToolCall(call) => {
            let name = ink.names.sent(&call.name);
            tool_use(out, "tool_use", &tool_id(&call.id), name);
            match call.kind {
                ToolCallKind::Function => input(out, &call.arguments, ink.notes),
                ToolCallKind::Custom => {
                    input(out, &free_text::wrap(&call.arguments), ink.notes);
                }
            }
        }
        Content::ServerCall(call) => {
            tool_use(out, "server_tool_use", &call.id, &call.name);
            input(out, &call.input, ink.notes);
        }
        Content::ServerResult(result) => {
            out.text("type", &result.kind);
            out.text("tool_use_id", &result.call);
            out.raw("content", result.content.as_bytes());
        }
        Content::ToolResult(result) => {
            out.text("type", "tool_result");
            out.text("tool_use_id", &tool_id(&result.call));
            if !result.content.is_empty() {
                blocks(out, &result.content, ink);
            }
            if result.is_error {
                out.truth("is_error", true);
            }
        }
        Content::Thinking { text, signature } => {
            out.text("type", "thinking");
            out.text("thinking", text);
            // The field is required; an empty one says that there is no proof.
            out.text("signature", signature.as_deref().unwrap_or_default());
        }
        Content::RedactedThinking(data) => {
            out.text("type", "redacted_thinking");
            out.text("data", data);
        }
        // `check` keeps these out.
        Content::Audio { .. } | Content::Unknown { .. } => {}
    }
}

fn blocks(out: &mut Object<'_>, inner: &[Block], ink: &mut Ink<'_>) {
    out.array("content", |out| {
        for inner in inner {
            block(out, inner, ink);
        }
    });
}

/// The head of a call.
pub fn tool_use(out: &mut Object<'_>, kind: &str, id: &str, name: &str) {
    out.text("type", kind);
    out.text("id", id);
    out.text("name", name);
}

/// Anthropic takes an object only. Arguments that are none, as when a model was cut off, are told as Anthropic advises for
/// fine-grained tool streaming: as a text under the key `INVALID_JSON`.
fn input(out: &mut Object<'_>, arguments: &str, notes: &mut Notes) {
    if arguments.trim().is_empty() {
        return out.raw("input", b"{}");
    }
    match Raw::parse(arguments.as_bytes()).filter(Raw::is_object) {
        Some(raw) => out.raw("input", raw.as_bytes()),
        None => {
            notes.add("arguments", Why::Approximated);
            out.object("input", |out| out.text("INVALID_JSON", arguments));
        }
    }
}

/// Anthropic's ids have letters, digits, `_` and `-` only.
pub fn tool_id(id: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    id.chars()
        .map(|letter| if allowed(letter) { letter } else { '_' })
        .collect()
}

fn write_citations(out: &mut Object<'_>, citations: &[Citation], notes: &mut Notes) {
    let is_own = |citation: &&Citation| citation.dialect == Dialect::Anthropic;
    let own = citations.iter().filter(is_own);
    if own.clone().count() < citations.len() {
        notes.add("annotations", Why::Unverifiable);
    }
    if own.clone().next().is_some() {
        out.array("citations", |out| {
            own.for_each(|citation| out.raw(citation.raw.as_bytes()));
        });
    }
}

fn source(out: &mut Object<'_>, source: &Source, ink: &mut Ink<'_>) {
    out.object("source", |out| match source {
        Source::Base64 { media_type, data } => {
            out.text("type", "base64");
            out.text("media_type", media_type);
            out.text("data", data);
        }
        Source::Url(url) => {
            out.text("type", "url");
            out.text("url", url);
        }
        Source::File(id) => {
            out.text("type", "file");
            out.text("file_id", id);
        }
        Source::Text(text) => {
            out.text("type", "text");
            out.text("media_type", "text/plain");
            out.text("data", text);
        }
        Source::Blocks(inner) => {
            out.text("type", "content");
            blocks(out, inner, ink);
        }
    });
}

pub fn cache_control(out: &mut Object<'_>, mark: Option<&CacheControl>) {
    let Some(mark) = mark else {
        return;
    };
    out.object("cache_control", |out| {
        out.text("type", "ephemeral");
        match mark.lifetime {
            Some(Lifetime::FiveMinutes) => out.text("ttl", "5m"),
            Some(Lifetime::OneHour) => out.text("ttl", "1h"),
            None => {}
        }
        for extension in &mark.extensions.0 {
            out.raw(&extension.name, extension.value.as_bytes());
        }
    });
}
