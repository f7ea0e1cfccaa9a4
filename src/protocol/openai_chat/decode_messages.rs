//! Messages of Chat Completions, in requests and in answers, made neutral.

use super::decode_parts::{cache_control, content, part};
use crate::protocol::json_fields::{DecodeError, Fields, Path, text};
use crate::protocol::neutral::{
    Block, Citation, Content, Dialect, Extension, Extensions, Message, Raw, Role, ServerCall,
    ServerResult, ToolCall, ToolCallKind, ToolResult,
};

/// Ids of calls that a provider ran itself begin so.
pub const SERVER_CALL: &str = "srvtoolu_";

/// Where messages hold what OpenAI's format has no place for.
pub const PROVIDER_FIELDS: &str = "provider_specific_fields";

/// One message of a request.
pub fn message(value: &[u8], at: &Path<'_>) -> Result<Message, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let said = fields.required_text("role", at)?;
    let role = match said.as_str() {
        "system" | "developer" => Role::System,
        "user" | "tool" | "function" => Role::User,
        "assistant" => Role::Assistant,
        _ => {
            return Err(at.field("role").expected(
                "\"system\", \"developer\", \"user\", \"assistant\", \"tool\" or \"function\"",
            ));
        }
    };
    let name = fields.text("name", at)?;
    let mark = cache_control(&mut fields, at)?;
    let mut extensions = Vec::new();
    let mut blocks = match said.as_str() {
        "tool" => {
            let call = fields.required_text("tool_call_id", at)?;
            vec![result(&mut fields, call, at)?]
        }
        "function" => {
            let call = name.clone().ok_or_else(|| at.missing("name"))?;
            vec![result(&mut fields, function_call_id(&call), at)?]
        }
        "assistant" => spoken(&mut fields, &mut extensions, at)?,
        _ => content(fields.take("content"), &at.field("content"))?,
    };
    if let Some(block) = blocks.last_mut()
        && block.cache.is_none()
    {
        block.cache = mark;
    }
    Ok(Message {
        role,
        content: blocks,
        name: name.filter(|_| said != "tool" && said != "function"),
        extensions: {
            extensions.extend(fields.rest(Dialect::Chat, at)?.0);
            Extensions(extensions)
        },
    })
}

/// The id of a call of the kind that has none: its function's name tells call and result belong together.
fn function_call_id(name: &str) -> String {
    format!("call_{name}")
}

fn result(fields: &mut Fields<'_>, call: String, at: &Path<'_>) -> Result<Block, DecodeError> {
    Ok(Block::plain(Content::ToolResult(ToolResult {
        call,
        content: content(fields.take("content"), &at.field("content"))?,
        is_error: false,
    })))
}

/// What an assistant said: thoughts, then text, then calls. Takes all that belongs to it out of the fields.
///
/// What `provider_specific_fields` holds beside results of server tools goes to `extensions`, as `provider_specific_fields.x`.
pub fn spoken(
    fields: &mut Fields<'_>,
    extensions: &mut Vec<Extension>,
    at: &Path<'_>,
) -> Result<Vec<Block>, DecodeError> {
    let mut results = server_results(fields, extensions, at)?;
    let mut blocks = thoughts(fields, at)?;
    let texts = content(fields.take("content"), &at.field("content"))?;
    let first_text = blocks.len();
    blocks.extend(texts.into_iter().filter(|block| !is_empty(block)));
    if let Some(refusal) = fields.text("refusal", at)?
        && !refusal.is_empty()
    {
        blocks.push(Block::plain(Content::Refusal(refusal)));
    }
    annotations(fields, &mut blocks, first_text, at)?;
    if let Some(mut audio) = fields.object("audio", at)? {
        let at = at.field("audio");
        blocks.push(Block::plain(Content::Audio {
            id: audio.text("id", &at)?,
            data: audio.text("data", &at)?.unwrap_or_default(),
            format: None,
            transcript: audio.text("transcript", &at)?,
        }));
    }
    let images = fields.array("images", at)?.unwrap_or_default();
    let place = at.field("images");
    for (index, image) in images.iter().enumerate() {
        blocks.push(part(image, &place.item(index))?);
    }
    let calls = fields.array("tool_calls", at)?.unwrap_or_default();
    let place = at.field("tool_calls");
    for (index, call) in calls.iter().enumerate() {
        let block = tool_call(call, &place.item(index))?;
        match block.content {
            Content::ToolCall(call) if call.id.starts_with(SERVER_CALL) => {
                let result = results.iter().position(|result| result.call == call.id);
                blocks.push(Block::plain(Content::ServerCall(ServerCall {
                    id: call.id,
                    name: call.name,
                    input: call.arguments,
                })));
                let result = result.map(|place| results.remove(place));
                blocks.extend(result.map(|result| Block::plain(Content::ServerResult(result))));
            }
            _ => blocks.push(block),
        }
    }
    if let Some(mut call) = fields.object("function_call", at)? {
        let at = at.field("function_call");
        let name = call.required_text("name", &at)?;
        blocks.push(Block::plain(Content::ToolCall(ToolCall {
            id: function_call_id(&name),
            name,
            arguments: call.text("arguments", &at)?.unwrap_or_default(),
            kind: ToolCallKind::Function,
        })));
    }
    Ok(blocks)
}

