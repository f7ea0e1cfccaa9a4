//! The `usage` object of Chat Completions: totals, and what is in them.

use crate::protocol::json_fields::{Fields, Path};
use crate::protocol::json_write::Object;
use crate::protocol::neutral::{Dialect, Extension, Extensions, Raw, UsageReport};
use crate::protocol::openai::usage::parse_usage;

/// Beside the counts, what hosts say that comes from Anthropic.
const FROM_ANTHROPIC: [&str; 5] = [
    "inference_geo",
    "iterations",
    "server_tool_use",
    "service_tier",
    "speed",
];

/// Reads a `usage` object; `None` for what is none.
pub fn read(usage: &[u8]) -> Option<UsageReport> {
    let counts = parse_usage(usage).ok()?;
    let fields = Fields::read(usage, &Path::Body).ok()?;
    let all = fields.rest(Dialect::Anthropic, &Path::Body).ok()?;
    let extras = all.0.into_iter();
    Some(UsageReport {
        counts,
        extras: Extensions(
            extras
                .filter(|extra| FROM_ANTHROPIC.contains(&extra.name.as_str()))
                .collect(),
        ),
    })
}

/// Writes it as a field.
pub fn write(out: &mut Object<'_>, report: &UsageReport) {
    out.object("usage", |out| fields(out, report));
}

fn fields(out: &mut Object<'_>, report: &UsageReport) {
    let usage = &report.counts.usage;
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    let some = |out: &mut Object<'_>, name: &str, count: u64| {
        if count > 0 {
            out.number(name, count);
        }
    };
    out.number("prompt_tokens", usage.prompt_tokens());
    out.number("completion_tokens", usage.completion_tokens());
    out.number("total_tokens", usage.total_tokens());
    out.object("prompt_tokens_details", |out| {
        out.number("cached_tokens", usage.cache_read);
        some(out, "audio_tokens", usage.input_audio);
        some(out, "image_tokens", usage.input_image);
        some(out, "video_tokens", usage.input_video);
        if written > 0 {
            out.number("cache_creation_tokens", written);
            out.object("cache_creation_token_details", |out| {
                out.number("ephemeral_5m_input_tokens", usage.cache_write_5m);
                out.number("ephemeral_1h_input_tokens", usage.cache_write_1h);
            });
        }
        some(out, "web_search_requests", report.counts.web_searches);
    });
    out.object("completion_tokens_details", |out| {
        out.number("reasoning_tokens", usage.reasoning);
        some(out, "audio_tokens", usage.output_audio);
        some(out, "image_tokens", usage.output_image);
        some(out, "video_tokens", usage.output_video);
    });
    out.number("cache_creation_input_tokens", written);
    out.number("cache_read_input_tokens", usage.cache_read);
    for Extension { name, value, .. } in &report.extras.0 {
        out.raw(name, Raw::as_bytes(value));
    }
}
