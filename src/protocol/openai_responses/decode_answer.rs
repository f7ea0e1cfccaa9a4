//! A whole answer of an upstream that speaks the Responses API.

use super::annotations;
use super::asked::is_repeated;
use super::decode_items::reasoning;
use super::usage;
use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::json_write;
use crate::protocol::neutral::{
    Answer, Block, Choice, Content, Dialect, Raw, Source, Stop, StopReason, ToolCall, ToolCallKind,
};

/// Fields that say nothing a client of another protocol could be told.
const NOISE: [&str; 9] = [
    "billing",
    "completed_at",
    "content_filters",
    "conversation",
    "frequency_penalty",
    "moderation",
    "object",
    "presence_penalty",
    "prompt",
];

/// Reads the body of a successful answer. One that has an `error` is none.
pub fn decode_answer(body: &[u8]) -> Result<Answer, DecodeError> {
    let at = Path::Body;
    let mut fields = Fields::read(body, &at)?;
    if fields.take("error").is_some() {
        return Err(at.field("error").expected("null in a successful answer"));
    }
    let items = fields.array("output", &at)?;
    let items = items.ok_or_else(|| at.missing("output"))?;
    let mut content = Vec::with_capacity(items.len());
    let mut logprobs = Vec::new();
    let place = at.field("output");
    for (index, value) in items.iter().enumerate() {
        item(value, &mut content, &mut logprobs, &place.item(index))?;
    }
    let stop = ended(&mut fields, has_calls(&content), &at)?;
    let choice = Choice {
        index: 0,
        content,
        stop,
        logprobs: chat_logprobs(&logprobs),
        ..Choice::default()
    };
    let mut answer = Answer {
        id: fields.text("id", &at)?.unwrap_or_default(),
        model: fields.text("model", &at)?.unwrap_or_default(),
        created: fields.whole("created_at", &at).unwrap_or_default(),
        choices: vec![choice],
        usage: fields.take("usage").and_then(usage::read),
        service_tier: fields.text("service_tier", &at)?,
        extensions: Default::default(),
    };
    answer.extensions = fields.rest(Dialect::Responses, &at)?;
    let known = |name: &str| is_repeated(name) || NOISE.contains(&name);
    answer
        .extensions
        .0
        .retain(|extension| !known(&extension.name));
    Ok(answer)
}

fn has_calls(content: &[Block]) -> bool {
    let is_call = |block: &Block| matches!(block.content, Content::ToolCall(_));
    content.iter().any(is_call)
}

/// Why a response ended, from its `status`; nothing of one that has not.
pub fn ended(
    response: &mut Fields<'_>,
    has_calls: bool,
    at: &Path<'_>,
) -> Result<Option<Stop>, DecodeError> {
    let details = response.object("incomplete_details", at)?;
    let reason = details.map(|mut details| details.text("reason", &at.field("incomplete_details")));
    let reason = reason.transpose()?.flatten();
    let status = response.text("status", at)?;
    Ok(match (status.as_deref(), reason.as_deref()) {
        (_, Some("content_filter")) => Some(StopReason::Refusal.into()),
        (_, Some(_)) | (Some("incomplete"), None) => Some(StopReason::MaxTokens.into()),
        (Some("completed") | None, None) if has_calls => Some(StopReason::ToolUse.into()),
        (Some("completed") | None, None) => Some(StopReason::EndTurn.into()),
        (Some(_), None) => None,
    })
}

/// Reads one item of an output. Probabilities of tokens, which are items of arrays, are gathered.
fn item(
    value: &[u8],
    content: &mut Vec<Block>,
    logprobs: &mut Vec<Vec<u8>>,
    at: &Path<'_>,
) -> Result<(), DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let kind = fields.required_text("type", at)?;
    match kind.as_str() {
        "message" => {
            let parts = fields.array("content", at)?.unwrap_or_default();
            let place = at.field("content");
            for (index, part) in parts.iter().enumerate() {
                let at = place.item(index);
                let mut fields = Fields::read(part, &at)?;
                let tokens = fields.array("logprobs", &at).ok().flatten();
                logprobs.extend(tokens.into_iter().flatten().map(<[u8]>::to_vec));
                content.push(Block::plain(message_part(part, fields, &at)?));
            }
        }
        "reasoning" => {
            let thought = reasoning(&mut fields, at)?;
            let says_nothing = matches!(&thought.content, Content::Thinking { text, signature: None } if text.is_empty());
            if !says_nothing {
                content.push(thought);
            }
        }
        "function_call" | "custom_tool_call" => {
            let call = call(&mut fields, &kind, at)?;
            content.push(Block::plain(Content::ToolCall(call)));
        }
        _ => content.push(Block::plain(other(kind, value, &mut fields, at)?)),
    }
    Ok(())
}

fn message_part(
    part: &[u8],
    mut fields: Fields<'_>,
    at: &Path<'_>,
) -> Result<Content, DecodeError> {
    let kind = fields.required_text("type", at)?;
    Ok(match kind.as_str() {
        "output_text" | "text" => Content::Text {
            text: fields.required_said("text", at)?,
            citations: annotations::decode(fields.take("annotations"), at)?,
        },
        "refusal" => Content::Refusal(fields.required_text("refusal", at)?),
        _ => Content::Unknown {
            dialect: Dialect::Responses,
            kind,
            raw: Raw::parse(part).ok_or_else(|| at.expected("a JSON value"))?,
        },
    })
}

/// Reads a call's item.
pub fn call(fields: &mut Fields<'_>, kind: &str, at: &Path<'_>) -> Result<ToolCall, DecodeError> {
    let is_custom = kind == "custom_tool_call";
    let id = fields.text("call_id", at)?;
    let own = fields.text("id", at)?;
    let arguments = fields.text(if is_custom { "input" } else { "arguments" }, at)?;
    Ok(ToolCall {
        // Some hosts know one id only.
        id: id.or(own).unwrap_or_default(),
        name: fields.required_text("name", at)?,
        arguments: arguments.unwrap_or_default(),
        kind: if is_custom {
            ToolCallKind::Custom
        } else {
            ToolCallKind::Function
        },
    })
}

/// An item of one of OpenAI's own tools: an image is one everywhere.
pub fn other(
    kind: String,
    value: &[u8],
    fields: &mut Fields<'_>,
    at: &Path<'_>,
) -> Result<Content, DecodeError> {
    if kind == "image_generation_call"
        && let Some(data) = fields.text("result", at)?
    {
        let format = fields.text("output_format", at)?;
        let media_type = format!("image/{}", format.as_deref().unwrap_or("png"));
        return Ok(Content::Image {
            source: Source::Base64 { media_type, data },
            detail: None,
        });
    }
    Ok(Content::Unknown {
        dialect: Dialect::Responses,
        kind,
        raw: Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?,
    })
}

/// Probabilities as Chat Completions tells them.
fn chat_logprobs(tokens: &[Vec<u8>]) -> Option<Raw> {
    if tokens.is_empty() {
        return None;
    }
    let mut json = Vec::new();
    json_write::object(&mut json, |out| {
        out.array("content", |out| {
            for token in tokens {
                out.raw(token);
            }
        });
    });
    Raw::parse(&json)
}
