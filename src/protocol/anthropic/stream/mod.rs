//! A stream of Anthropic's events, in both directions.
//!
//! [`Decoder`] makes neutral events of an upstream's bytes. [`Encoder`] makes a client's bytes of neutral events; it writes
//! through the types of `ladder`, which have no way to say anything in a wrong place. [`Editor`]
//! passes on a stream between two who both speak it.

mod decode;
mod encode;
mod ladder;
mod pass;

pub use decode::Decoder;
pub use encode::Encoder;
pub use pass::Editor;

#[cfg(test)]
pub mod grammar;
