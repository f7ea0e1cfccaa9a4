//! A neutral request as Chat Completions takes it.
//!
//! In OpenAI's own form: what single hosts want otherwise (other names of fields, no marks for caches, texts instead of
//! parts) is edited into the body as into that of any client.

use super::encode_messages;
use super::encode_tools;
use super::target::Target;
use crate::protocol::anthropic::effort_of;
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::{
    Dialect, Effort, Encoded, NameRule, Notes, OutputFormat, Reasoning, ReasoningMode, Refused,
    Request, Reversal, Sampling, ToolNames, Why,
};

const NAMES: NameRule = NameRule { longest: 64 };

/// Longest `user` that OpenAI takes.
const LONGEST_USER: usize = 64;

/// The body of `POST /v1/chat/completions`.
pub fn encode_request(request: &Request, target: &Target<'_>) -> Result<Encoded, Refused> {
    let mut notes = Notes::default();
    let names = ToolNames::fit(request.tool_names(), NAMES);
    let mut body = Vec::with_capacity(request.room());
    let (messages, tools) = json_write::object(&mut body, |out| {
        out.text("model", target.model);
        let messages = encode_messages::write(request, target, &names, &mut notes, out)?;
        let tools = encode_tools::write(request, target, &names, &mut notes)?;
        if let Some(tools) = &tools.array {
            out.raw("tools", tools);
            encode_tools::choice(out, request, target, &names, &mut notes);
            if let Some(parallel) = request.parallel_tool_calls {
                out.truth("parallel_tool_calls", parallel);
            }
        }
        if let Some(options) = &tools.web_search {
            out.raw("web_search_options", options.as_bytes());
        }
        settings(out, request, &mut notes);
        sampling(out, &request.sampling, target, &mut notes);
        if let Some(said) = &request.reasoning {
            reasoning(out, said, target, &mut notes);
        }
        format(out, request.format.as_ref());
        out.extensions(&request.extensions, Dialect::Chat);
        Ok((messages, tools))
    })?;
    for extension in request.extensions.foreign(Dialect::Chat) {
        notes.add(&extension.name, Why::Unsupported);
    }
    if request.metadata.foreign(Dialect::Chat).next().is_some() {
        notes.add("metadata", Why::Hint);
    }
    Ok(Encoded {
        body,
        messages: Some(messages),
        reversal: Reversal {
            names,
            format_tool: None,
            free_text: tools.free_text,
            maker: None,
        },
        betas: Vec::new(),
        not_carried: notes.into_list(),
    })
}

fn settings(out: &mut Object<'_>, request: &Request, notes: &mut Notes) {
    if let Some(most) = request.max_output_tokens {
        out.number("max_tokens", most);
    }
    if let Some(n) = request.n {
        out.number("n", n);
    }
    if !request.stop.is_empty() {
        out.texts("stop", request.stop.iter().map(String::as_str));
    }
    out.maybe_text("verbosity", request.verbosity.as_deref());
    if !request.modalities.is_empty() {
        out.texts("modalities", request.modalities.iter().map(String::as_str));
    }
    if let Some(audio) = &request.audio {
        out.raw("audio", audio.as_bytes());
    }
    user(out, request, notes);
    let own = request.metadata.of(Dialect::Chat);
    if own.clone().next().is_some() {
        out.object("metadata", |out| {
            own.for_each(|field| out.raw(&field.name, field.value.as_bytes()));
        });
    }
    match request.service_tier.as_deref() {
        Some("standard_only") => out.text("service_tier", "default"),
        tier => out.maybe_text("service_tier", tier),
    }
    if request.stream {
        out.truth("stream", true);
        if request.wants_stream_usage {
            out.object("stream_options", |out| out.truth("include_usage", true));
        }
    }
}

