//! A request as a client of the Responses API sends it, made neutral.

use bytes::Bytes;

use super::asked::Asked;
use super::decode_items::Conversation;
use super::decode_tools::{self, Tools};
use super::path;
use crate::protocol::json_fields::{DecodeError, Fields, Path, said};
use crate::protocol::neutral::{
    Block, Dialect, Effort, Extension, Extensions, OutputFormat, Reasoning, Request, Sampling,
};

/// Fields that say how OpenAI shall keep, cache, watch or split the answer. Elsewhere they change nothing, and what of them
/// the gateway obeys it has read already.
const HINTS: [&str; 9] = [
    "client_metadata",
    "include",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "stream_options",
];

/// Fields that only OpenAI can honour: without them the request asks for something else.
const ONLY_OPENAI: [(&str, &str); 3] = [
    (
        "background",
        "false: the model behind this name answers while it is waited for",
    ),
    (
        "conversation",
        "null: conversations are kept by OpenAI; name a `previous_response_id` or send the items",
    ),
    (
        "prompt",
        "null: prompt templates are kept by OpenAI; send `instructions` and `input`",
    ),
];

/// Reads the body of `POST /v1/responses`. Fields that only the gateway obeys must have been taken out, and a
/// `previous_response_id` replaced by the items it stands for.
///
/// Errors name places as OpenAI does: `input[3].output`. `null` and empty lists are as if they were missing.
pub fn decode_request(body: &Bytes) -> Result<(Request, Asked), DecodeError> {
    read(body).map_err(|error| DecodeError {
        path: path::spelled(&error.path),
        ..error
    })
}

fn read(body: &Bytes) -> Result<(Request, Asked), DecodeError> {
    let at = Path::Shared(body);
    let mut fields = Fields::read(body, &at)?;
    let mut asked = Asked::of(&fields);
    for (name, expected) in ONLY_OPENAI {
        if fields.take(name).is_some_and(|value| value != b"false") {
            return Err(at.field(name).expected(expected));
        }
    }
    if fields.take("previous_response_id").is_some() {
        let expected = "the id of a response that was stored";
        return Err(at.field("previous_response_id").expected(expected));
    }
    let mut request = Request {
        model: fields.required_text("model", &at)?,
        sampling: sampling(&mut fields)?,
        user: fields.text("user", &at)?,
        service_tier: fields.text("service_tier", &at)?,
        stream: fields.truth("stream", &at)?.unwrap_or(false),
        wants_stream_usage: true,
        parallel_tool_calls: fields.truth("parallel_tool_calls", &at)?,
        max_output_tokens: fields.whole("max_output_tokens", &at)?,
        ..Request::default()
    };
    let mut left = Vec::new();
    asked = asked.with_tier(request.service_tier.as_deref());
    conversation(&mut fields, &at, &mut request, &mut asked, &mut left)?;
    request.reasoning = reasoning(&mut fields, &mut left)?;
    text(&mut fields, &mut request, &mut left)?;
    if let Some(metadata) = fields.object("metadata", &at)? {
        request.metadata = metadata.rest(Dialect::Responses, &at.field("metadata"))?;
    }
    // Anything else is what all others do.
    if fields.take_text("truncation") == Some(br#""auto""#) {
        left.push(extension("truncation", "auto"));
    }
    for name in HINTS {
        fields.take(name);
    }
    left.extend(fields.rest(Dialect::Responses, &at)?.0);
    request.extensions = Extensions(left);
    Ok((request, asked))
}

fn extension(name: &str, value: &str) -> Extension {
    Extension {
        dialect: Dialect::Responses,
        name: name.to_owned(),
        value: crate::protocol::neutral::Raw::of_text(value),
    }
}

