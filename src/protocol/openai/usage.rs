//! The `usage` object of an OpenAI-compatible answer.
//!
//! `prompt_tokens` and `completion_tokens` are the totals; what the details say is taken out of them, so that the buckets
//! always add up, however odd the details are. Hosts spell and nest the details differently; all spellings are read.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

use crate::types::{NanoUsd, Usage};

/// What an answer says about its own consumption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParsedUsage {
    pub usage: Usage,
    /// What the provider says the call cost: OpenRouter's `cost` (dollars), xAI's `cost_in_usd_ticks` (10⁻¹⁰ dollars).
    pub stated_cost: Option<NanoUsd>,
    /// Searches the provider ran and bills for.
    pub web_searches: u64,
    /// Anthropic's `inference_geo` is `us`.
    pub inference_in_us: bool,
    /// Anthropic's `speed` is `fast`.
    pub fast: bool,
    /// The input is known, of the output not all: Anthropic's streams tell one at the beginning, the other at the end.
    pub output_is_open: bool,
}

/// The `usage` of an answer tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error("the upstream's `usage` is not an object of token counts: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the upstream's `usage` has no count of tokens and no cost")]
    Uncounted,
}

/// Reads a `usage` object. Counts may be floats, null or missing; a count that is no number, or negative, is zero.
///
/// Cached tokens, cache writes and media are parts of `prompt_tokens`; reasoning and media are parts of
/// `completion_tokens`. Parts that exceed their total are cut in that order. xAI leaves reasoning out of
/// `completion_tokens`: where `total_tokens` is exactly prompt + completion + reasoning, reasoning is added to it.
///
/// An object with neither a total of tokens nor a cost is no usage: a call is not free because nobody counted.
pub fn parse_usage(json: &[u8]) -> Result<ParsedUsage, UsageError> {
    let wire: Wire<'_> = serde_json::from_slice(json)?;
    let prompt = prompt_buckets(&wire);
    let completion = completion_buckets(&wire);
    let stated_cost = wire.cost.and_then(|cost| NanoUsd::parse(cost.get()).ok());
    let in_ticks = wire.cost_in_usd_ticks.0.map(ticks);
    let stated_cost = stated_cost.or(in_ticks);
    if stated_cost.is_none() && !wire.has_a_total() {
        return Err(UsageError::Uncounted);
    }
    let searches = [
        wire.prompt_tokens_details.0.web_search_requests,
        wire.server_tool_use.0.web_search_requests,
        wire.num_search_queries,
    ];
    let is = |text: Option<&RawValue>, word: &str| text.is_some_and(|text| text.get() == word);
    Ok(ParsedUsage {
        usage: Usage {
            output: completion.output,
            reasoning: completion.reasoning,
            output_audio: completion.output_audio,
            output_image: completion.output_image,
            output_video: completion.output_video,
            ..prompt
        },
        stated_cost,
        web_searches: most(&searches),
        inference_in_us: is(wire.inference_geo, "\"us\""),
        fast: is(wire.speed, "\"fast\""),
        output_is_open: false,
    })
}

/// Ticks of 10⁻¹⁰ dollars, half a nano-dollar rounded up.
fn ticks(ticks: u64) -> NanoUsd {
    NanoUsd(i64::try_from(ticks / 10 + u64::from(ticks % 10 >= 5)).unwrap_or(i64::MAX))
}

fn prompt_buckets(wire: &Wire<'_>) -> Usage {
    let details = wire.input_details();
    let lifetimes = [
        &details.cache_creation_token_details.0,
        &wire.cache_creation.0,
    ];
    let written_1h = most(&lifetimes.map(|lifetime| lifetime.ephemeral_1h_input_tokens));
    let written_5m = most(&lifetimes.map(|lifetime| lifetime.ephemeral_5m_input_tokens));
    let written = most(&[
        details.cache_write_tokens,
        details.cache_creation_tokens,
        wire.cache_creation_input_tokens,
    ])
    .max(written_1h.saturating_add(written_5m));
    let cached = most(&[
        details.cached_tokens,
        wire.prompt_cache_hit_tokens,
        wire.cached_tokens,
        wire.cache_read_input_tokens,
    ]);
    let mut rest = Rest(wire.prompt_total());
    Usage {
        cache_read: rest.take(cached),
        cache_write_1h: rest.take(written_1h),
        cache_write_5m: rest.take(written.saturating_sub(written_1h)),
        input_audio: rest.take(details.audio_tokens.get()),
        input_image: rest.take(details.image_tokens.get()),
        input_video: rest.take(details.video_tokens.get()),
        input: rest.0,
        ..Usage::default()
    }
}

