//! The `usage` object of the Responses API: totals, and what is in them.

use crate::protocol::json_write::Object;
use crate::protocol::neutral::{Extensions, UsageReport};
use crate::protocol::openai::usage::parse_usage;

/// Reads a `usage` object; `None` for what is none.
pub fn read(usage: &[u8]) -> Option<UsageReport> {
    let counts = parse_usage(usage).ok()?;
    Some(UsageReport {
        counts,
        extras: Extensions::default(),
    })
}

/// Writes it as a field. `cache_write_tokens` is OpenAI's; how long what was written lasts is told in LiteLLM's spelling.
pub fn write(out: &mut Object<'_>, report: &UsageReport) {
    let usage = &report.counts.usage;
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    let some = |out: &mut Object<'_>, name: &str, count: u64| {
        if count > 0 {
            out.number(name, count);
        }
    };
    out.object("usage", |out| {
        out.number("input_tokens", usage.prompt_tokens());
        out.object("input_tokens_details", |out| {
            out.number("cached_tokens", usage.cache_read);
            out.number("cache_write_tokens", written);
            if written > 0 {
                out.object("cache_creation_token_details", |out| {
                    out.number("ephemeral_5m_input_tokens", usage.cache_write_5m);
                    out.number("ephemeral_1h_input_tokens", usage.cache_write_1h);
                });
            }
            some(out, "audio_tokens", usage.input_audio);
            some(out, "image_tokens", usage.input_image);
            some(out, "video_tokens", usage.input_video);
        });
        out.number("output_tokens", usage.completion_tokens());
        out.object("output_tokens_details", |out| {
            out.number("reasoning_tokens", usage.reasoning);
            some(out, "audio_tokens", usage.output_audio);
            some(out, "image_tokens", usage.output_image);
            some(out, "video_tokens", usage.output_video);
        });
        out.number("total_tokens", usage.total_tokens());
    });
}
