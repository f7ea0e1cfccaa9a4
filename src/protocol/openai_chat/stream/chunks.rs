//! The chunks of a stream, each written by a type that can only be had in the right place.
//!
//! A choice is [`Silent`] until it says its role, [`Speaking`] until its finish reason, and then says nothing more. A call's
//! arguments are written with the [`Slot`] that its beginning gave. Usage, and `[DONE]`, come last and once.

use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::{
    Citation, Content, Failure, ServerResult, StopReason, ToolCallKind, UsageReport,
};
use crate::protocol::openai_chat::answer::{reason_name, server_result, url_citation};
use crate::protocol::openai_chat::encode_messages::thinking_blocks;
use crate::protocol::openai_chat::errors::encode_error;
use crate::protocol::openai_chat::write_usage;

/// What all chunks have in common.
#[derive(Debug)]
pub struct Chunks {
    pub id: String,
    pub model: String,
    /// Seconds since the Unix epoch.
    pub created: u64,
}

/// A choice that has said nothing.
#[derive(Debug)]
pub struct Silent(u32);

/// A choice that has said its role.
#[derive(Debug)]
pub struct Speaking {
    index: u32,
    /// How many calls have begun.
    calls: u64,
    role_due: bool,
}

/// The place of one call among a choice's.
#[derive(Debug)]
pub struct Slot {
    place: u64,
    kind: ToolCallKind,
}

