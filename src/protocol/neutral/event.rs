//! A stream of an answer, event by event.

use super::{Citation, Dialect, Failure, Raw, ServerResult, Stop, ToolCallKind, UsageReport};

/// One step of a stream.
///
/// In order: one `Start`; blocks, each `BlockStart`, its deltas, `BlockStop`; a `Finish` for each choice; `Usage` whenever it is
/// known, each replacing the one before; `End`. Blocks of a choice are numbered from 0 without gaps; several may be open at
/// once. An `Error` ends the stream in place of `End`. Encoders rely on none of this: whatever comes, what they write is
/// well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Start {
        id: String,
        model: String,
        /// Seconds since the Unix epoch, where the provider says it.
        created: Option<u64>,
    },
    BlockStart {
        choice: u32,
        block: u32,
        opening: Opening,
    },
    BlockDelta {
        choice: u32,
        block: u32,
        delta: Delta,
    },
    BlockStop {
        choice: u32,
        block: u32,
    },
    Usage(UsageReport),
    Finish {
        choice: u32,
        stop: Stop,
    },
    Ping,
    /// The stream cannot go on.
    Error(Failure),
    /// The answer is whole.
    End,
    /// Something that only its own protocol knows.
    Unknown {
        dialect: Dialect,
        name: String,
        raw: Raw,
    },
}

/// What a block is, and what is known of it when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    Text,
    Refusal,
    Thinking,
    RedactedThinking(String),
    ToolCall {
        id: String,
        name: String,
        kind: ToolCallKind,
    },
    ServerCall {
        id: String,
        name: String,
    },
    ServerResult(ServerResult),
    /// A whole image by its URL, which may be a `data:` one.
    Image(String),
    Audio(String),
    Unknown {
        dialect: Dialect,
        kind: String,
        raw: Raw,
    },
}

/// What is added to a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// To a text or a refusal.
    Text(String),
    Thinking(String),
    Signature(String),
    /// To the arguments of a tool call or a server tool's.
    Arguments(String),
    Citation(Citation),
    /// Base64.
    Audio(String),
    Transcript(String),
    /// A delta that only its own protocol knows.
    Unknown {
        dialect: Dialect,
        kind: String,
        raw: Raw,
    },
}

impl Delta {
    /// Bytes of content: what the client reads or hears, or its tools are given.
    pub fn content_bytes(&self) -> usize {
        match self {
            Self::Text(text)
            | Self::Thinking(text)
            | Self::Arguments(text)
            | Self::Audio(text)
            | Self::Transcript(text) => text.len(),
            Self::Signature(_) | Self::Citation(_) | Self::Unknown { .. } => 0,
        }
    }
}

impl Event {
    /// Content has begun: from here on the answer belongs to the client, and no other attempt may replace it.
    ///
    /// A start, a role, an empty block and a ping are not content.
    pub fn is_content(&self) -> bool {
        match self {
            Self::BlockDelta { delta, .. } => delta.content_bytes() > 0,
            Self::BlockStart { opening, .. } => !matches!(
                opening,
                Opening::Text | Opening::Refusal | Opening::Thinking
            ),
            _ => false,
        }
    }
}
