//! Fixed vectors, round trips, and streams in any order.

mod repairs;
mod requests;
mod round_trips;
mod streams;

use super::{Target, ThinkingSupport};
use crate::protocol::neutral::Effort;

/// A model that knows everything.
pub fn claude() -> Target<'static> {
    Target {
        model: "claude",
        default_max_tokens: 64_000,
        thinking: ThinkingSupport::Budget,
        native_format: true,
        takes_sampling: true,
        takes_forced_tools: true,
        always_thinks: false,
        takes_effort: true,
        highest_effort: Effort::Max,
        takes_mid_system: false,
        mends: false,
    }
}

pub fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).expect("JSON")
}
