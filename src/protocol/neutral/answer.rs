//! A whole answer.

use super::{Block, Extensions, Raw};
use crate::protocol::openai::usage::ParsedUsage;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The provider's id of it.
    pub id: String,
    pub model: String,
    /// Seconds since the Unix epoch, where the provider says it.
    pub created: Option<u64>,
    pub choices: Vec<Choice>,
    pub usage: Option<UsageReport>,
    pub service_tier: Option<String>,
    pub extensions: Extensions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    pub index: u32,
    pub content: Vec<Block>,
    pub stop: Option<Stop>,
    /// In OpenAI's shape.
    pub logprobs: Option<Raw>,
    pub extensions: Extensions,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    pub reason: StopReason,
    /// The stop text that was met, where the provider says which.
    pub sequence: Option<String>,
}

impl From<StopReason> for Stop {
    fn from(reason: StopReason) -> Self {
        Self {
            reason,
            sequence: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    EndTurn,
    MaxTokens,
    StopSequence,
    ToolUse,
    /// A server tool takes long; the client shall send the answer back to go on.
    PauseTurn,
    /// The model would not, or a filter would not let it.
    Refusal,
    /// The context window is full.
    ContextWindow,
    /// The provider made the conversation shorter.
    Compaction,
}

/// What an answer says about its consumption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageReport {
    pub counts: ParsedUsage,
    /// What is said beside the counts, such as `service_tier` and `iterations`.
    pub extras: Extensions,
}
