//! A stream of the Responses API, in both directions.
//!
//! [`Decoder`] makes neutral events of an upstream's bytes. [`Encoder`] makes a client's bytes of neutral events; it writes
//! through the types of `ladder`, which have no way to say anything in a wrong place. [`Editor`] lets a stream pass.

mod decode;
mod encode;
mod head;
mod held;
mod items;
mod ladder;
mod line;
mod parts;
mod pass;
mod whole;

pub use decode::Decoder;
pub use encode::Encoder;
pub use head::Head;
pub use pass::Editor;

#[cfg(test)]
pub mod grammar;
