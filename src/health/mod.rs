//! What deployments are asked to see whether they work, and what they have answered: the last finding of each, and a bounded
//! number of those before it.
//!
//! [`Board`] is plain state and [`HealthBoard`] its mailbox. Whoever has asked a deployment posts what came of it: the rounds of
//! the background, and callers of `/health`. Nothing here calls a deployment, and nothing here decides about routing.

mod actor;
mod board;
pub mod question;

pub use actor::{GetHistory, GetLatest, HealthBoard, Post};
pub use board::{Board, Finding, HistoryFilter, Page, Problem};