impl Chunks {
    fn write(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"data: ");
        json_write::object(out, |out| {
            out.text("id", &self.id);
            out.number("created", self.created);
            out.text("model", &self.model);
            out.text("object", "chat.completion.chunk");
            fill(out);
        });
        out.extend_from_slice(b"\n\n");
    }

    /// Ends a whole stream.
    pub fn done(self, out: &mut Vec<u8>, usage: Option<&UsageReport>) {
        if let Some(usage) = usage {
            self.write(out, |out| {
                out.array("choices", |_| {});
                write_usage::write(out, usage);
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// Ends a stream that cannot go on.
    pub fn fail(self, out: &mut Vec<u8>, failure: &Failure) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&encode_error(failure, None));
        out.extend_from_slice(b"\n\n");
    }
}

// === impl Silent ===

impl Silent {
    pub fn new(index: u32) -> Self {
        Self(index)
    }

    /// In a stream that goes on: the role has been said.
    pub fn spoken(self) -> Speaking {
        Speaking {
            index: self.0,
            calls: 0,
            role_due: false,
        }
    }

    /// The role goes out with what is said first.
    pub fn speak(self) -> Speaking {
        Speaking {
            index: self.0,
            calls: 0,
            role_due: true,
        }
    }
}

// === impl Speaking ===

impl Speaking {
    fn delta(&mut self, chunks: &Chunks, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        let role_due = std::mem::replace(&mut self.role_due, false);
        chunks.write(out, |out| {
            out.array("choices", |out| {
                out.object(|out| {
                    out.number("index", u64::from(self.index));
                    out.object("delta", |out| {
                        if role_due {
                            out.text("role", "assistant");
                        }
                        fill(out);
                    });
                });
            });
        });
    }

    pub fn content(&mut self, chunks: &Chunks, out: &mut Vec<u8>, text: &str) {
        self.delta(chunks, out, |out| out.text("content", text));
    }

    pub fn refusal(&mut self, chunks: &Chunks, out: &mut Vec<u8>, text: &str) {
        self.delta(chunks, out, |out| out.text("refusal", text));
    }

    /// A piece of thinking, its signature, or redacted thinking: as `reasoning_content` and, in Anthropic's form beside it,
    /// as `thinking_blocks`.
    pub fn thought(&mut self, chunks: &Chunks, out: &mut Vec<u8>, thought: &Content) {
        self.delta(chunks, out, |out| {
            if let Content::Thinking { text, .. } = thought {
                out.text("reasoning_content", text);
            }
            thinking_blocks(out, std::iter::once(thought));
        });
    }

    /// A call begins; its arguments follow in deltas.
    pub fn call(
        &mut self,
        chunks: &Chunks,
        out: &mut Vec<u8>,
        id: &str,
        name: &str,
        kind: ToolCallKind,
    ) -> Slot {
        let slot = Slot {
            place: self.calls,
            kind,
        };
        self.calls += 1;
        self.calls_delta(chunks, out, slot.place, |out| {
            let (kind, field) = names(kind);
            out.text("id", id);
            out.text("type", kind);
            out.object(kind, |out| {
                out.text("name", name);
                out.text(field, "");
            });
        });
        slot
    }

    pub fn arguments(&mut self, chunks: &Chunks, out: &mut Vec<u8>, slot: &Slot, text: &str) {
        self.calls_delta(chunks, out, slot.place, |out| {
            let (kind, field) = names(slot.kind);
            out.text("type", kind);
            out.object(kind, |out| out.text(field, text));
        });
    }

    fn calls_delta(
        &mut self,
        chunks: &Chunks,
        out: &mut Vec<u8>,
        place: u64,
        fill: impl FnOnce(&mut Object<'_>),
    ) {
        self.delta(chunks, out, |out| {
            out.array("tool_calls", |out| {
                out.object(|out| {
                    out.number("index", place);
                    fill(out);
                });
            });
        });
    }

    pub fn image(&mut self, chunks: &Chunks, out: &mut Vec<u8>, place: u64, url: &str) {
        self.delta(chunks, out, |out| {
            out.array("images", |out| {
                out.object(|out| {
                    out.text("type", "image_url");
                    out.number("index", place);
                    out.object("image_url", |out| out.text("url", url));
                });
            });
        });
    }

    pub fn audio(&mut self, chunks: &Chunks, out: &mut Vec<u8>, field: &'static str, text: &str) {
        self.delta(chunks, out, |out| {
            out.object("audio", |out| out.text(field, text));
        });
    }

    /// An annotation in OpenAI's form.
    pub fn annotation(&mut self, chunks: &Chunks, out: &mut Vec<u8>, citation: &Citation) {
        self.delta(chunks, out, |out| {
            out.array("annotations", |out| out.raw(citation.raw.as_bytes()));
        });
    }

    /// Pages that the characters from `start` to `end` are founded on.
    pub fn pages(
        &mut self,
        chunks: &Chunks,
        out: &mut Vec<u8>,
        cited: &[Citation],
        (start, end): (usize, usize),
    ) {
        self.delta(chunks, out, |out| {
            out.array("annotations", |out| {
                for citation in cited {
                    url_citation(out, citation, start, end);
                }
            });
        });
    }

    /// A citation in Anthropic's form, where LiteLLM's clients look for it.
    pub fn citation(&mut self, chunks: &Chunks, out: &mut Vec<u8>, citation: &Citation) {
        self.delta(chunks, out, |out| {
            out.object("provider_specific_fields", |out| {
                out.raw("citation", citation.raw.as_bytes());
            });
        });
    }

    pub fn server_result(&mut self, chunks: &Chunks, out: &mut Vec<u8>, result: &ServerResult) {
        let list = match result.kind.as_str() {
            "web_search_tool_result" => "web_search_results",
            _ => "tool_results",
        };
        self.delta(chunks, out, |out| {
            out.object("provider_specific_fields", |out| {
                out.array(list, |out| out.object(|out| server_result(out, result)));
            });
        });
    }

    pub fn finish(mut self, chunks: &Chunks, out: &mut Vec<u8>, reason: StopReason) {
        if self.role_due {
            self.content(chunks, out, "");
        }
        chunks.write(out, |out| {
            out.array("choices", |out| {
                out.object(|out| {
                    out.number("index", u64::from(self.index));
                    out.object("delta", |_| {});
                    out.text("finish_reason", reason_name(reason));
                });
            });
        });
    }
}

fn names(kind: ToolCallKind) -> (&'static str, &'static str) {
    match kind {
        ToolCallKind::Function => ("function", "arguments"),
        ToolCallKind::Custom => ("custom", "input"),
    }
}
