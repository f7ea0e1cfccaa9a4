//! One row of the catalogue.

use super::{Prices, flags};

/// What the catalogue knows about one model. Texts borrow the embedded data.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelEntry {
    /// The key as LiteLLM spells it: a model, often with provider, region, quality or size in front.
    pub key: &'static str,
    /// LiteLLM's `litellm_provider`, which may name a part of a provider (`vertex_ai-language-models`).
    pub provider: &'static str,
    /// `chat`, `embedding`, `image_generation` …; a few rows have none.
    pub mode: Option<&'static str>,
    /// Tokens.
    pub max_input_tokens: Option<u64>,
    /// Tokens.
    pub max_output_tokens: Option<u64>,
    /// Tokens; for most models the same as `max_output_tokens`, for old ones the whole window.
    pub max_tokens: Option<u64>,
    pub prices: Prices,
    /// Day on which the provider switches the model off, `YYYY-MM-DD`.
    pub deprecation_date: Option<&'static str>,
    pub(super) flags: &'static str,
    pub(super) endpoints: &'static str,
    pub(super) input_modalities: &'static str,
    pub(super) output_modalities: &'static str,
    pub(super) extra: &'static str,
}

impl ModelEntry {
    /// Reads a line; columns that are missing are empty.
    pub(super) fn parse(line: &'static str) -> Self {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        Self {
            key: next(),
            provider: next(),
            mode: stated(next()),
            max_input_tokens: next().parse().ok(),
            max_output_tokens: next().parse().ok(),
            max_tokens: next().parse().ok(),
            prices: Prices::of_row(next()),
            flags: next(),
            endpoints: next(),
            input_modalities: next(),
            output_modalities: next(),
            deprecation_date: stated(next()),
            extra: next(),
        }
    }

    /// A boolean field of LiteLLM's (`supports_vision`, `thinking_always_on` …); `None` when nothing is known.
    pub fn flag(&self, field: &str) -> Option<bool> {
        flags::get(self.flags, field)
    }

    /// All boolean fields that are known.
    pub fn flags(&self) -> impl Iterator<Item = (String, bool)> + use<> {
        flags::all(self.flags)
    }

    /// Paths of the provider's API that serve the model (`/v1/chat/completions`); empty when not known.
    pub fn endpoints(&self) -> impl Iterator<Item = &'static str> + use<> {
        list(self.endpoints)
    }

    /// `text`, `image`, `audio`, `video` …; empty when not known.
    pub fn input_modalities(&self) -> impl Iterator<Item = &'static str> + use<> {
        list(self.input_modalities)
    }

    /// As [`Self::input_modalities`].
    pub fn output_modalities(&self) -> impl Iterator<Item = &'static str> + use<> {
        list(self.output_modalities)
    }

    /// The remaining fields as the text of a JSON object under LiteLLM's names: `rpm`, `tpm`, `output_vector_size`,
    /// `prompt_cache_min_tokens`, `off_peak_pricing`, `reasoning_effort_levels` ….
    pub fn extra(&self) -> Option<&'static str> {
        stated(self.extra)
    }
}

fn stated(text: &'static str) -> Option<&'static str> {
    (!text.is_empty()).then_some(text)
}

fn list(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(',').filter(|item| !item.is_empty())
}
