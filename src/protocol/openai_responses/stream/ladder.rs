//! The rungs of a response's stream, each a type of its own: what may be written next is what the type can do.
//!
//! `response.created` and `response.in_progress`; then items one after another, each `response.output_item.added`, its parts
//! and their deltas, each `.done`, `response.output_item.done`; then `response.completed`, `.incomplete` or `.failed`, which
//! repeats all items. A rung is used up by the step to the next one, so that no item is added twice, no delta meets a part of
//! another kind, and nothing is left open. Every event has the next sequence number.

use super::head::Head;
use super::items::{self, CallHead};
use super::line::Line;
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::{Failure, UsageReport};
use crate::protocol::resumption::Items;

/// Nothing has been written.
#[derive(Debug)]
pub struct Before(Box<Line>);

/// The response has begun; no item is open.
#[derive(Debug)]
pub struct Between(Box<Line>);

/// A message is open, and no part of it.
#[derive(Debug)]
pub struct Message {
    line: Box<Line>,
    id: String,
    /// Its parts so far as JSON, with commas between.
    parts: Vec<u8>,
    count: u64,
}

/// A part of a message is open.
#[derive(Debug)]
pub struct TextPart {
    message: Message,
    text: String,
    /// Characters of it.
    length: u64,
    annotations: Vec<u8>,
    cited: u64,
}
#[derive(Debug)]
pub struct RefusalPart {
    message: Message,
    text: String,
}

/// A reasoning item is open, with or without a summary that has begun.
#[derive(Debug)]
pub struct Reasoning {
    line: Box<Line>,
    id: String,
    text: String,
    has_part: bool,
}

/// A call is open.
#[derive(Debug)]
pub struct Call {
    line: Box<Line>,
    id: String,
    call: CallHead,
    arguments: String,
}

/// The last word is said.
#[derive(Debug)]
pub struct Ended(());

/// How a response that did not fail ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    /// `incomplete`, for this reason.
    Incomplete(&'static str),
}

/// Ends a stream of which something has passed already, as it came.
pub fn fail_after(head: Head, sequence: u64, failure: &Failure, out: &mut Vec<u8>) {
    Line::new(head, sequence).fail(out, failure);
}

// === impl Before ===

impl Before {
    pub fn new(head: Head) -> Self {
        Self(Box::new(Line::new(head, 0)))
    }

    /// The upstream says when: seconds since the Unix epoch.
    pub fn created_at(&mut self, created: u64) {
        self.0.head.created = created;
    }

    pub fn start(self, out: &mut Vec<u8>) -> Between {
        let mut line = self.0;
        for name in ["response.created", "response.in_progress"] {
            line.response(out, name, "in_progress", |out| {
                out.null("error");
                out.null("incomplete_details");
                out.null("usage");
            });
        }
        Between(line)
    }
}

// === impl Between ===

impl Between {
    /// In a response that goes on, behind the items that have passed whole.
    pub fn behind(head: Head, passed: &Items) -> Self {
        Self(Box::new(Line::behind(head, passed)))
    }

    /// The same, where a message of that response is open behind them.
    pub fn in_message(self, passed: &Items) -> Message {
        Message {
            line: self.0,
            id: passed.open_id.clone(),
            parts: passed.parts.clone(),
            count: passed.part_count,
        }
    }

    /// The same with a thought.
    pub fn in_reasoning(self, passed: &Items) -> Reasoning {
        Reasoning {
            line: self.0,
            id: passed.open_id.clone(),
            text: passed.text.clone(),
            has_part: passed.has_part,
        }
    }

    pub fn message(self, out: &mut Vec<u8>) -> Message {
        let mut line = self.0;
        let id = line.item_id("msg");
        line.added(out, |out| items::message(out, &id, "in_progress", b""));
        Message {
            line,
            id,
            parts: Vec::new(),
            count: 0,
        }
    }

    pub fn reasoning(self, out: &mut Vec<u8>) -> Reasoning {
        let mut line = self.0;
        let id = line.item_id("rs");
        line.added(out, |out| {
            items::reasoning(out, &id, "in_progress", None, None)
        });
        Reasoning {
            line,
            id,
            text: String::new(),
            has_part: false,
        }
    }

