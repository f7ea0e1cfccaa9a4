//! The provider simulator: an upstream that speaks OpenAI's and Anthropic's wire formats and misbehaves on request.
//!
//! The integration tests and the load bench include it by path; the gateway under test is pointed at [`Simulator::base_url`].
//! It is written by hand over TCP on purpose, not with a web framework: the faults a gateway must survive are made of single
//! bytes, packets and sockets (a write boundary inside a character, a reset in the middle of a chunk, silence), which a
//! framework hides. A [`Behaviour`] is planned into a script of writes and waits, which a connection then plays; what was asked
//! and who hung up is on record.
//! It must never import anything of the gateway: a mistake in a shared parser would agree with itself.
#![allow(
    dead_code,
    reason = "each of the two binaries that include this uses a part of it"
)]

mod anthropic;
mod behaviour;
mod blocks;
mod chat_check;
mod clock;
mod completions;
mod connection;
mod embeddings;
mod errors;
mod head;
mod ids;
mod json;
mod logprobs;
mod message;
mod plan;
mod proof;
mod providers;
mod record;
mod request;
mod responses;
mod route;
mod script;
mod server;
mod shared;
mod sse;
mod text;
mod things;

#[cfg(test)]
#[allow(
    unused_imports,
    reason = "a bench without a harness leaves tests out, but not what they import"
)]
mod tests;

#[allow(unused_imports, reason = "as above")]
pub use behaviour::{
    Audio, Behaviour, Block, Counts, CutWith, Framing, Garbage, Hang, Level, MidStreamError,
    Source, Split, ToolCall, raw,
};
#[allow(unused_imports, reason = "as above")]
pub use clock::sleep_until;
#[allow(unused_imports, reason = "as above")]
pub use providers::{ProviderRow, provider_rows};
#[allow(unused_imports, reason = "as above")]
pub use record::{Hangup, Recorded};
pub use server::Simulator;
