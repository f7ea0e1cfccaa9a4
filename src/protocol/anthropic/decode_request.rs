//! A request as a client of Anthropic sends it.

use bytes::Bytes;

use super::blocks::{cache_control, content};
use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::neutral::{
    Dialect, Effort, Extension, Message, OutputFormat, Raw, Reasoning, ReasoningMode, Request,
    Role, Sampling, Tool, ToolChoice, ToolKind,
};

/// Reads the body of `POST /v1/messages`. `max_tokens` is required, as it is by Anthropic.
pub fn decode_request(body: &Bytes) -> Result<Request, DecodeError> {
    let request = decode(body, &Path::Shared(body))?;
    match request.max_output_tokens {
        Some(_) => Ok(request),
        None => Err(Path::Body.missing("max_tokens")),
    }
}

/// Reads a body that need not say `max_tokens`, as one that is only counted.
pub(super) fn decode(body: &[u8], at: &Path<'_>) -> Result<Request, DecodeError> {
    let mut fields = Fields::read(body, at)?;
    let mut request = Request {
        model: fields.required_text("model", at)?,
        system: content(fields.take("system"), &at.field("system"))?,
        max_output_tokens: fields.whole("max_tokens", at)?,
        stop: fields.texts("stop_sequences", at)?,
        sampling: Sampling {
            temperature: fields.number("temperature", at)?,
            top_p: fields.number("top_p", at)?,
            top_k: fields.number("top_k", at)?,
            ..Sampling::default()
        },
        service_tier: fields.text("service_tier", at)?,
        stream: fields.truth("stream", at)?.unwrap_or(false),
        wants_stream_usage: true,
        ..Request::default()
    };
    let messages = fields.array("messages", at)?;
    let messages = messages.ok_or_else(|| at.missing("messages"))?;
    let place = at.field("messages");
    if messages.is_empty() {
        return Err(place.expected("at least one message"));
    }
    for (index, value) in messages.iter().enumerate() {
        request.messages.push(message(value, &place.item(index))?);
    }
    let tools = fields.array("tools", at)?.unwrap_or_default();
    let place = at.field("tools");
    for (index, value) in tools.iter().enumerate() {
        request.tools.push(tool(value, &place.item(index))?);
    }
    tool_choice(&mut fields, &mut request)?;
    reasoning_and_format(&mut fields, &mut request)?;
    if let Some(mut metadata) = fields.object("metadata", at)? {
        let at = at.field("metadata");
        request.user = metadata.text("user_id", &at)?;
        request.metadata = metadata.rest(Dialect::Anthropic, &at)?;
    }
    let output_config = request.extensions;
    request.extensions = fields.rest(Dialect::Anthropic, at)?;
    request.extensions.0.extend(output_config.0);
    Ok(request)
}

fn message(value: &[u8], at: &Path<'_>) -> Result<Message, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let role = match fields.required_text("role", at)?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => {
            let role = at.field("role");
            return Err(role.expected("\"user\" or \"assistant\""));
        }
    };
    let value = fields.take("content");
    let value = value.ok_or_else(|| at.missing("content"))?;
    Ok(Message {
        role,
        content: content(Some(value), &at.field("content"))?,
        name: None,
        extensions: fields.rest(Dialect::Anthropic, at)?,
    })
}

fn tool(value: &[u8], at: &Path<'_>) -> Result<Tool, DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let kind = fields.text("type", at)?;
    if let Some(kind) = kind.filter(|kind| kind != "custom") {
        let raw = Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?;
        return Ok(Tool {
            kind: ToolKind::Provided {
                dialect: Dialect::Anthropic,
                kind,
                raw,
            },
            cache: None,
            extensions: Default::default(),
        });
    }
    let parameters = fields.raw("input_schema", at)?;
    if parameters.as_ref().is_none_or(|schema| !schema.is_object()) {
        return Err(at.field("input_schema").expected("a JSON schema"));
    }
    Ok(Tool {
        kind: ToolKind::Function {
            name: fields.required_text("name", at)?,
            description: fields.text("description", at)?,
            parameters,
            strict: fields.truth("strict", at)?,
        },
        cache: cache_control(&mut fields, at)?,
        extensions: fields.rest(Dialect::Anthropic, at)?,
    })
}

fn tool_choice(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let Some(mut choice) = fields.object("tool_choice", &Path::Body)? else {
        return Ok(());
    };
    let at = Path::Body.field("tool_choice");
    let parallel = choice.truth("disable_parallel_tool_use", &at)?;
    request.parallel_tool_calls = parallel.map(|disabled| !disabled);
    request.tool_choice = Some(match choice.required_text("type", &at)?.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.required_text("name", &at)?),
        _ => {
            return Err(at
                .field("type")
                .expected("\"auto\", \"any\", \"tool\" or \"none\""));
        }
    });
    Ok(())
}

/// `thinking`, `output_config` with its `effort` and `format`, `output_format`, and the `reasoning_effort` that LiteLLM's
/// clients send here too.
fn reasoning_and_format(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let at = Path::Body;
    let mut reasoning = Reasoning::default();
    if let Some(thinking) = fields.take("thinking") {
        read_thinking(thinking, &at.field("thinking"), &mut reasoning)?;
    }
    let effort = fields.text("reasoning_effort", &at)?;
    reasoning.effort = effort.as_deref().and_then(Effort::parse);
    let mut format = fields.take("output_format");
    let place = at.field("output_config");
    if let Some(mut config) = fields.object("output_config", &at)? {
        if let Some(effort) = config.text("effort", &place)? {
            let effort = Effort::parse(&effort);
            let wrong = || {
                place
                    .field("effort")
                    .expected("\"low\", \"medium\", \"high\", \"xhigh\" or \"max\"")
            };
            reasoning.effort = Some(effort.ok_or_else(wrong)?);
        }
        format = config.take("format").or(format);
        // What is left goes back into an `output_config` when the target is Anthropic.
        request.extensions.0 = config
            .rest(Dialect::Anthropic, &place)?
            .0
            .into_iter()
            .map(|extension| Extension {
                name: format!("output_config.{}", extension.name),
                ..extension
            })
            .collect();
    }
    if reasoning != Reasoning::default() {
        request.reasoning = Some(reasoning);
    }
    if let Some(format) = format {
        let at = at.field("output_format");
        let mut format = Fields::read(format, &at)?;
        if format.required_text("type", &at)? != "json_schema" {
            return Err(at.field("type").expected("\"json_schema\""));
        }
        let schema = format.raw("schema", &at)?;
        request.format = Some(OutputFormat::Schema {
            name: None,
            description: None,
            schema: schema.ok_or_else(|| at.missing("schema"))?,
            strict: None,
        });
    }
    Ok(())
}

/// Anthropic's `thinking` object, which clients of other protocols send too.
pub fn read_thinking(
    value: &[u8],
    at: &Path<'_>,
    reasoning: &mut Reasoning,
) -> Result<(), DecodeError> {
    let mut thinking = Fields::read(value, at)?;
    reasoning.mode = Some(match thinking.required_text("type", at)?.as_str() {
        "enabled" => {
            let budget = thinking.whole("budget_tokens", at)?;
            ReasoningMode::Budget(budget.ok_or_else(|| at.missing("budget_tokens"))?)
        }
        "disabled" => ReasoningMode::Off,
        "adaptive" => ReasoningMode::Adaptive,
        _ => {
            return Err(at
                .field("type")
                .expected("\"enabled\", \"disabled\" or \"adaptive\""));
        }
    });
    reasoning.display = thinking.text("display", at)?;
    Ok(())
}
