//! A neutral request as the Responses API takes it.
//!
//! The client keeps the conversation: nothing is stored (`store: false`), and thoughts travel as `encrypted_content`.

use super::encode_items;
use super::encode_tools;
use crate::protocol::anthropic::effort_of;
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::{
    Dialect, Effort, Encoded, NameRule, Notes, OutputFormat, Reasoning, ReasoningMode, Refused,
    Request, Reversal, Sampling, ToolNames, Why,
};

const NAMES: NameRule = NameRule { longest: 64 };

/// Fewest tokens of output that OpenAI takes; LiteLLM 1.106.2 raises what is below.
const LEAST_OUTPUT: u64 = 16;

/// Longest `user` that OpenAI takes.
const LONGEST_USER: usize = 64;

/// The model that a request goes to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub model: &'a str,
    /// The highest `reasoning.effort` it takes; none for a model that does not reason.
    pub highest_effort: Option<Effort>,
    /// Takes `temperature` and `top_p`: OpenAI's reasoning models do not.
    pub takes_sampling: bool,
    /// Takes the tool `web_search`.
    pub searches_web: bool,
    /// The id of the deployment: what another has encrypted it cannot read.
    pub deployment: &'a str,
}

/// The body of `POST /v1/responses`.
pub fn encode_request(request: &Request, target: &Target<'_>) -> Result<Encoded, Refused> {
    let mut notes = Notes::default();
    refuse_what_cannot_be(request)?;
    note_what_is_left(request, &mut notes);
    let names = ToolNames::fit(request.tool_names(), NAMES);
    let mut body = Vec::with_capacity(request.room());
    json_write::object(&mut body, |out| {
        out.text("model", target.model);
        encode_items::write(request, target, &names, &mut notes, out)?;
        let tools = encode_tools::write(request, target, &names, &mut notes)?;
        if let Some(tools) = &tools {
            out.raw("tools", tools);
            encode_tools::choice(out, request, &names, &mut notes);
            if let Some(parallel) = request.parallel_tool_calls {
                out.truth("parallel_tool_calls", parallel);
            }
        }
        settings(out, request, target, &mut notes);
        text(out, request);
        if let Some(said) = &request.reasoning {
            reasoning(out, said, target, &mut notes);
        }
        out.truth("store", false);
        include(out, request, target);
        out.extensions(&request.extensions, Dialect::Responses);
        Ok(())
    })?;
    for extension in request.extensions.foreign(Dialect::Responses) {
        notes.add(&extension.name, Why::Unsupported);
    }
    Ok(Encoded {
        body,
        messages: None,
        reversal: Reversal {
            names,
            maker: Some(target.deployment.to_owned()),
            ..Reversal::default()
        },
        betas: Vec::new(),
        not_carried: notes.into_list(),
    })
}

/// Refuses what would be something else without it.
fn refuse_what_cannot_be(request: &Request) -> Result<(), Refused> {
    let refused = |field: &str, why| {
        Err(Refused {
            field: field.to_owned(),
            why,
        })
    };
    if request.n.is_some_and(|n| n > 1) {
        return refused(
            "n",
            "this model gives one answer a request; ask for n = 1 or send several requests",
        );
    }
    if request.modalities.iter().any(|kind| kind == "audio") {
        return refused(
            "modalities",
            "this model answers in text; \"audio\" is not available",
        );
    }
    Ok(())
}

fn note_what_is_left(request: &Request, notes: &mut Notes) {
    let Sampling {
        top_k,
        presence_penalty,
        frequency_penalty,
        seed,
        logit_bias,
        ..
    } = &request.sampling;
    let unsupported = Why::Unsupported;
    notes.add_some(top_k, "top_k", unsupported);
    notes.add_some(presence_penalty, "presence_penalty", unsupported);
    notes.add_some(frequency_penalty, "frequency_penalty", unsupported);
    notes.add_some(seed, "seed", unsupported);
    notes.add_some(logit_bias, "logit_bias", unsupported);
    notes.add_some(&request.audio, "audio", unsupported);
    if !request.stop.is_empty() {
        notes.add("stop", unsupported);
    }
    if request.modalities.iter().any(|kind| kind != "text") {
        notes.add("modalities", unsupported);
    }
}

