//! OpenAI's format, as far as its operations share it: requests, answers and streams of one JSON object with a `model`.
//!
//! A [`shape::Shape`] names the fields that only one operation has.
//!
//! `request` and `answer` find the few fields the gateway needs in the bytes and edit them in place; `stream` does the same
//! for server-sent events as they pass; `usage` reads token counts. Source: OpenAI's API reference.

pub mod answer;
mod messages;
pub mod reasoning;
pub mod request;
pub mod shape;
pub mod stream;
pub mod texts;
pub mod usage;
