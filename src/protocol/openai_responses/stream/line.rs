//! One response under way: its events by number, and its items as far as they are whole.

use super::head::Head;
use crate::protocol::json_write::{self, Object};
use crate::protocol::neutral::Failure;
use crate::protocol::openai_responses::errors;
use crate::protocol::resumption::Items;

/// What all rungs carry with them.
#[derive(Debug)]
pub struct Line {
    pub head: Head,
    sequence: u64,
    /// How many items are whole.
    items: u64,
    /// Those items as JSON, with commas between: the last event repeats them.
    pub output: Vec<u8>,
}

impl Line {
    /// `sequence` is the number of the first event.
    pub fn new(head: Head, sequence: u64) -> Self {
        Self {
            head,
            sequence,
            items: 0,
            output: Vec::new(),
        }
    }

    /// Of a response that goes on: these items have passed whole.
    pub fn behind(head: Head, passed: &Items) -> Self {
        Self {
            head,
            sequence: passed.sequence,
            items: passed.count,
            output: passed.output.clone(),
        }
    }

    pub fn event(&mut self, out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let sequence = self.sequence;
        self.sequence += 1;
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        json_write::object(out, |out| {
            out.text("type", name);
            out.number("sequence_number", sequence);
            fill(out);
        });
        out.extend_from_slice(b"\n\n");
    }

    /// An event about the item that is open.
    pub fn of_item(
        &mut self,
        out: &mut Vec<u8>,
        name: &str,
        id: &str,
        fill: impl FnOnce(&mut Object<'_>),
    ) {
        let place = self.items;
        self.event(out, name, |out| {
            out.text("item_id", id);
            out.number("output_index", place);
            fill(out);
        });
    }

    pub fn added(&mut self, out: &mut Vec<u8>, item: impl FnOnce(&mut Object<'_>)) {
        let place = self.items;
        self.event(out, "response.output_item.added", |out| {
            out.number("output_index", place);
            out.object("item", item);
        });
    }

    pub fn done(&mut self, out: &mut Vec<u8>, item: impl FnOnce(&mut Object<'_>)) {
        if self.items > 0 {
            self.output.push(b',');
        }
        let from = self.output.len();
        json_write::object(&mut self.output, item);
        let place = self.items;
        let item = self.output.get(from..).unwrap_or_default().to_vec();
        self.event(out, "response.output_item.done", |out| {
            out.number("output_index", place);
            out.raw("item", &item);
        });
        self.items += 1;
    }

    /// An id that no other item of the response has.
    pub fn item_id(&self, prefix: &str) -> String {
        self.head.item_id(prefix, self.items)
    }

    pub fn response(
        &mut self,
        out: &mut Vec<u8>,
        name: &str,
        status: &str,
        fill: impl FnOnce(&mut Object<'_>),
    ) {
        let output = std::mem::take(&mut self.output);
        let head = std::mem::take(&mut self.head);
        self.event(out, name, |out| {
            out.object("response", |out| {
                head.write(out, status, &output, fill);
            });
        });
        self.output = output;
        self.head = head;
    }

    /// Says what went wrong, and ends.
    pub fn fail(mut self, out: &mut Vec<u8>, failure: &Failure) {
        self.event(out, "error", |out| errors::write_event(out, failure));
        self.response(out, "response.failed", "failed", |out| {
            out.object("error", |out| {
                out.text("code", errors::code(failure));
                out.text("message", &failure.message);
            });
            out.null("incomplete_details");
            out.null("usage");
        });
    }
}
