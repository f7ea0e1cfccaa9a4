//! Token counts as Anthropic tells them: `input_tokens` are those that no cache had to do with.

use crate::protocol::json_fields::{Fields, Path, items};
use crate::protocol::json_write::Object;
use crate::protocol::neutral::{Dialect, Extension, Extensions, Raw, UsageReport};
use crate::protocol::openai::usage::ParsedUsage;
use crate::types::Usage;

/// Counts as far as they have been said. A count that is no number is as if it were missing: usage never fails an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_written: Option<u64>,
    written_5m: Option<u64>,
    written_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    web_searches: Option<u64>,
    in_us: Option<bool>,
    fast: Option<bool>,
    extras: Extensions,
}

impl Counts {
    pub fn read(usage: &[u8]) -> Self {
        let at = Path::Body;
        let Ok(mut fields) = Fields::read(usage, &at) else {
            return Self::default();
        };
        let mut counts = Self::totals(&mut fields);
        let details = fields.object("output_tokens_details", &at).ok().flatten();
        counts.thinking = details.and_then(|mut details| count(&mut details, "thinking_tokens"));
        let iterations = fields.take("iterations");
        if let Some(iterations) = iterations {
            counts.count_iterations(iterations);
        }
        let mut extras = fields.rest(Dialect::Anthropic, &at).unwrap_or_default();
        if let Some(tools) = extras.get(Dialect::Anthropic, "server_tool_use")
            && let Ok(mut tools) = Fields::read(tools.as_bytes(), &at)
        {
            counts.web_searches = count(&mut tools, "web_search_requests");
        }
        let is = |name: &str, value: &str| {
            let said = extras.get(Dialect::Anthropic, name);
            said.map(|raw| raw.as_str() == value)
        };
        counts.in_us = is("inference_geo", "\"us\"");
        counts.fast = is("speed", "\"fast\"");
        if let Some(iterations) = iterations.and_then(Raw::parse) {
            extras.0.push(Extension {
                dialect: Dialect::Anthropic,
                name: "iterations".to_owned(),
                value: iterations,
            });
        }
        counts.extras = extras;
        counts
    }

    fn totals(fields: &mut Fields<'_>) -> Self {
        let at = Path::Body;
        let lifetimes = fields.object("cache_creation", &at).ok().flatten();
        let mut counts = Self {
            input: count(fields, "input_tokens"),
            cache_read: count(fields, "cache_read_input_tokens"),
            cache_written: count(fields, "cache_creation_input_tokens"),
            output: count(fields, "output_tokens"),
            ..Self::default()
        };
        if let Some(mut lifetimes) = lifetimes {
            counts.written_5m = count(&mut lifetimes, "ephemeral_5m_input_tokens");
            counts.written_1h = count(&mut lifetimes, "ephemeral_1h_input_tokens");
        }
        counts
    }

    /// With compaction the totals tell of the last round only; what was used is the sum of the rounds.
    fn count_iterations(&mut self, iterations: &[u8]) {
        let Ok(items) = items(iterations, &Path::Body) else {
            return;
        };
        let rounds = items.iter().filter_map(|item| {
            let mut fields = Fields::read(item, &Path::Body).ok()?;
            let round = Self::totals(&mut fields);
            (round.input.is_some() || round.output.is_some()).then_some(round)
        });
        let sum = rounds.reduce(|sum, round| Self {
            input: added(sum.input, round.input),
            cache_read: added(sum.cache_read, round.cache_read),
            cache_written: added(sum.cache_written, round.cache_written),
            written_5m: added(sum.written_5m, round.written_5m),
            written_1h: added(sum.written_1h, round.written_1h),
            output: added(sum.output, round.output),
            ..Self::default()
        });
        if let Some(sum) = sum {
            self.replace_with(sum);
        }
    }

    /// What a later event says replaces what was said before: counts of a stream are cumulative.
    pub fn replace_with(&mut self, later: Self) {
        self.input = later.input.or(self.input);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_written = later.cache_written.or(self.cache_written);
        self.written_5m = later.written_5m.or(self.written_5m);
        self.written_1h = later.written_1h.or(self.written_1h);
        self.output = later.output.or(self.output);
        self.thinking = later.thinking.or(self.thinking);
        self.web_searches = later.web_searches.or(self.web_searches);
        self.in_us = later.in_us.or(self.in_us);
        self.fast = later.fast.or(self.fast);
        for extension in later.extras.0 {
            self.extras.take(extension.dialect, &extension.name);
            self.extras.0.push(extension);
        }
    }

    /// `None` while neither input nor output was counted: a call is not free because nobody counted.
    pub fn report(&self) -> Option<UsageReport> {
        self.input.or(self.output)?;
        let n = |count: Option<u64>| count.unwrap_or(0);
        let written_1h = n(self.written_1h);
        let written = n(self.cache_written).max(n(self.written_5m).saturating_add(written_1h));
        let reasoning = n(self.thinking).min(n(self.output));
        Some(UsageReport {
            counts: ParsedUsage {
                usage: Usage {
                    input: n(self.input),
                    cache_read: n(self.cache_read),
                    cache_write_5m: written - written_1h,
                    cache_write_1h: written_1h,
                    output: n(self.output) - reasoning,
                    reasoning,
                    ..Usage::default()
                },
                stated_cost: None,
                web_searches: n(self.web_searches),
                inference_in_us: self.in_us.unwrap_or(false),
                fast: self.fast.unwrap_or(false),
                output_is_open: false,
            },
            extras: self.extras.clone(),
        })
    }
}

fn added(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

fn count(fields: &mut Fields<'_>, name: &str) -> Option<u64> {
    fields.whole(name, &Path::Body).ok().flatten()
}

/// The `usage` object, all of whose counts are there: clients stop when one is missing.
pub fn write(out: &mut Object<'_>, report: &UsageReport) {
    let usage = &report.counts.usage;
    let media = usage
        .input_audio
        .saturating_add(usage.input_image)
        .saturating_add(usage.input_video);
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    out.object("usage", |out| {
        out.number("input_tokens", usage.input.saturating_add(media));
        out.number("cache_creation_input_tokens", written);
        out.number("cache_read_input_tokens", usage.cache_read);
        if written > 0 {
            out.object("cache_creation", |out| {
                out.number("ephemeral_5m_input_tokens", usage.cache_write_5m);
                out.number("ephemeral_1h_input_tokens", usage.cache_write_1h);
            });
        }
        out.number("output_tokens", usage.completion_tokens());
        if usage.reasoning > 0 {
            out.object("output_tokens_details", |out| {
                out.number("thinking_tokens", usage.reasoning);
            });
        }
        let searches = report.counts.web_searches;
        let extras = &report.extras;
        if searches > 0 && extras.get(Dialect::Anthropic, "server_tool_use").is_none() {
            out.object("server_tool_use", |out| {
                out.number("web_search_requests", searches);
            });
        }
        out.extensions(extras, Dialect::Anthropic);
    });
}
