//! A stream that broke after its first content, and how another deployment goes on with it.
//!
//! [`Delivered`] reads what a client was sent and knows what may follow it. [`question`] is the client's request with what was
//! delivered, and the wish to go on from there. A [`Splice`] makes the answer's events the rest of what was delivered: same
//! blocks, same ids, usage added up. Nothing here calls anybody, and nothing is resumed that a client could not tell from an
//! answer of one piece: no tool call, no signed thought, no answer in a prescribed format.

mod delivered;
mod items;
mod question;
mod splice;

pub use delivered::{Delivered, Obstacle, Open, Passed};
pub use items::{Items, OpenItem};
pub use question::{Manner, has_format, may_be_prefilled, question};
pub use splice::{REOPENED, Splice};

#[cfg(test)]
mod tests;
