//! OpenAI Chat Completions: `POST /v1/chat/completions`, its answers and its stream.
//!
//! `request` and `answer` find the few fields the gateway needs in the bytes and edit them in place; `stream` does the same
//! for server-sent events as they pass; `usage` reads token counts. Source: OpenAI's API reference (chat, streaming).

pub mod answer;
pub mod request;
pub mod stream;
pub mod usage;
