//! What is said to a running gateway from the command line, and what it answers, for people.
//!
//! `gateway` asks; `explain` and `chaos` are what may be asked. `launch` asks by the same way. Nothing here knows the gateway
//! from inside: an answer is JSON that may come from another version.

mod chaos;
mod explain;
pub mod gateway;

pub use chaos::chaos;
pub use explain::explain;

use std::io;
use std::path::PathBuf;

use gateway::GatewayError;

/// Nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error("{file}: {source}", file = file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{0}")]
    Usage(&'static str),
    #[error("the gateway's answer cannot be read: {0}")]
    Answer(#[from] serde_json::Error),
}
