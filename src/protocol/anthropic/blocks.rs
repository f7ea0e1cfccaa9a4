//! Content blocks as they are read, in requests and in answers.

use crate::protocol::json_fields::{self, DecodeError, Fields, Path};
use crate::protocol::neutral::{
    Block, CacheControl, Citation, Content, Dialect, Lifetime, Raw, ServerCall, ServerResult,
    Source, ToolCall, ToolCallKind, ToolResult,
};

/// How deep blocks may stand in blocks: a document within a tool result is level 3.
const DEEPEST: u32 = 4;

/// A text or an array of blocks; nothing is none.
pub fn content(value: Option<&[u8]>, at: &Path<'_>) -> Result<Vec<Block>, DecodeError> {
    content_at(value, at, 1)
}

fn content_at(value: Option<&[u8]>, at: &Path<'_>, depth: u32) -> Result<Vec<Block>, DecodeError> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    match value.first() {
        Some(b'"') => Ok(vec![Block::text(json_fields::said(value, at)?)]),
        Some(b'[') if depth <= DEEPEST => {
            let items = json_fields::items(value, at)?;
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| block(item, &at.item(index), depth))
                .collect()
        }
        Some(b'[') => Err(at.expected("blocks that are not nested so deep")),
        _ => Err(at.expected("a string or an array of content blocks")),
    }
}

fn block(value: &[u8], at: &Path<'_>, depth: u32) -> Result<Block, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let kind = fields.required_text("type", at)?;
    let content = match kind.as_str() {
        "text" => Content::Text {
            text: fields.required_said("text", at)?,
            citations: citations(&mut fields, at)?,
        },
        "image" => Content::Image {
            source: required_source(&mut fields, at, depth)?,
            detail: None,
        },
        "document" => Content::Document {
            source: required_source(&mut fields, at, depth)?,
            title: fields.text("title", at)?,
            context: fields.text("context", at)?,
            cited: match fields.object("citations", at)? {
                Some(mut citations) => citations.truth("enabled", at)?.unwrap_or(false),
                None => false,
            },
        },
        "tool_use" => {
            let ServerCall { id, name, input } = call(&mut fields, at)?;
            Content::ToolCall(ToolCall {
                id,
                name,
                arguments: input,
                kind: ToolCallKind::Function,
            })
        }
        "server_tool_use" => Content::ServerCall(call(&mut fields, at)?),
        "tool_result" => Content::ToolResult(ToolResult {
            call: fields.required_text("tool_use_id", at)?,
            content: content_at(fields.take("content"), &at.field("content"), depth + 1)?,
            is_error: fields.truth("is_error", at)?.unwrap_or(false),
        }),
        "thinking" => Content::Thinking {
            text: fields.required_text("thinking", at)?,
            signature: fields
                .text("signature", at)?
                .filter(|text| !text.is_empty()),
        },
        "redacted_thinking" => Content::RedactedThinking(fields.required_text("data", at)?),
        kind if kind.ends_with("_tool_result") => Content::ServerResult(ServerResult {
            kind: kind.to_owned(),
            call: fields.required_text("tool_use_id", at)?,
            content: fields
                .raw("content", at)?
                .ok_or_else(|| at.missing("content"))?,
        }),
        _ => {
            let raw = Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?;
            return Ok(Block::plain(Content::Unknown {
                dialect: Dialect::Anthropic,
                kind,
                raw,
            }));
        }
    };
    Ok(Block {
        content,
        cache: cache_control(&mut fields, at)?,
        extensions: fields.rest(Dialect::Anthropic, at)?,
    })
}

fn call(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<ServerCall, DecodeError> {
    let input = fields.raw("input", at)?;
    if input.as_ref().is_some_and(|input| !input.is_object()) {
        return Err(at.field("input").expected("an object"));
    }
    Ok(ServerCall {
        id: fields.required_text("id", at)?,
        name: fields.required_text("name", at)?,
        input: input.map_or_else(|| "{}".to_owned(), |input| input.as_str().to_owned()),
    })
}

fn citations(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<Vec<Citation>, DecodeError> {
    let items = fields.array("citations", at)?.unwrap_or_default();
    let at = at.field("citations");
    let items = items.iter().enumerate();
    items
        .map(|(index, item)| citation(item, &at.item(index)))
        .collect()
}

/// One citation, kept as it is written.
pub fn citation(value: &[u8], at: &Path<'_>) -> Result<Citation, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    Ok(Citation {
        dialect: Dialect::Anthropic,
        raw: Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?,
        url: fields.text("url", at)?,
        title: fields.text("title", at)?,
    })
}

/// The mark for the prompt cache, if there is one.
pub fn cache_control(
    fields: &mut Fields<'_>,
    at: &Path<'_>,
) -> Result<Option<CacheControl>, DecodeError> {
    let Some(mut mark) = fields.object("cache_control", at)? else {
        return Ok(None);
    };
    let at = at.field("cache_control");
    if mark.required_text("type", &at)? != "ephemeral" {
        return Err(at.field("type").expected("\"ephemeral\""));
    }
    let lifetime = match mark.text("ttl", &at)?.as_deref() {
        None => None,
        Some("5m") => Some(Lifetime::FiveMinutes),
        Some("1h") => Some(Lifetime::OneHour),
        Some(_) => return Err(at.field("ttl").expected("\"5m\" or \"1h\"")),
    };
    Ok(Some(CacheControl {
        lifetime,
        extensions: mark.rest(Dialect::Anthropic, &at)?,
    }))
}

fn required_source(
    fields: &mut Fields<'_>,
    at: &Path<'_>,
    depth: u32,
) -> Result<Source, DecodeError> {
    let inner = fields.object("source", at)?;
    let mut source = inner.ok_or_else(|| at.missing("source"))?;
    let at = at.field("source");
    Ok(match source.required_text("type", &at)?.as_str() {
        "base64" => Source::Base64 {
            media_type: source.required_text("media_type", &at)?,
            data: source.required_text("data", &at)?,
        },
        "url" => Source::Url(source.required_text("url", &at)?),
        "file" => Source::File(source.required_text("file_id", &at)?),
        "text" => Source::Text(source.required_text("data", &at)?),
        "content" => Source::Blocks(content_at(
            source.take("content"),
            &at.field("content"),
            depth + 1,
        )?),
        _ => {
            return Err(at
                .field("type")
                .expected("\"base64\", \"url\", \"file\", \"text\" or \"content\""));
        }
    })
}
