//! A stream of Chat Completions, read into neutral events or written from them.
//!
//! For streams whose other side speaks another protocol; those that pass are edited by `openai::stream`. [`Decoder`] makes
//! neutral events of an upstream's bytes. [`Encoder`] makes a client's bytes of neutral events; it writes through the types of
//! `chunks`, which have no way to say anything in a wrong place.

mod calls;
mod choice;
mod chunks;
mod decode;
mod encode;
mod json_progress;

pub use decode::{Decoder, Ending};
pub use encode::{Encoder, StreamForm};

#[cfg(test)]
pub mod grammar;