fn completion_buckets(wire: &Wire<'_>) -> Usage {
    let details = wire.output_details();
    let reasoning = most(&[details.reasoning_tokens, wire.reasoning_tokens]);
    let mut rest = Rest(wire.completion_total(reasoning));
    Usage {
        reasoning: rest.take(reasoning),
        output_audio: rest.take(details.audio_tokens.get()),
        output_image: rest.take(details.image_tokens.get()),
        output_video: rest.take(details.video_tokens.get()),
        output: rest.0,
        ..Usage::default()
    }
}

/// What is left of a total.
struct Rest(u64);

impl Rest {
    fn take(&mut self, wanted: u64) -> u64 {
        let taken = wanted.min(self.0);
        self.0 -= taken;
        taken
    }
}

/// The largest: the spellings of one count agree, or all but one are zero or missing.
fn most(counts: &[Count]) -> u64 {
    counts.iter().map(|count| count.get()).max().unwrap_or(0)
}

// === the wire ===

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire<'a> {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    /// The spelling of the Images and Responses APIs.
    input_tokens: Count,
    output_tokens: Count,
    prompt_tokens_details: Lenient<Details>,
    input_tokens_details: Lenient<Details>,
    completion_tokens_details: Lenient<Details>,
    output_tokens_details: Lenient<Details>,
    /// Anthropic's, which LiteLLM adds to OpenAI's shape.
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_creation: Lenient<Lifetimes>,
    /// DeepSeek; the misses are what remains.
    prompt_cache_hit_tokens: Count,
    /// Moonshot and Cohere; a part of the prompt.
    cached_tokens: Count,
    /// Some hosts put it beside the totals.
    reasoning_tokens: Count,
    server_tool_use: Lenient<ServerTools>,
    /// Perplexity.
    num_search_queries: Count,
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
    cost_in_usd_ticks: Count,
    #[serde(borrow)]
    inference_geo: Option<&'a RawValue>,
    #[serde(borrow)]
    speed: Option<&'a RawValue>,
}

impl Wire<'_> {
    fn has_a_total(&self) -> bool {
        let input = self.prompt_tokens.0.or(self.input_tokens.0);
        let total = input.or(self.total_tokens.0);
        total.or(self.completion_stated()).is_some()
    }

    fn prompt_total(&self) -> u64 {
        let stated = self.prompt_tokens.0.or(self.input_tokens.0);
        stated.unwrap_or_else(|| {
            self.total_tokens
                .get()
                .saturating_sub(self.completion_stated().unwrap_or(0))
        })
    }

    fn completion_stated(&self) -> Option<u64> {
        self.completion_tokens.0.or(self.output_tokens.0)
    }

    fn completion_total(&self, reasoning: u64) -> u64 {
        let (prompt, total) = (self.prompt_total(), self.total_tokens.get());
        let Some(completion) = self.completion_stated() else {
            return total.saturating_sub(prompt);
        };
        let with_reasoning = completion.saturating_add(reasoning);
        if prompt.checked_add(with_reasoning) == Some(total) {
            with_reasoning
        } else {
            completion
        }
    }

    fn input_details(&self) -> &Details {
        self.prompt_tokens_details
            .0
            .or(&self.input_tokens_details.0)
    }

    fn output_details(&self) -> &Details {
        self.completion_tokens_details
            .0
            .or(&self.output_tokens_details.0)
    }
}

/// Details of either direction.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Count,
    cache_write_tokens: Count,
    cache_creation_tokens: Count,
    cache_creation_token_details: Lenient<Lifetimes>,
    audio_tokens: Count,
    image_tokens: Count,
    video_tokens: Count,
    reasoning_tokens: Count,
    web_search_requests: Count,
}

impl Details {
    fn or<'a>(&'a self, other: &'a Self) -> &'a Self {
        if *self == Self::default() {
            other
        } else {
            self
        }
    }
}

/// Tokens written to a cache, by how long it lasts.
#[derive(Default, PartialEq, Deserialize)]
#[serde(default)]
struct Lifetimes {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServerTools {
    web_search_requests: Count,
}

/// A count; `None` when it is missing or no number.
#[derive(Clone, Copy, Default, PartialEq)]
struct Count(Option<u64>);

impl Count {
    fn get(self) -> u64 {
        self.0.unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a count of tokens")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
        Ok(Count(Some(count)))
    }

    fn visit_i64<E>(self, count: i64) -> Result<Count, E> {
        Ok(Count(Some(u64::try_from(count).unwrap_or(0))))
    }

    fn visit_f64<E>(self, count: f64) -> Result<Count, E> {
        // The cast holds at the ends of the range and makes zero of what is no number.
        Ok(Count(Some(count.round() as u64)))
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Count, E> {
        Ok(Count(text.trim().parse().ok()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Count(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Count(None))
    }
}

/// An inner object; anything else in its place (null, a number, a list) is as if it were missing.
#[derive(Default, PartialEq)]
struct Lenient<T>(T);

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests;
