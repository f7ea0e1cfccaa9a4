//! OpenAI's Responses API, both directions: `POST /v1/responses`. Source: OpenAI's API reference.
//!
//! A client's side is `decode_request`, `encode_answer` and `stream::Encoder`; an upstream's side is `encode_request`,
//! `decode_answer` and `stream::Decoder`. Where both sides speak it, [`REQUEST`], `pass_answer` and `stream::Editor` let the
//! bytes pass. Pure: bytes in, neutral types or bytes out.
//!
//! Never makes up a reasoning item's `encrypted_content`, and tells none to a provider that did not make it.

mod annotations;
mod asked;
mod decode_answer;
mod decode_content;
mod decode_items;
mod decode_request;
mod decode_tools;
mod encode_answer;
mod encode_content;
mod encode_items;
mod encode_request;
mod encode_tools;
mod errors;
mod local_tools;
mod names;
mod pass;
mod path;
mod proofs;
mod request;
pub mod stream;
mod target;
mod usage;

#[cfg(test)]
mod tests;

pub use crate::protocol::openai_chat::encode_error;
pub use asked::Asked;
pub use decode_answer::decode_answer;
pub use decode_request::decode_request;
pub use encode_answer::encode_answer;
pub use encode_request::{Target, encode_request};
pub use errors::decode_error;
pub use pass::pass_answer;
pub use proofs::{Maker, maker};
pub use request::{COMPACTION, REQUEST};
