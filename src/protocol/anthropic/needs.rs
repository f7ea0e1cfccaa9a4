//! What of a request Anthropic cannot be asked for, and which betas the rest needs.

use memchr::memmem;

use crate::protocol::neutral::{
    Content, Dialect, Extension, Notes, Refused, Request, Sampling, Source, Why,
};

/// Fields of Anthropic's that clients of other protocols send as they are.
pub const PASSED: [&str; 9] = [
    "cache_control",
    "compaction",
    "container",
    "context_management",
    "inference_geo",
    "mcp_servers",
    "output_config",
    "safeguards",
    "speed",
];

pub fn refused(field: impl Into<String>, why: &'static str) -> Refused {
    Refused {
        field: field.into(),
        why,
    }
}

/// Refuses what would be something else without it.
pub fn refuse_what_cannot_be(request: &Request) -> Result<(), Refused> {
    if request.n.is_some_and(|n| n > 1) {
        return Err(refused(
            "n",
            "Anthropic's models give one answer a request; ask for n = 1 or send several requests",
        ));
    }
    if request.modalities.iter().any(|kind| kind == "audio") {
        return Err(refused(
            "modalities",
            "Anthropic's models answer in text; \"audio\" is not available",
        ));
    }
    Ok(())
}

/// Notes the fields that are left out.
pub fn note_what_is_left(request: &Request, notes: &mut Notes) {
    let Sampling {
        presence_penalty,
        frequency_penalty,
        seed,
        logit_bias,
        logprobs,
        top_logprobs,
        ..
    } = &request.sampling;
    let unsupported = Why::Unsupported;
    notes.add_some(presence_penalty, "presence_penalty", unsupported);
    notes.add_some(frequency_penalty, "frequency_penalty", unsupported);
    notes.add_some(seed, "seed", unsupported);
    notes.add_some(logit_bias, "logit_bias", unsupported);
    notes.add_some(&logprobs.filter(|wanted| *wanted), "logprobs", unsupported);
    notes.add_some(top_logprobs, "top_logprobs", unsupported);
    notes.add_some(&request.verbosity, "verbosity", unsupported);
    notes.add_some(&request.audio, "audio", unsupported);
    if request.modalities.iter().any(|kind| kind != "text") {
        notes.add("modalities", unsupported);
    }
    if request
        .metadata
        .foreign(Dialect::Anthropic)
        .next()
        .is_some()
    {
        notes.add("metadata", unsupported);
    }
    for extension in request.extensions.foreign(Dialect::Anthropic) {
        if !PASSED.contains(&extension.name.as_str()) {
            notes.add(&extension.name, unsupported);
        }
    }
}

/// Betas that what a request holds needs; its tools name their own.
pub fn betas(request: &Request) -> Vec<&'static str> {
    let mut betas = Vec::new();
    let blocks = request.messages.iter().flat_map(|message| &message.content);
    let of_files = |content: &Content| match content {
        Content::Image { source, .. } | Content::Document { source, .. } => {
            matches!(source, Source::File(_))
        }
        _ => false,
    };
    if blocks.clone().any(|block| of_files(&block.content)) {
        betas.extend(["files-api-2025-04-14", "code-execution-2025-05-22"]);
    }
    for Extension { name, value, .. } in &request.extensions.0 {
        betas.extend(beta_of_field(name, value.as_bytes()));
    }
    betas
}

/// The beta that a field of a request needs.
pub fn beta_of_field(name: &str, value: &[u8]) -> Option<&'static str> {
    let holds = |text: &str| memmem::find(value, text.as_bytes()).is_some();
    match name {
        "mcp_servers" => Some("mcp-client-2025-04-04"),
        "context_management" if holds("compact_20260112") => Some("compact-2026-01-12"),
        "context_management" => Some("context-management-2025-06-27"),
        "compaction" => Some("compact-2026-09-04"),
        "speed" => (value == b"\"fast\"").then_some("fast-mode-2026-02-01"),
        "container" => holds("\"skills\"").then_some("skills-2025-10-02"),
        "output_format" => Some("structured-outputs-2025-11-13"),
        _ => None,
    }
}