fn settings(out: &mut Object<'_>, request: &Request, target: &Target<'_>, notes: &mut Notes) {
    if let Some(most) = request.max_output_tokens {
        if most < LEAST_OUTPUT {
            notes.add("max_tokens", Why::Approximated);
        }
        out.number("max_output_tokens", most.max(LEAST_OUTPUT));
    }
    let sampling = &request.sampling;
    for (name, value) in [
        ("temperature", &sampling.temperature),
        ("top_p", &sampling.top_p),
    ] {
        match value {
            Some(value) if target.takes_sampling => out.raw(name, value.as_bytes()),
            value => notes.add_some(value, name, Why::Unsupported),
        }
    }
    if let Some(most) = sampling.top_logprobs {
        out.number("top_logprobs", most);
    }
    user(out, request, notes);
    // Both of OpenAI's protocols have texts by name.
    let own = |dialect: Dialect| matches!(dialect, Dialect::Chat | Dialect::Responses);
    let mut metadata = request.metadata.0.iter().filter(|field| own(field.dialect));
    if let Some(first) = metadata.next() {
        out.object("metadata", |out| {
            for field in std::iter::once(first).chain(metadata) {
                out.raw(&field.name, field.value.as_bytes());
            }
        });
    }
    if request.metadata.of(Dialect::Anthropic).next().is_some() {
        notes.add("metadata", Why::Hint);
    }
    match request.service_tier.as_deref() {
        Some("standard_only") => out.text("service_tier", "default"),
        tier => out.maybe_text("service_tier", tier),
    }
    if request.stream {
        out.truth("stream", true);
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

/// What the answer shall hold beside what it holds anyway.
fn include(out: &mut Object<'_>, request: &Request, target: &Target<'_>) {
    let thoughts = target.highest_effort.is_some();
    let sampling = &request.sampling;
    let probabilities = sampling.logprobs == Some(true) || sampling.top_logprobs.is_some();
    let wanted = [
        thoughts.then_some("reasoning.encrypted_content"),
        probabilities.then_some("message.output_text.logprobs"),
    ];
    if wanted.iter().any(Option::is_some) {
        out.texts("include", wanted.into_iter().flatten());
    }
}

/// Thoughts are summed up for clients who asked for thinking itself, not for those who named an effort alone: of some
/// organisations OpenAI refuses summaries.
fn reasoning(out: &mut Object<'_>, said: &Reasoning, target: &Target<'_>, notes: &mut Notes) {
    let wanted = match (said.effort, said.mode) {
        (_, Some(ReasoningMode::Off)) => Some(Effort::None),
        (Some(effort), _) => Some(effort),
        (None, Some(ReasoningMode::Budget(0..1024))) => Some(Effort::Minimal),
        (None, Some(ReasoningMode::Budget(tokens))) => Some(effort_of(tokens).min(Effort::High)),
        (None, Some(ReasoningMode::Adaptive)) => Some(Effort::Medium),
        (None, None) => None,
    };
    let (wanted, highest) = match (wanted, target.highest_effort) {
        (Some(wanted), Some(highest)) => (wanted, highest),
        // A model that does not reason has nothing to switch off.
        (Some(Effort::None) | None, _) => return,
        (Some(_), None) => {
            let field = match said.mode {
                Some(_) => "thinking",
                None => "reasoning_effort",
            };
            return notes.add(field, Why::Unsupported);
        }
    };
    if wanted > highest {
        notes.add("reasoning_effort", Why::Approximated);
    }
    let shows = match said.mode {
        Some(ReasoningMode::Budget(_) | ReasoningMode::Adaptive) => {
            said.display.as_deref() != Some("omitted")
        }
        _ => said.display.as_deref() == Some("summarized"),
    };
    out.object("reasoning", |out| {
        out.text("effort", wanted.min(highest).name());
        if shows {
            out.text("summary", "auto");
        }
    });
}

fn text(out: &mut Object<'_>, request: &Request) {
    if request.format.is_none() && request.verbosity.is_none() {
        return;
    }
    out.object("text", |out| {
        if let Some(format) = &request.format {
            out.object("format", |out| write_format(out, format));
        }
        out.maybe_text("verbosity", request.verbosity.as_deref());
    });
}

fn write_format(out: &mut Object<'_>, format: &OutputFormat) {
    match format {
        OutputFormat::Text => out.text("type", "text"),
        OutputFormat::Json => out.text("type", "json_object"),
        OutputFormat::Schema {
            name,
            description,
            schema,
            strict,
        } => {
            out.text("type", "json_schema");
            out.text("name", name.as_deref().unwrap_or("structured_output"));
            out.maybe_text("description", description.as_deref());
            out.raw("schema", schema.as_bytes());
            // Who named neither wants the schema kept; OpenAI keeps strictly only schemas that are closed.
            let closed = || crate::protocol::openai_chat::is_closed(schema.as_bytes());
            match strict {
                Some(strict) => out.truth("strict", *strict),
                None if name.is_none() && closed() => out.truth("strict", true),
                None => {}
            }
        }
    }
}