/// OpenAI refuses a longer one; Claude Code's is longer.
fn user(out: &mut Object<'_>, request: &Request, notes: &mut Notes) {
    let Some(user) = &request.user else {
        return;
    };
    match user.char_indices().nth(LONGEST_USER) {
        Some((end, _)) => {
            notes.add("user", Why::Approximated);
            out.text("user", user.get(..end).unwrap_or_default());
        }
        None => out.text("user", user),
    }
}

fn sampling(out: &mut Object<'_>, sampling: &Sampling, target: &Target<'_>, notes: &mut Notes) {
    let fields = [
        ("temperature", &sampling.temperature),
        ("top_p", &sampling.top_p),
        ("presence_penalty", &sampling.presence_penalty),
        ("frequency_penalty", &sampling.frequency_penalty),
        ("seed", &sampling.seed),
        ("logit_bias", &sampling.logit_bias),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            out.raw(name, value.as_bytes());
        }
    }
    match &sampling.top_k {
        Some(top_k) if target.takes_top_k => out.raw("top_k", top_k.as_bytes()),
        top_k => notes.add_some(top_k, "top_k", Why::Unsupported),
    }
    if let Some(logprobs) = sampling.logprobs {
        out.truth("logprobs", logprobs);
    }
    if let Some(most) = sampling.top_logprobs {
        out.number("top_logprobs", most);
    }
}

fn reasoning(out: &mut Object<'_>, said: &Reasoning, target: &Target<'_>, notes: &mut Notes) {
    if target.is_claude
        && let Some(mode) = said.mode
    {
        out.object("thinking", |out| {
            match mode {
                ReasoningMode::Off => out.text("type", "disabled"),
                ReasoningMode::Adaptive => out.text("type", "adaptive"),
                ReasoningMode::Budget(tokens) => {
                    out.text("type", "enabled");
                    out.number("budget_tokens", tokens);
                }
            }
            out.maybe_text("display", said.display.as_deref());
        });
        let effort = said.effort.map(Effort::name);
        return out.maybe_text("reasoning_effort", effort);
    }
    let wanted = match (said.effort, said.mode) {
        (_, Some(ReasoningMode::Off)) => Some(Effort::None),
        (Some(effort), _) => Some(effort),
        (None, Some(ReasoningMode::Budget(0..1024))) => Some(Effort::Minimal),
        (None, Some(ReasoningMode::Budget(tokens))) => Some(effort_of(tokens).min(Effort::High)),
        (None, Some(ReasoningMode::Adaptive)) => Some(Effort::Medium),
        (None, None) => None,
    };
    match (wanted, target.highest_effort) {
        (Some(wanted), Some(highest)) => {
            let effort = wanted.min(highest).max(target.lowest_effort);
            if wanted != effort {
                notes.add("reasoning_effort", Why::Approximated);
            }
            out.text("reasoning_effort", effort.name());
        }
        // A model that does not reason has nothing to switch off.
        (Some(Effort::None) | None, None) => {}
        (Some(_), None) => {
            let field = match said.mode {
                Some(_) => "thinking",
                None => "reasoning_effort",
            };
            notes.add(field, Why::Unsupported);
        }
        (None, Some(_)) => {}
    }
}

fn format(out: &mut Object<'_>, format: Option<&OutputFormat>) {
    let Some(format) = format else { return };
    out.object("response_format", |out| match format {
        OutputFormat::Text => out.text("type", "text"),
        OutputFormat::Json => out.text("type", "json_object"),
        OutputFormat::Schema {
            name,
            description,
            schema,
            strict,
        } => {
            out.text("type", "json_schema");
            out.object("json_schema", |out| {
                out.text("name", name.as_deref().unwrap_or("structured_output"));
                out.maybe_text("description", description.as_deref());
                out.raw("schema", schema.as_bytes());
                // Who named no strictness wants the schema kept; OpenAI keeps strictly only schemas that are closed.
                let closed = || encode_tools::is_closed(schema.as_bytes());
                match strict {
                    Some(strict) => out.truth("strict", *strict),
                    None if name.is_none() && closed() => out.truth("strict", true),
                    None => {}
                }
            });
        }
    });
}