    pub fn call(self, out: &mut Vec<u8>, call: CallHead) -> Call {
        let mut line = self.0;
        let id = line.item_id(if call.is_custom { "ctc" } else { "fc" });
        line.added(out, |out| items::call(out, &id, "in_progress", &call, ""));
        Call {
            line,
            id,
            call,
            arguments: String::new(),
        }
    }

    /// An item that is whole when it begins. `fill` gets the item's id and writes all its fields.
    pub fn whole(
        self,
        out: &mut Vec<u8>,
        prefix: &str,
        fill: impl Fn(&mut Object<'_>, &str),
    ) -> Self {
        let mut line = self.0;
        let id = line.item_id(prefix);
        line.added(out, |out| fill(out, &id));
        line.done(out, |out| fill(out, &id));
        Self(line)
    }

    pub fn finish(self, out: &mut Vec<u8>, outcome: Outcome, usage: &UsageReport) -> Ended {
        let mut line = self.0;
        let (name, status) = match outcome {
            Outcome::Completed => ("response.completed", "completed"),
            Outcome::Incomplete(_) => ("response.incomplete", "incomplete"),
        };
        line.response(out, name, status, |out| outcome.write(out, usage));
        Ended(())
    }

    /// The response itself, without the events that told it.
    pub fn into_body(self, outcome: Outcome, usage: &UsageReport) -> Vec<u8> {
        let status = match outcome {
            Outcome::Completed => "completed",
            Outcome::Incomplete(_) => "incomplete",
        };
        let Line { head, output, .. } = *self.0;
        let mut body = Vec::with_capacity(output.len() + 1024);
        json_write::object(&mut body, |out| {
            head.write(out, status, &output, |out| outcome.write(out, usage));
        });
        body
    }

    pub fn fail(self, out: &mut Vec<u8>, failure: &Failure) -> Ended {
        self.0.fail(out, failure);
        Ended(())
    }

    pub fn head_mut(&mut self) -> &mut Head {
        &mut self.0.head
    }
}

impl Outcome {
    fn write(self, out: &mut Object<'_>, usage: &UsageReport) {
        out.null("error");
        match self {
            Self::Completed => out.null("incomplete_details"),
            Self::Incomplete(reason) => {
                out.object("incomplete_details", |out| out.text("reason", reason));
            }
        }
        crate::protocol::openai_responses::usage::write(out, usage);
    }
}

// === impl Message ===

impl Message {
    /// In a response that goes on, where a text of the message is open.
    pub fn in_text(self, passed: &Items) -> TextPart {
        TextPart {
            message: self,
            length: passed.text.chars().count() as u64,
            text: passed.text.clone(),
            annotations: passed.annotations.clone(),
            cited: passed.cited,
        }
    }

    fn part(&mut self, out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let place = self.count;
        self.line.of_item(out, name, &self.id, |out| {
            out.number("content_index", place);
            fill(out);
        });
    }

    pub fn text(mut self, out: &mut Vec<u8>) -> TextPart {
        self.part(out, "response.content_part.added", |out| {
            out.object("part", |out| items::output_text(out, "", b"", b"[]"));
        });
        TextPart {
            message: self,
            text: String::new(),
            length: 0,
            annotations: Vec::new(),
            cited: 0,
        }
    }

    pub fn refusal(mut self, out: &mut Vec<u8>) -> RefusalPart {
        self.part(out, "response.content_part.added", |out| {
            out.object("part", |out| items::refusal(out, ""));
        });
        RefusalPart {
            message: self,
            text: String::new(),
        }
    }

    fn part_done(mut self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) -> Self {
        if self.count > 0 {
            self.parts.push(b',');
        }
        let from = self.parts.len();
        json_write::object(&mut self.parts, fill);
        let part = self.parts.get(from..).unwrap_or_default().to_vec();
        self.part(out, "response.content_part.done", |out| {
            out.raw("part", &part)
        });
        self.count += 1;
        self
    }

    pub fn close(self, out: &mut Vec<u8>) -> Between {
        let mut line = self.line;
        line.done(out, |out| {
            items::message(out, &self.id, "completed", &self.parts)
        });
        Between(line)
    }
}

impl TextPart {
    pub fn add(&mut self, out: &mut Vec<u8>, text: &str) {
        self.text.push_str(text);
        self.length += text.chars().count() as u64;
        self.message.part(out, "response.output_text.delta", |out| {
            out.text("delta", text);
            out.raw("logprobs", b"[]");
        });
    }

