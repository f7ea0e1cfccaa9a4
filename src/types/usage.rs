//! Token usage in disjoint buckets.

use serde::{Deserialize, Serialize};

/// Tokens of one call. No token is in two buckets, and the buckets add up to the provider's totals
/// (`prompt_tokens`, `completion_tokens`), whatever that provider calls them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input text that no cache served.
    pub input: u64,
    pub cache_read: u64,
    /// Written to a cache that lasts five minutes.
    pub cache_write_5m: u64,
    /// Written to a cache that lasts an hour.
    pub cache_write_1h: u64,
    pub input_audio: u64,
    pub input_image: u64,
    pub input_video: u64,
    /// Output text, reasoning excluded.
    pub output: u64,
    pub reasoning: u64,
    pub output_audio: u64,
    pub output_image: u64,
    pub output_video: u64,
}

impl Usage {
    /// All input tokens, cached ones included (OpenAI's `prompt_tokens`).
    pub fn prompt_tokens(&self) -> u64 {
        [
            self.input,
            self.cache_read,
            self.cache_write_5m,
            self.cache_write_1h,
            self.input_audio,
            self.input_image,
            self.input_video,
        ]
        .iter()
        .fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// All output tokens, reasoning included (OpenAI's `completion_tokens`).
    pub fn completion_tokens(&self) -> u64 {
        [
            self.output,
            self.reasoning,
            self.output_audio,
            self.output_image,
            self.output_video,
        ]
        .iter()
        .fold(0, |sum, n| sum.saturating_add(*n))
    }

    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens()
            .saturating_add(self.completion_tokens())
    }
}
