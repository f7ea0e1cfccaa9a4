//! Anthropic's Messages: what it refuses, in its own words, and what it answers, whole and as a stream.
//!
//! Written from its API reference, not from the gateway's translator. `check` is as strict as the provider is; what it lets
//! pass is answered from the [`Behaviour`](super::Behaviour) that also answers chats and responses.

mod answer;
mod check;
mod check_blocks;
mod errors;
mod headers;
mod stream;

pub use answer::{message, models};
pub use check::check;
pub use errors::{for_status, invalid, mid_stream, wrong_key};
pub use headers::check_headers;
pub use stream::payloads;
