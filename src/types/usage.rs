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
    /// Both together, bucket by bucket.
    pub fn plus(&self, other: &Self) -> Self {
        let sum = u64::saturating_add;
        Self {
            input: sum(self.input, other.input),
            cache_read: sum(self.cache_read, other.cache_read),
            cache_write_5m: sum(self.cache_write_5m, other.cache_write_5m),
            cache_write_1h: sum(self.cache_write_1h, other.cache_write_1h),
            input_audio: sum(self.input_audio, other.input_audio),
            input_image: sum(self.input_image, other.input_image),
            input_video: sum(self.input_video, other.input_video),
            output: sum(self.output, other.output),
            reasoning: sum(self.reasoning, other.reasoning),
            output_audio: sum(self.output_audio, other.output_audio),
            output_image: sum(self.output_image, other.output_image),
            output_video: sum(self.output_video, other.output_video),
        }
    }

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
