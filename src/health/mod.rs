//! What deployments are asked to see whether they work, and what they have answered.
//!
//! [`Board`] is plain state, the last finding of each deployment, and [`HealthBoard`] its mailbox; the database keeps those before
//! it too (`record`). Whoever has asked a deployment posts what came of it: the rounds of the background, and callers of `/health`.
//! Nothing here calls a deployment, and nothing here decides about routing.

mod actor;
mod board;
pub mod question;
mod record;

pub use actor::{GetLatest, HealthBoard, Post};
pub use board::{Board, Finding, Problem};
pub use record::{keep, of_row};
