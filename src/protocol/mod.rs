//! Wire formats, one folder each: types, decoding, encoding, streams.
//!
//! Pure: bytes in, facts or bytes out. Nothing here knows a socket, a clock, the configuration or a caller.
//! Where client and upstream speak the same format, a request is passed through by span edits: one scan finds the few
//! fields that change, all other bytes go out as they came. `openai` has what OpenAI's operations share, the files beside
//! it what each has of its own, `pass` what all streams that pass share. Where they speak different formats, `neutral` is
//! what one is decoded to and the other encoded from.

pub mod anthropic;
pub mod continuity;
pub mod conversation_text;
pub mod conversations;
pub mod crossing;
pub mod demands;
pub mod filtered;
pub mod json;
pub mod json_edit;
pub mod json_fields;
pub mod json_text;
pub mod json_write;
pub mod kinship;
pub mod mock;
pub mod neutral;
pub mod openai;
pub mod openai_chat;
pub mod openai_completions;
pub mod openai_embeddings;
pub mod openai_responses;
pub mod pass;
pub mod plan_mode;
pub mod resumption;
pub mod sse;
pub mod sse_events;
pub mod stream_end;
pub mod user_text;

use self::openai::shape::Shape;
use crate::types::Operation;

/// The fields of an operation's requests.
pub fn shape(operation: Operation) -> &'static Shape {
    match operation {
        Operation::Chat => &openai_chat::REQUEST,
        Operation::Completion => &openai_completions::REQUEST,
        Operation::Embedding => &openai_embeddings::REQUEST,
        Operation::Messages => &anthropic::REQUEST,
        Operation::Responses => &openai_responses::REQUEST,
        Operation::Compaction => &openai_responses::COMPACTION,
    }
}
