//! A stream that passes from Anthropic to its clients: the model gets the client's name, every other byte goes out as it came.

use std::ops::Range;

use bytes::Bytes;

use crate::protocol::anthropic::pass::{MessageSpans, service_tier};
use crate::protocol::anthropic::usage::Counts;
use crate::protocol::json::{plain_str, scan_object};
use crate::protocol::pass::{Edited, Out, Passing, StreamFacts, StreamFault, Verdict};
use crate::protocol::sse::{self, Data};

/// The end that some hosts leave out.
const MESSAGE_STOP: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// The state of one stream.
pub struct Editor {
    /// The client's name of the model as a JSON string, quotes included.
    model_json: Vec<u8>,
    passing: Passing,
    counts: Counts,
    /// What the stream told so far.
    pub facts: StreamFacts,
}

impl Editor {
    pub fn new(model_json: Vec<u8>) -> Self {
        Self {
            model_json,
            passing: Passing::default(),
            counts: Counts::default(),
            facts: StreamFacts::default(),
        }
    }

    /// Takes the next bytes of the upstream.
    pub fn feed(&mut self, read: Bytes) -> Edited {
        let mut passing = std::mem::take(&mut self.passing);
        let edited = passing.feed(read, |event, out| self.judge(event, out));
        self.passing = passing;
        edited
    }

    /// The upstream ended: an event without its blank line is still an event.
    pub fn finish(&mut self) -> Edited {
        let mut passing = std::mem::take(&mut self.passing);
        passing.finish(|event, out| self.judge(event, out))
    }

    /// Whether a stream that ends here, in good order, is a whole answer.
    pub fn may_end(&self) -> bool {
        self.facts.done || self.facts.finished
    }

    /// What is missing at the end of a whole answer.
    pub fn closing(&mut self) -> Vec<u8> {
        if std::mem::replace(&mut self.facts.done, true) {
            return Vec::new();
        }
        MESSAGE_STOP.to_vec()
    }

    fn judge(&mut self, event: &[u8], out: &mut Out<'_>) -> Verdict {
        let data = sse::data(event);
        let Some(payload) = data.bytes() else {
            // A comment, or a name without data: the gateway keeps streams alive itself.
            return Verdict::Drop;
        };
        if self.facts.done || payload == b"[DONE]" {
            // Nothing may follow `message_stop`, and only other protocols end so.
            return Verdict::Drop;
        }
        if payload.iter().all(u8::is_ascii_whitespace) {
            return Verdict::Drop;
        }
        let Some(spans) = EventSpans::read(payload) else {
            return Verdict::Fault(StreamFault::Malformed);
        };
        match spans.kind {
            Kind::Delta => self.learn_delta(payload, spans.inner),
            Kind::BlockStart => self.learn_block(payload, spans.inner),
            Kind::Start => return self.start(event, &data, payload, spans.inner, out),
            Kind::MessageDelta => self.learn_end(payload, &spans),
            Kind::Stop => self.facts.done = true,
            Kind::Error => return Verdict::Fault(StreamFault::Error(payload.to_vec())),
            Kind::Other => {}
        }
        Verdict::Keep
    }

    fn start(
        &mut self,
        event: &[u8],
        data: &Data<'_>,
        payload: &[u8],
        message: Option<Range<usize>>,
        out: &mut Out<'_>,
    ) -> Verdict {
        let Some(message) = message else {
            return Verdict::Keep;
        };
        let Some(spans) = MessageSpans::read(&payload[message.clone()]) else {
            return Verdict::Fault(StreamFault::Malformed);
        };
        let inner = &payload[message.clone()];
        spans.tell(inner, &mut self.facts);
        if let Some(usage) = &spans.usage {
            self.counts = Counts::read(&inner[usage.clone()]);
            self.tell_usage(&inner[usage.clone()]);
        }
        let Some(model) = spans.model else {
            return Verdict::Keep;
        };
        if inner[model.clone()] == self.model_json[..] {
            return Verdict::Keep;
        }
        let (start, end) = (message.start + model.start, message.start + model.end);
        let out = out.instead();
        // Before and behind the name of the model, in the event as it came where it is one line.
        let (before, behind) = match data {
            Data::One(line) => {
                let at = line.as_ptr() as usize - event.as_ptr() as usize;
                out.extend_from_slice(&event[..at]);
                (&line[..start], &event[at + end..])
            }
            _ => {
                out.extend_from_slice(b"event: message_start\ndata: ");
                (&payload[..start], &payload[end..])
            }
        };
        out.extend_from_slice(before);
        out.extend_from_slice(&self.model_json);
        out.extend_from_slice(behind);
        if !matches!(data, Data::One(_)) {
            out.extend_from_slice(b"\n\n");
        }
        Verdict::Written
    }

