//! A request as a client of Chat Completions sends it, made neutral.

use bytes::Bytes;

use super::decode_messages;
use super::decode_parts::cache_control;
use crate::protocol::anthropic::read_thinking;
use crate::protocol::json_fields::{DecodeError, Fields, Path, items, text};
use crate::protocol::neutral::{
    Dialect, Effort, Extension, Extensions, OutputFormat, Raw, Reasoning, Request, Role, Sampling,
    Tool, ToolChoice, ToolKind,
};

/// Reads the body of `POST /v1/chat/completions`. Fields that only the gateway obeys must have been taken out.
///
/// `null`, empty lists and empty objects are as if they were missing: clients send them so.
pub fn decode_request(body: &Bytes) -> Result<Request, DecodeError> {
    let at = Path::Shared(body);
    let mut fields = Fields::read(body, &at)?;
    let mut request = Request {
        model: fields.required_text("model", &at)?,
        n: fields.whole("n", &at)?,
        stop: stop(&mut fields)?,
        sampling: sampling(&mut fields)?,
        verbosity: fields.text("verbosity", &at)?,
        modalities: fields.texts("modalities", &at)?,
        audio: fields.raw("audio", &at)?,
        web_search: fields.raw("web_search_options", &at)?,
        user: fields.text("user", &at)?,
        service_tier: fields.text("service_tier", &at)?,
        stream: fields.truth("stream", &at)?.unwrap_or(false),
        parallel_tool_calls: fields.truth("parallel_tool_calls", &at)?,
        ..Request::default()
    };
    let most = fields.whole("max_completion_tokens", &at)?;
    let most_before = fields.whole("max_tokens", &at)?;
    request.max_output_tokens = most.or(most_before);
    if let Some(mut options) = fields.object("stream_options", &at)? {
        let at = at.field("stream_options");
        let wanted = options.truth("include_usage", &at)?;
        request.wants_stream_usage = wanted.unwrap_or(false);
    }
    messages(&mut fields, &at, &mut request)?;
    tools(&mut fields, &mut request)?;
    request.tool_choice = tool_choice(&mut fields)?;
    request.format = format(&mut fields)?;
    request.reasoning = reasoning(&mut fields)?;
    if let Some(metadata) = fields.object("metadata", &at)? {
        request.metadata = metadata.rest(Dialect::Chat, &at.field("metadata"))?;
    }
    request.extensions = fields.rest(Dialect::Chat, &at)?;
    Ok(request)
}

/// Leading instructions become the system prompt; the rest stays in its place.
fn messages(
    fields: &mut Fields<'_>,
    at: &Path<'_>,
    request: &mut Request,
) -> Result<(), DecodeError> {
    let messages = fields.array("messages", at)?;
    let messages = messages.ok_or_else(|| at.missing("messages"))?;
    let place = at.field("messages");
    for (index, value) in messages.iter().enumerate() {
        let message = decode_messages::message(value, &place.item(index))?;
        let leads = message.role == Role::System
            && request.messages.is_empty()
            && message.name.is_none()
            && message.extensions.0.is_empty();
        if leads {
            request.system.extend(message.content);
            request.leading_messages = index + 1;
        } else {
            request.messages.push(message);
        }
    }
    Ok(())
}

fn stop(fields: &mut Fields<'_>) -> Result<Vec<String>, DecodeError> {
    let at = Path::Body;
    let place = at.field("stop");
    match fields.take("stop") {
        None => Ok(Vec::new()),
        Some(value) if value.first() == Some(&b'"') => Ok(vec![text(value, &place)?]),
        Some(value) => {
            let items = items(value, &place);
            let items = items.map_err(|_| place.expected("a string or an array of strings"))?;
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| text(item, &place.item(index)))
                .collect()
        }
    }
}

fn sampling(fields: &mut Fields<'_>) -> Result<Sampling, DecodeError> {
    let at = Path::Body;
    let bias = fields.raw("logit_bias", &at)?;
    Ok(Sampling {
        temperature: fields.number("temperature", &at)?,
        top_p: fields.number("top_p", &at)?,
        top_k: fields.number("top_k", &at)?,
        presence_penalty: fields.number("presence_penalty", &at)?,
        frequency_penalty: fields.number("frequency_penalty", &at)?,
        seed: fields.number("seed", &at)?,
        logit_bias: bias.filter(|bias| bias.as_str() != "{}"),
        logprobs: fields.truth("logprobs", &at)?,
        top_logprobs: fields.whole("top_logprobs", &at)?,
    })
}

fn tools(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let at = Path::Body;
    let place = at.field("tools");
    let tools = fields.array("tools", &at)?.unwrap_or_default();
    for (index, value) in tools.iter().enumerate() {
        request.tools.push(tool(value, &place.item(index))?);
    }
    // What came before tools, and still comes.
    let place = at.field("functions");
    let functions = fields.array("functions", &at)?.unwrap_or_default();
    for (index, value) in functions.iter().enumerate() {
        let at = place.item(index);
        let mut inner = Fields::read(value, &at)?;
        let kind = function(&mut inner, &at)?;
        request.tools.push(Tool {
            kind,
            cache: None,
            extensions: inner.rest(Dialect::Chat, &at)?,
        });
    }
    Ok(())
}

