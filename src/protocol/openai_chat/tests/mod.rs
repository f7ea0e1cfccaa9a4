//! Fixed vectors, round trips, streams in any order, and answers that cross to Anthropic and back.

mod crossing;
mod requests;
mod round_trips;
mod streams;

use super::Target;
use crate::protocol::neutral::Effort;

/// A host that passes everything on to Claude.
pub fn generous() -> Target<'static> {
    Target {
        model: "m",
        highest_effort: Some(Effort::Max),
        lowest_effort: Effort::None,
        is_claude: true,
        takes_reasoning_content: true,
        takes_cache_control: true,
        takes_files: true,
        takes_tool_images: true,
        takes_top_k: true,
        searches_web: true,
        takes_custom_tools: true,
    }
}

pub fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).expect("JSON")
}