/// Instructions, items and tools.
fn conversation(
    fields: &mut Fields<'_>,
    at: &Path<'_>,
    request: &mut Request,
    asked: &mut Asked,
    left: &mut Vec<Extension>,
) -> Result<(), DecodeError> {
    if let Some(instructions) = fields.take("instructions") {
        let text = said(instructions, &at.field("instructions"))?;
        request.system.push(Block::text(text));
        asked.places.system.push("instructions".to_owned());
    }
    let input = fields.take("input").ok_or_else(|| at.missing("input"))?;
    let place = at.field("input");
    let conversation = Conversation::read(input, &place)?;
    request.system.extend(conversation.system);
    let system = conversation.system_places.iter();
    asked
        .places
        .system
        .extend(system.map(|place| format!("input[{place}]")));
    request.messages = conversation.messages;
    asked.places.messages = conversation.places;
    let mut tools = Tools::default();
    if let Some(list) = fields.take("tools") {
        tools.read(list, &at.field("tools"))?;
    }
    for (item, list) in conversation.tools {
        tools.read(list, &place.item(item).field("tools"))?;
    }
    if let Some(choice) = fields.take("tool_choice") {
        request.tool_choice = decode_tools::choice(choice, &mut tools)?;
    }
    request.tools = tools.tools;
    request.web_search = tools.web_search;
    left.extend(tools.left);
    asked.names = tools.names;
    asked.places.tools = tools.places;
    Ok(())
}

fn sampling(fields: &mut Fields<'_>) -> Result<Sampling, DecodeError> {
    let at = Path::Body;
    let top_logprobs = fields.whole("top_logprobs", &at)?.filter(|most| *most > 0);
    Ok(Sampling {
        temperature: fields.number("temperature", &at)?,
        top_p: fields.number("top_p", &at)?,
        logprobs: top_logprobs.map(|_| true),
        top_logprobs,
        ..Sampling::default()
    })
}

/// A summary is told by whoever has one.
fn reasoning(
    fields: &mut Fields<'_>,
    left: &mut Vec<Extension>,
) -> Result<Option<Reasoning>, DecodeError> {
    let at = Path::Body;
    let Some(mut reasoning) = fields.object("reasoning", &at)? else {
        return Ok(None);
    };
    let at = at.field("reasoning");
    reasoning.take("summary");
    reasoning.take("generate_summary");
    let effort = reasoning.text("effort", &at)?;
    for mut unknown in reasoning.rest(Dialect::Responses, &at)?.0 {
        unknown.name = format!("reasoning.{}", unknown.name);
        left.push(unknown);
    }
    let Some(effort) = effort else {
        return Ok(None);
    };
    let wrong = || {
        at.field("effort")
            .expected("\"none\", \"minimal\", \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"")
    };
    Ok(Some(Reasoning {
        effort: Some(Effort::parse(&effort).ok_or_else(wrong)?),
        ..Reasoning::default()
    }))
}

/// The form of the answer's text.
fn text(
    fields: &mut Fields<'_>,
    request: &mut Request,
    left: &mut Vec<Extension>,
) -> Result<(), DecodeError> {
    let at = Path::Body;
    let Some(mut text) = fields.object("text", &at)? else {
        return Ok(());
    };
    let at = at.field("text");
    request.verbosity = text.text("verbosity", &at)?;
    if let Some(mut format) = text.object("format", &at)? {
        let at = at.field("format");
        request.format = match format.text("type", &at)?.as_deref() {
            None => None,
            Some("text") => Some(OutputFormat::Text),
            Some("json_object") => Some(OutputFormat::Json),
            Some("json_schema") => {
                let schema = format.raw("schema", &at)?;
                Some(OutputFormat::Schema {
                    name: format.text("name", &at)?,
                    description: format.text("description", &at)?,
                    schema: schema.ok_or_else(|| at.missing("schema"))?,
                    strict: format.truth("strict", &at)?,
                })
            }
            Some(_) => {
                let known = "\"text\", \"json_object\" or \"json_schema\"";
                return Err(at.field("type").expected(known));
            }
        };
    }
    for mut unknown in text.rest(Dialect::Responses, &at)?.0 {
        unknown.name = format!("text.{}", unknown.name);
        left.push(unknown);
    }
    Ok(())
}