/// Results of tools that the provider ran, where LiteLLM's clients keep them.
fn server_results(
    fields: &mut Fields<'_>,
    extensions: &mut Vec<Extension>,
    at: &Path<'_>,
) -> Result<Vec<ServerResult>, DecodeError> {
    let Some(mut inner) = fields.object(PROVIDER_FIELDS, at)? else {
        return Ok(Vec::new());
    };
    let at = at.field(PROVIDER_FIELDS);
    let mut results = Vec::new();
    for name in ["web_search_results", "tool_results"] {
        let items = inner.array(name, &at)?.unwrap_or_default();
        let place = at.field(name);
        for (index, item) in items.iter().enumerate() {
            let at = place.item(index);
            let mut result = Fields::read(item, &at)?;
            let content = result.raw("content", &at)?;
            results.push(ServerResult {
                kind: result.required_text("type", &at)?,
                call: result.required_text("tool_use_id", &at)?,
                content: content.ok_or_else(|| at.missing("content"))?,
            });
        }
    }
    let rest = inner.rest(Dialect::Chat, &at)?.0.into_iter();
    extensions.extend(rest.map(|extension| Extension {
        name: format!("{PROVIDER_FIELDS}.{}", extension.name),
        ..extension
    }));
    Ok(results)
}

fn is_empty(block: &Block) -> bool {
    matches!(&block.content, Content::Text { text, .. } if text.is_empty())
}

/// `thinking_blocks` where they are said, else what hosts call `reasoning_content` or `reasoning`.
fn thoughts(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<Vec<Block>, DecodeError> {
    let said = fields.take("reasoning_content");
    let said = said.or_else(|| fields.take_text("reasoning"));
    let place = at.field("thinking_blocks");
    let blocks = fields.array("thinking_blocks", at)?.unwrap_or_default();
    if !blocks.is_empty() {
        let blocks = blocks.iter().enumerate();
        return blocks
            .map(|(index, block)| part(block, &place.item(index)))
            .collect();
    }
    let text = said.map(|said| text(said, &at.field("reasoning_content")));
    let text = text.transpose()?.filter(|text| !text.is_empty());
    let thought = text.map(|text| {
        Block::plain(Content::Thinking {
            text,
            signature: None,
        })
    });
    Ok(thought.into_iter().collect())
}

/// Annotations belong to the text.
fn annotations(
    fields: &mut Fields<'_>,
    blocks: &mut [Block],
    first_text: usize,
    at: &Path<'_>,
) -> Result<(), DecodeError> {
    let items = fields.array("annotations", at)?.unwrap_or_default();
    let place = at.field("annotations");
    let mut found = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        found.push(annotation(item, &place.item(index))?);
    }
    let text = blocks.get_mut(first_text).map(|block| &mut block.content);
    if let Some(Content::Text { citations, .. }) = text {
        citations.extend(found);
    }
    Ok(())
}

/// One annotation, kept as it is written.
pub fn annotation(value: &[u8], at: &Path<'_>) -> Result<Citation, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let mut url = None;
    let mut title = None;
    if let Some(mut citation) = fields.object("url_citation", at)? {
        url = citation.text("url", at)?;
        title = citation.text("title", at)?;
    }
    Ok(Citation {
        dialect: Dialect::Chat,
        raw: Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?,
        url,
        title,
    })
}

fn tool_call(value: &[u8], at: &Path<'_>) -> Result<Block, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let kind = fields.text("type", at)?;
    fields.take("index");
    let id = fields.text("id", at)?.unwrap_or_default();
    let call = match kind.as_deref() {
        Some("custom") => {
            let inner = fields.object("custom", at)?;
            let mut inner = inner.ok_or_else(|| at.missing("custom"))?;
            let at = at.field("custom");
            ToolCall {
                id,
                name: inner.required_text("name", &at)?,
                arguments: inner.text("input", &at)?.unwrap_or_default(),
                kind: ToolCallKind::Custom,
            }
        }
        _ => {
            let inner = fields.object("function", at)?;
            let mut inner = inner.ok_or_else(|| at.missing("function"))?;
            let at = at.field("function");
            ToolCall {
                id,
                name: inner.required_text("name", &at)?,
                arguments: arguments(&mut inner, &at)?,
                kind: ToolCallKind::Function,
            }
        }
    };
    let cache = cache_control(&mut fields, at)?;
    Ok(Block {
        content: Content::ToolCall(call),
        cache,
        extensions: fields.rest(Dialect::Chat, at)?,
    })
}

/// Arguments as text; some hosts write the object itself.
pub fn arguments(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<String, DecodeError> {
    match fields.take("arguments") {
        None => Ok(String::new()),
        Some(value) if value.first() == Some(&b'{') => {
            let raw = Raw::parse(value);
            let raw = raw.ok_or_else(|| at.field("arguments").expected("a string"))?;
            Ok(raw.as_str().to_owned())
        }
        Some(value) => text(value, &at.field("arguments")),
    }
}