    fn learn_block(&mut self, payload: &[u8], block: Option<Range<usize>>) {
        let Some(block) = block.map(|block| &payload[block]) else {
            return;
        };
        let (kind, bytes) = said(block);
        self.facts.content_bytes += bytes;
        // A text or a thought begins empty; whatever else begins is content.
        let is_open = matches!(kind, Some("text" | "thinking"));
        self.facts.content_started |= bytes > 0 || !is_open;
    }

    fn learn_delta(&mut self, payload: &[u8], delta: Option<Range<usize>>) {
        let bytes = delta.map_or(0, |delta| said(&payload[delta]).1);
        self.facts.content_bytes += bytes;
        self.facts.content_started |= bytes > 0;
    }

    fn learn_end(&mut self, payload: &[u8], spans: &EventSpans) {
        if let Some(delta) = spans.inner.clone() {
            let delta = &payload[delta];
            // It cannot fail: it has been scanned as a part.
            let _ = scan_object(delta, |field| {
                self.facts.finished |=
                    &delta[field.key] == b"stop_reason" && delta[field.value] != *b"null";
            });
        }
        if let Some(usage) = spans.usage.clone() {
            self.counts
                .replace_with(Counts::read(&payload[usage.clone()]));
            self.tell_usage(&payload[usage]);
        }
    }

    fn tell_usage(&mut self, usage: &[u8]) {
        if let Some(report) = self.counts.report() {
            let mut counts = report.counts;
            counts.output_is_open = !self.facts.finished;
            self.facts.usage = Some(counts);
        }
        if self.facts.service_tier.is_none() {
            self.facts.service_tier = service_tier(usage);
        }
    }
}

/// What an event is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Start,
    BlockStart,
    Delta,
    MessageDelta,
    Stop,
    Error,
    Other,
}

/// Where the fields of interest lie in an event's data.
struct EventSpans {
    kind: Kind,
    /// `message`, `content_block` or `delta`.
    inner: Option<Range<usize>>,
    usage: Option<Range<usize>>,
}

impl EventSpans {
    /// Reads an event's data; `None` when it is no JSON object.
    fn read(payload: &[u8]) -> Option<Self> {
        let mut spans = Self {
            kind: Kind::Other,
            inner: None,
            usage: None,
        };
        let mut fails = false;
        scan_object(payload, |field| {
            let value = &payload[field.value.clone()];
            match &payload[field.key] {
                b"type" => {
                    spans.kind = match value {
                        b"\"message_start\"" => Kind::Start,
                        b"\"content_block_start\"" => Kind::BlockStart,
                        b"\"content_block_delta\"" => Kind::Delta,
                        b"\"message_delta\"" => Kind::MessageDelta,
                        b"\"message_stop\"" => Kind::Stop,
                        b"\"error\"" => Kind::Error,
                        _ => Kind::Other,
                    };
                }
                b"message" | b"content_block" | b"delta" if value.first() == Some(&b'{') => {
                    spans.inner = Some(field.value);
                }
                b"usage" if value.first() == Some(&b'{') => spans.usage = Some(field.value),
                b"error" if value != b"null" => fails = true,
                _ => {}
            }
        })
        .ok()?;
        if fails {
            // Some hosts say it without a type.
            spans.kind = Kind::Error;
        }
        Some(spans)
    }
}

/// The type of a block or a delta, and its bytes of text, thought or input.
fn said(object: &[u8]) -> (Option<&str>, u64) {
    let mut kind = None;
    let mut bytes = 0;
    // Of what cannot be read nothing is said.
    let _ = scan_object(object, |field| match &object[field.key] {
        b"type" => kind = plain_str(object, &field.value),
        b"text" | b"thinking" | b"partial_json" if object.get(field.value.start) == Some(&b'"') => {
            bytes += field.value.len() as u64 - 2;
        }
        _ => {}
    });
    (kind, bytes)
}

#[cfg(test)]
mod tests;
