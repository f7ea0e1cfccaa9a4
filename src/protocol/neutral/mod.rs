//! What the chat protocols have in common: requests, answers and streams as data, in no protocol's spelling.
//!
//! Where client and upstream speak different protocols, the client's `decode_request` makes these types of its bytes and the
//! upstream's `encode_request` makes bytes of them; answers and streams go the other way. So there are N + M translators and
//! not N × M. Texts, tool arguments, signatures and numbers are carried as they were written, and what only one protocol knows
//! stands beside them as [`Extensions`]. What a target cannot say is listed as [`NotCarried`]; nothing is dropped silently.
//!
//! Called by the folders of the protocols. Holds no rule about any single one of them.

mod answer;
mod block;
mod carry;
mod efforts;
mod event;
mod extensions;
mod failure;
pub mod free_text;
mod in_turn;
pub mod proof;
mod request;
mod reversal;
mod text;
mod tool_names;

#[cfg(test)]
pub mod testing;

pub use answer::{Answer, Choice, Stop, StopReason, UsageReport};
pub use block::{
    Block, CacheControl, Citation, Content, Lifetime, ServerCall, ServerResult, Source, ToolCall,
    ToolCallKind, ToolResult,
};
pub use carry::{Encoded, NotCarried, Notes, Refused, Why};
pub use event::{Delta, Event, Opening};
pub use extensions::{Dialect, Extension, Extensions, Raw};
pub use failure::{Failure, FailureKind};
pub use in_turn::{InTurn, Step, Unfit};
pub use request::{
    Effort, Message, OutputFormat, Reasoning, ReasoningMode, Request, Role, Sampling, Tool,
    ToolChoice, ToolKind,
};
pub use reversal::{Reversal, StreamReversal};
pub use text::Text;
pub use tool_names::{NameRule, ToolNames};
