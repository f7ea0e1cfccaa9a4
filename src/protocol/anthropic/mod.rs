//! Anthropic's Messages API, both directions: `POST /v1/messages` and `/v1/messages/count_tokens`.
//!
//! A client's side is `decode_request`, `encode_answer`, `stream::Encoder` and `errors`; an upstream's side is
//! `encode_request`, `decode_answer` and `stream::Decoder`. Pure: bytes in, neutral types or bytes out. Source: Anthropic's API
//! reference, version 2023-06-01; where a rule is the gateway's own the comment says so.
//!
//! Never makes up a thinking signature, an `encrypted_index` or any other proof that only Anthropic can give.

mod answer;
mod blocks;
mod count_tokens;
mod decode_request;
mod encode_request;
mod errors;
mod needs;
mod others_thoughts;
mod pass;
mod repairs;
mod request;
mod schema;
pub mod stream;
mod target;
mod thinking;
mod tools;
mod turns;
mod usage;
mod write_blocks;

pub use answer::{decode_answer, encode_answer};
pub use count_tokens::{
    decode_count_answer, decode_count_request, encode_count_answer, encode_count_request,
    pass_count_request,
};
pub use decode_request::{decode_request, read_thinking};
pub use encode_request::{FORMAT_TOOL, encode_request};
pub use errors::{decode_error, encode_error, error_type};
pub use others_thoughts::{may_hold_others_thoughts, without_others_thoughts};
pub use pass::pass_answer;
pub use request::{COUNT, REQUEST};
pub use target::Target;
pub use thinking::{ThinkingSupport, effort_of};
pub use turns::system_for_others;

#[cfg(test)]
mod tests;

use super::neutral::{Stop, StopReason};

/// A stop reason as Anthropic spells it.
fn reason_name(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndTurn => "end_turn",
        StopReason::MaxTokens => "max_tokens",
        StopReason::StopSequence => "stop_sequence",
        StopReason::ToolUse => "tool_use",
        StopReason::PauseTurn => "pause_turn",
        StopReason::Refusal => "refusal",
        StopReason::ContextWindow => "model_context_window_exceeded",
        StopReason::Compaction => "compaction",
    }
}

/// An unknown reason is the end of a turn: there is an answer, and clients must go on.
fn stop(reason: &str, sequence: Option<String>) -> Stop {
    let reason = match reason {
        "max_tokens" => StopReason::MaxTokens,
        "stop_sequence" => StopReason::StopSequence,
        "tool_use" => StopReason::ToolUse,
        "pause_turn" => StopReason::PauseTurn,
        "refusal" => StopReason::Refusal,
        "model_context_window_exceeded" => StopReason::ContextWindow,
        "compaction" => StopReason::Compaction,
        _ => StopReason::EndTurn,
    };
    Stop { reason, sequence }
}