fn tool(value: &[u8], at: &Path<'_>) -> Result<Tool, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let said = fields.text("type", at)?;
    let mut kind = said.as_deref().unwrap_or("function");
    if kind == "custom" && fields.has("input_schema") {
        // Anthropic's spelling of a function.
        kind = "function";
    }
    let mut extensions = Vec::new();
    let mut cache = None;
    let kind = match kind {
        "function" if !fields.has("function") => anthropic_function(&mut fields, at)?,
        "function" => {
            let inner = fields.object("function", at)?;
            let mut inner = inner.ok_or_else(|| at.missing("function"))?;
            let place = at.field("function");
            let kind = function(&mut inner, &place)?;
            cache = cache_control(&mut inner, &place)?;
            extensions = inner.rest(Dialect::Chat, &place)?.0;
            kind
        }
        "custom" => {
            let inner = fields.object("custom", at)?;
            let mut inner = inner.ok_or_else(|| at.missing("custom"))?;
            let place = at.field("custom");
            let kind = ToolKind::Custom {
                name: inner.required_text("name", &place)?,
                description: inner.text("description", &place)?,
                format: inner.raw("format", &place)?,
            };
            extensions = inner.rest(Dialect::Chat, &place)?.0;
            kind
        }
        kind => {
            let raw = Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?;
            return Ok(Tool {
                kind: ToolKind::Provided {
                    dialect: Dialect::Chat,
                    kind: kind.to_owned(),
                    raw,
                },
                cache: None,
                extensions: Default::default(),
            });
        }
    };
    cache = cache_control(&mut fields, at)?.or(cache);
    extensions.extend(fields.rest(Dialect::Chat, at)?.0);
    Ok(Tool {
        kind,
        cache,
        extensions: distinct(extensions),
    })
}

/// A field may stand on the tool and within it; the outer one holds.
fn distinct(extensions: Vec<Extension>) -> Extensions {
    let mut kept = Extensions::default();
    for extension in extensions {
        kept.take(extension.dialect, &extension.name);
        kept.0.push(extension);
    }
    kept
}

fn function(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<ToolKind, DecodeError> {
    let parameters = fields.raw("parameters", at)?;
    if parameters
        .as_ref()
        .is_some_and(|schema| !schema.is_object())
    {
        return Err(at.field("parameters").expected("a JSON schema"));
    }
    Ok(ToolKind::Function {
        name: fields.required_text("name", at)?,
        description: fields.text("description", at)?,
        parameters,
        strict: fields.truth("strict", at)?,
    })
}

/// A function in Anthropic's spelling, which LiteLLM's clients may send.
fn anthropic_function(fields: &mut Fields<'_>, at: &Path<'_>) -> Result<ToolKind, DecodeError> {
    let parameters = fields.raw("input_schema", at)?;
    if parameters.is_none() {
        return Err(at.missing("function"));
    }
    Ok(ToolKind::Function {
        name: fields.required_text("name", at)?,
        description: fields.text("description", at)?,
        parameters,
        strict: fields.truth("strict", at)?,
    })
}

fn tool_choice(fields: &mut Fields<'_>) -> Result<Option<ToolChoice>, DecodeError> {
    let at = Path::Body;
    let (value, name) = match fields.take("tool_choice") {
        Some(value) => (value, "tool_choice"),
        None => match fields.take("function_call") {
            Some(value) => (value, "function_call"),
            None => return Ok(None),
        },
    };
    let place = at.field(name);
    if value.first() == Some(&b'"') {
        return match text(value, &place)?.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" | "any" => Ok(Some(ToolChoice::Required)),
            _ => Err(place.expected("\"auto\", \"none\", \"required\" or an object")),
        };
    }
    let mut choice = Fields::read(value, &place)?;
    if name == "function_call" {
        return Ok(Some(ToolChoice::Named(
            choice.required_text("name", &place)?,
        )));
    }
    let kind = choice.required_text("type", &place)?;
    Ok(Some(match kind.as_str() {
        kind @ ("function" | "custom") => {
            let inner = choice.object(kind, &place)?;
            let mut inner = inner.ok_or_else(|| place.missing(kind))?;
            ToolChoice::Named(inner.required_text("name", &place.field(kind))?)
        }
        _ => ToolChoice::Other {
            dialect: Dialect::Chat,
            raw: Raw::parse(value).ok_or_else(|| place.expected("a JSON value"))?,
        },
    }))
}

fn format(fields: &mut Fields<'_>) -> Result<Option<OutputFormat>, DecodeError> {
    let at = Path::Body;
    let Some(mut format) = fields.object("response_format", &at)? else {
        return Ok(None);
    };
    let at = at.field("response_format");
    Ok(match format.text("type", &at)?.as_deref() {
        // An empty object.
        None => None,
        Some("text") => Some(OutputFormat::Text),
        Some("json_object") => Some(OutputFormat::Json),
        Some("json_schema") => {
            let inner = format.object("json_schema", &at)?;
            let mut inner = inner.ok_or_else(|| at.missing("json_schema"))?;
            let at = at.field("json_schema");
            let schema = inner.raw("schema", &at)?;
            Some(OutputFormat::Schema {
                name: inner.text("name", &at)?,
                description: inner.text("description", &at)?,
                schema: schema.ok_or_else(|| at.missing("schema"))?,
                strict: inner.truth("strict", &at)?,
            })
        }
        Some(_) => {
            return Err(at
                .field("type")
                .expected("\"text\", \"json_object\" or \"json_schema\""));
        }
    })
}

/// `reasoning_effort`, and Anthropic's `thinking`, which clients send beside or instead of it.
fn reasoning(fields: &mut Fields<'_>) -> Result<Option<Reasoning>, DecodeError> {
    let at = Path::Body;
    let mut reasoning = Reasoning::default();
    if let Some(thinking) = fields.take("thinking") {
        read_thinking(thinking, &at.field("thinking"), &mut reasoning)?;
    }
    if let Some(effort) = fields.text("reasoning_effort", &at)? {
        let wrong = || {
            at.field("reasoning_effort").expected(
                "\"none\", \"minimal\", \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"",
            )
        };
        reasoning.effort = Some(Effort::parse(&effort).ok_or_else(wrong)?);
    }
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}
