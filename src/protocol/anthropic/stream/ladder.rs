//! The rungs of a message's stream, each a type of its own: what may be written next is what the type can do.
//!
//! `message_start`, then blocks one after another with indices from 0 (`content_block_start`, its deltas, `content_block_stop`),
//! then `message_delta` and `message_stop`; `ping` between, `error` at the end. A rung is used up by the step to the next one,
//! so that no start comes twice, no delta meets a block of another kind, and no stop is missing.

use crate::protocol::anthropic::answer::message_id;
use crate::protocol::anthropic::errors::encode_error;
use crate::protocol::anthropic::reason_name;
use crate::protocol::anthropic::usage;
use crate::protocol::anthropic::write_blocks::{tool_id, tool_use};
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::{Citation, Failure, ServerResult, Stop, UsageReport};

/// Nothing has been written.
#[derive(Debug)]
pub struct Before(());

/// The message has begun; no block is open.
#[derive(Debug)]
pub struct Between {
    next: u64,
}

/// A block is open.
#[derive(Debug)]
pub struct TextBlock(u64);
#[derive(Debug)]
pub struct ThinkingBlock(u64);
/// Of a tool's call, the client's or the provider's own.
#[derive(Debug)]
pub struct InputBlock(u64);

/// The last word is said.
#[derive(Debug)]
pub struct Ended(());

fn event(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    json_write::object(out, |out| {
        out.text("type", name);
        fill(out);
    });
    out.extend_from_slice(b"\n\n");
}

fn error(out: &mut Vec<u8>, failure: &Failure) -> Ended {
    out.extend_from_slice(b"event: error\ndata: ");
    out.extend_from_slice(&encode_error(failure, None));
    out.extend_from_slice(b"\n\n");
    Ended(())
}

/// A message under way may be kept alive anywhere.
pub trait UnderWay {
    fn ping(&self, out: &mut Vec<u8>) {
        event(out, "ping", |_| {});
    }
}

impl UnderWay for Between {}
impl UnderWay for TextBlock {}
impl UnderWay for ThinkingBlock {}
impl UnderWay for InputBlock {}

// === impl Before ===

impl Before {
    pub fn new() -> Self {
        Self(())
    }

    pub fn start(self, out: &mut Vec<u8>, id: &str, model: &str, usage: &UsageReport) -> Between {
        event(out, "message_start", |out| {
            out.object("message", |out| {
                out.text("id", &message_id(id));
                out.text("type", "message");
                out.text("role", "assistant");
                out.text("model", model);
                out.array("content", |_| {});
                out.null("stop_reason");
                out.null("stop_sequence");
                usage::write(out, usage);
            });
        });
        let between = Between { next: 0 };
        between.ping(out);
        between
    }

    pub fn fail(self, out: &mut Vec<u8>, failure: &Failure) -> Ended {
        error(out, failure)
    }
}

// === impl Between ===

impl Between {
    /// In a stream that goes on: so many blocks have passed.
    pub fn behind(blocks: u64) -> Self {
        Self { next: blocks }
    }

    /// The same, where a text of that stream is open behind them.
    pub fn in_text(self) -> TextBlock {
        TextBlock(self.next)
    }

    /// The same with an unsigned thought.
    pub fn in_thinking(self) -> ThinkingBlock {
        ThinkingBlock(self.next)
    }

    fn block(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) -> u64 {
        event(out, "content_block_start", |out| {
            out.number("index", self.next);
            out.object("content_block", fill);
        });
        self.next
    }

    pub fn text(self, out: &mut Vec<u8>) -> TextBlock {
        TextBlock(self.block(out, |out| {
            out.text("type", "text");
            out.text("text", "");
        }))
    }

    pub fn thinking(self, out: &mut Vec<u8>) -> ThinkingBlock {
        ThinkingBlock(self.block(out, |out| {
            out.text("type", "thinking");
            out.text("thinking", "");
            out.text("signature", "");
        }))
    }

    pub fn tool(self, out: &mut Vec<u8>, id: &str, name: &str) -> InputBlock {
        self.input(out, "tool_use", &tool_id(id), name)
    }

    pub fn server_tool(self, out: &mut Vec<u8>, id: &str, name: &str) -> InputBlock {
        self.input(out, "server_tool_use", id, name)
    }

    fn input(self, out: &mut Vec<u8>, kind: &str, id: &str, name: &str) -> InputBlock {
        InputBlock(self.block(out, |out| {
            tool_use(out, kind, id, name);
            out.raw("input", b"{}");
        }))
    }

    /// A block that is whole when it begins.
    pub fn redacted(self, out: &mut Vec<u8>, data: &str) -> Self {
        let index = self.block(out, |out| {
            out.text("type", "redacted_thinking");
            out.text("data", data);
        });
        close(out, index)
    }

    /// The same.
    pub fn server_result(self, out: &mut Vec<u8>, result: &ServerResult) -> Self {
        let index = self.block(out, |out| {
            out.text("type", &result.kind);
            out.text("tool_use_id", &result.call);
            out.raw("content", result.content.as_bytes());
        });
        close(out, index)
    }

    pub fn finish(self, out: &mut Vec<u8>, stop: &Stop, usage: &UsageReport) -> Ended {
        event(out, "message_delta", |out| {
            out.object("delta", |out| {
                out.text("stop_reason", reason_name(stop.reason));
                match &stop.sequence {
                    Some(sequence) => out.text("stop_sequence", sequence),
                    None => out.null("stop_sequence"),
                }
            });
            usage::write(out, usage);
        });
        event(out, "message_stop", |_| {});
        Ended(())
    }

    pub fn fail(self, out: &mut Vec<u8>, failure: &Failure) -> Ended {
        error(out, failure)
    }
}

// === impl blocks ===

fn delta(out: &mut Vec<u8>, index: u64, kind: &str, name: &str, text: &str) {
    event(out, "content_block_delta", |out| {
        out.number("index", index);
        out.object("delta", |out| {
            out.text("type", kind);
            out.text(name, text);
        });
    });
}

fn close(out: &mut Vec<u8>, index: u64) -> Between {
    event(out, "content_block_stop", |out| out.number("index", index));
    Between {
        next: index.saturating_add(1),
    }
}

impl TextBlock {
    pub fn add(&self, out: &mut Vec<u8>, text: &str) {
        delta(out, self.0, "text_delta", "text", text);
    }

    /// A citation of Anthropic's.
    pub fn cite(&self, out: &mut Vec<u8>, citation: &Citation) {
        event(out, "content_block_delta", |out| {
            out.number("index", self.0);
            out.object("delta", |out| {
                out.text("type", "citations_delta");
                out.raw("citation", citation.raw.as_bytes());
            });
        });
    }

    pub fn close(self, out: &mut Vec<u8>) -> Between {
        close(out, self.0)
    }
}

impl ThinkingBlock {
    pub fn add(&self, out: &mut Vec<u8>, text: &str) {
        delta(out, self.0, "thinking_delta", "thinking", text);
    }

    pub fn sign(&self, out: &mut Vec<u8>, signature: &str) {
        delta(out, self.0, "signature_delta", "signature", signature);
    }

    pub fn close(self, out: &mut Vec<u8>) -> Between {
        close(out, self.0)
    }
}

impl InputBlock {
    pub fn add(&self, out: &mut Vec<u8>, json: &str) {
        delta(out, self.0, "input_json_delta", "partial_json", json);
    }

    pub fn close(self, out: &mut Vec<u8>) -> Between {
        close(out, self.0)
    }
}