    /// How many characters have been said.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Adds an annotation, which is JSON.
    pub fn annotate(&mut self, out: &mut Vec<u8>, annotation: &[u8]) {
        if self.cited > 0 {
            self.annotations.push(b',');
        }
        self.annotations.extend_from_slice(annotation);
        let place = self.cited;
        self.cited += 1;
        let name = "response.output_text.annotation.added";
        self.message.part(out, name, |out| {
            out.number("annotation_index", place);
            out.raw("annotation", annotation);
        });
    }

    /// `logprobs` is an array of OpenAI's.
    pub fn close(mut self, out: &mut Vec<u8>, logprobs: &[u8]) -> Message {
        let text = &self.text;
        self.message.part(out, "response.output_text.done", |out| {
            out.text("text", text);
            out.raw("logprobs", logprobs);
        });
        let annotations = &self.annotations;
        self.message.part_done(out, |out| {
            items::output_text(out, text, annotations, logprobs)
        })
    }
}

impl RefusalPart {
    pub fn add(&mut self, out: &mut Vec<u8>, text: &str) {
        self.text.push_str(text);
        self.message
            .part(out, "response.refusal.delta", |out| out.text("delta", text));
    }

    pub fn close(mut self, out: &mut Vec<u8>) -> Message {
        let text = &self.text;
        self.message.part(out, "response.refusal.done", |out| {
            out.text("refusal", text)
        });
        self.message.part_done(out, |out| items::refusal(out, text))
    }
}

// === impl Reasoning ===

impl Reasoning {
    fn summary(&mut self, out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.line.of_item(out, name, &self.id, |out| {
            out.number("summary_index", 0);
            fill(out);
        });
    }

    /// The summary begins with its first text: there is none of a thought that only its maker can read.
    pub fn add(&mut self, out: &mut Vec<u8>, text: &str) {
        if !std::mem::replace(&mut self.has_part, true) {
            self.summary(out, "response.reasoning_summary_part.added", |out| {
                out.object("part", |out| items::summary_text(out, ""));
            });
        }
        self.text.push_str(text);
        self.summary(out, "response.reasoning_summary_text.delta", |out| {
            out.text("delta", text);
        });
    }

    pub fn close(mut self, out: &mut Vec<u8>, encrypted: Option<&str>) -> Between {
        let text = std::mem::take(&mut self.text);
        if self.has_part {
            self.summary(out, "response.reasoning_summary_text.done", |out| {
                out.text("text", &text);
            });
            self.summary(out, "response.reasoning_summary_part.done", |out| {
                out.object("part", |out| items::summary_text(out, &text));
            });
        }
        let said = self.has_part.then_some(text.as_str());
        let mut line = self.line;
        line.done(out, |out| {
            items::reasoning(out, &self.id, "completed", said, encrypted);
        });
        Between(line)
    }
}

// === impl Call ===

impl Call {
    pub fn add(&mut self, out: &mut Vec<u8>, text: &str) {
        self.arguments.push_str(text);
        let name = match self.call.is_custom {
            true => "response.custom_tool_call_input.delta",
            false => "response.function_call_arguments.delta",
        };
        self.line
            .of_item(out, name, &self.id, |out| out.text("delta", text));
    }

    pub fn is_empty(&self) -> bool {
        self.arguments.trim().is_empty()
    }

    pub fn is_custom(&self) -> bool {
        self.call.is_custom
    }

    pub fn close(self, out: &mut Vec<u8>) -> Between {
        let Self {
            mut line,
            id,
            call,
            arguments,
        } = self;
        if call.is_custom {
            let name = "response.custom_tool_call_input.done";
            line.of_item(out, name, &id, |out| out.text("input", &arguments));
        } else {
            let name = "response.function_call_arguments.done";
            line.of_item(out, name, &id, |out| {
                out.text("name", &call.name);
                out.text("arguments", &arguments);
            });
        }
        line.done(out, |out| {
            items::call(out, &id, "completed", &call, &arguments)
        });
        Between(line)
    }
}
