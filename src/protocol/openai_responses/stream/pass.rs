//! A stream that passes from an upstream of the Responses API to its clients: the model gets the client's name wherever a
//! response is repeated, every other byte goes out as it came.

use std::ops::Range;

use bytes::Bytes;

use super::head::Head;
use super::ladder;
use crate::protocol::json::{plain_str, scan_object};
use crate::protocol::neutral::Failure;
use crate::protocol::openai_responses::pass::ResponseSpans;
use crate::protocol::pass::{Edited, Out, Passing, StreamFacts, StreamFault, Verdict};
use crate::protocol::sse::{self, Data};

/// The state of one stream.
pub struct Editor {
    /// The client's name of the model as a JSON string, quotes included.
    model_json: Vec<u8>,
    passing: Passing,
    /// The sequence number of the next event.
    sequence: u64,
    /// Bytes of content in the item that is open.
    of_item: u64,
    /// What the stream told so far.
    pub facts: StreamFacts,
}

impl Editor {
    pub fn new(model_json: Vec<u8>) -> Self {
        Self {
            model_json,
            passing: Passing::default(),
            sequence: 0,
            of_item: 0,
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
        self.facts.done
    }

    /// What is missing at the end of a whole answer: nothing, its last event is its end.
    pub fn closing(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// The events that end a stream which cannot go on, after what has passed of it. `created` (seconds since the Unix epoch)
    /// is told where the upstream said no time.
    pub fn failing(&self, failure: &Failure, created: u64) -> Vec<u8> {
        let head = Head {
            id: self.facts.id.clone().unwrap_or_default(),
            model: serde_json::from_slice(&self.model_json).unwrap_or_default(),
            created,
            service_tier: self.facts.service_tier.clone(),
            asked: Default::default(),
        };
        let mut out = Vec::new();
        ladder::fail_after(head, self.sequence, failure, &mut out);
        out
    }

    fn judge(&mut self, event: &[u8], out: &mut Out<'_>) -> Verdict {
        let data = sse::data(event);
        let Some(payload) = data.bytes() else {
            // A comment, or a name without data: the gateway keeps streams alive itself.
            return Verdict::Drop;
        };
        if self.facts.done || payload == b"[DONE]" {
            // Nothing may follow the last event, and only other protocols end so.
            return Verdict::Drop;
        }
        if payload.iter().all(u8::is_ascii_whitespace) {
            return Verdict::Drop;
        }
        let Some(spans) = EventSpans::read(payload) else {
            return Verdict::Fault(StreamFault::Malformed);
        };
        self.sequence = spans.sequence.unwrap_or(self.sequence);
        let verdict = self.learn(event, &data, payload, &spans, out);
        if !matches!(verdict, Verdict::Fault(_)) {
            self.sequence = self.sequence.saturating_add(1);
        }
        verdict
    }

    fn learn(
        &mut self,
        event: &[u8],
        data: &Data<'_>,
        payload: &[u8],
        spans: &EventSpans,
        out: &mut Out<'_>,
    ) -> Verdict {
        let inner = spans.inner.clone().map(|inner| &payload[inner]);
        match spans.kind {
            Kind::Delta => {
                let bytes = inner.map_or(0, |text| text.len().saturating_sub(2) as u64);
                self.of_item += bytes;
                self.facts.content_bytes += bytes;
                self.facts.content_started |= bytes > 0;
            }
            Kind::Added => {
                self.of_item = 0;
                // A message or a thought begins empty; whatever else begins is content.
                self.facts.content_started |= inner.is_some_and(|item| !begins_empty(item));
            }
            Kind::Done => {
                if let Some(item) = inner.filter(|_| self.of_item == 0) {
                    self.facts.content_bytes += item.len() as u64;
                    self.facts.content_started = true;
                }
                self.of_item = 0;
            }
            Kind::Response(state) => return self.response(event, data, payload, spans, state, out),
            Kind::Error => {
                let error = inner.unwrap_or(payload);
                return Verdict::Fault(StreamFault::Error(error.to_vec()));
            }
            Kind::Other => {}
        }
        Verdict::Keep
    }

    fn response(
        &mut self,
        event: &[u8],
        data: &Data<'_>,
        payload: &[u8],
        found: &EventSpans,
        state: State,
        out: &mut Out<'_>,
    ) -> Verdict {
        let Some(place) = found.inner.clone() else {
            return Verdict::Fault(StreamFault::Malformed);
        };
        let response = &payload[place.clone()];
        let Some(spans) = ResponseSpans::read(response) else {
            return Verdict::Fault(StreamFault::Malformed);
        };
        spans.tell(response, &mut self.facts);
        match state {
            State::Failed => {
                let error = spans.error.map_or(payload, |error| &response[error]);
                return Verdict::Fault(StreamFault::Error(error.to_vec()));
            }
            State::Ended => {
                self.facts.finished = true;
                self.facts.done = true;
            }
            State::UnderWay => {}
        }
        let Some(model) = spans.model else {
            return Verdict::Keep;
        };
        if response[model.clone()] == self.model_json[..] {
            return Verdict::Keep;
        }
        let (start, end) = (place.start + model.start, place.start + model.end);
        let out = out.instead();
        // Before and behind the name of the model, in the event as it came where it is one line.
        match data {
            Data::One(line) => {
                let at = line.as_ptr() as usize - event.as_ptr() as usize;
                out.extend_from_slice(&event[..at + start]);
                out.extend_from_slice(&self.model_json);
                out.extend_from_slice(&event[at + end..]);
            }
            _ => {
                // Joined from several lines: line breaks may stand between tokens only.
                let flat = |bytes: &[u8]| -> Vec<u8> {
                    let kept = bytes.iter().filter(|byte| **byte != b'\n');
                    kept.copied().collect()
                };
                if let Some(name) = &found.name {
                    out.extend_from_slice(b"event: ");
                    out.extend_from_slice(&payload[name.clone()]);
                    out.extend_from_slice(b"\n");
                }
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&flat(&payload[..start]));
                out.extend_from_slice(&self.model_json);
                out.extend_from_slice(&flat(&payload[end..]));
                out.extend_from_slice(b"\n\n");
            }
        }
        Verdict::Written
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    UnderWay,
    Ended,
    Failed,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A response is repeated.
    Response(State),
    /// An item begins.
    Added,
    /// An item is whole.
    Done,
    /// Content of whatever sort.
    Delta,
    Error,
    Other,
}

/// Where the fields of interest lie in an event's data.
struct EventSpans {
    kind: Kind,
    /// The event's type, without quotes.
    name: Option<Range<usize>>,
    sequence: Option<u64>,
    /// `response`, `item`, `delta` or `error`.
    inner: Option<Range<usize>>,
}

impl EventSpans {
    /// Reads an event's data; `None` when it is no JSON object.
    fn read(payload: &[u8]) -> Option<Self> {
        let mut spans = Self {
            kind: Kind::Other,
            name: None,
            sequence: None,
            inner: None,
        };
        let mut fails = false;
        scan_object(payload, |field| {
            let value = &payload[field.value.clone()];
            match &payload[field.key] {
                b"type" => {
                    spans.kind = kind(value);
                    spans.name = Some(field.value.start + 1..field.value.end.saturating_sub(1));
                }
                b"sequence_number" => spans.sequence = serde_json::from_slice(value).ok(),
                b"response" | b"item" if value.first() == Some(&b'{') => {
                    spans.inner = Some(field.value);
                }
                b"delta" if value.first() == Some(&b'"') => spans.inner = Some(field.value),
                b"error" if value != b"null" => {
                    spans.inner = Some(field.value);
                    fails = true;
                }
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

/// Most events are deltas: they are known by their ending.
fn kind(name: &[u8]) -> Kind {
    if name.ends_with(b".delta\"") {
        return Kind::Delta;
    }
    match name {
        b"\"response.output_item.added\"" => Kind::Added,
        b"\"response.output_item.done\"" => Kind::Done,
        b"\"response.created\"" | b"\"response.in_progress\"" | b"\"response.queued\"" => {
            Kind::Response(State::UnderWay)
        }
        b"\"response.completed\"" | b"\"response.incomplete\"" => Kind::Response(State::Ended),
        b"\"response.failed\"" | b"\"response.cancelled\"" => Kind::Response(State::Failed),
        b"\"error\"" => Kind::Error,
        _ => Kind::Other,
    }
}

fn begins_empty(item: &[u8]) -> bool {
    let mut empty = false;
    // Of what cannot be read nothing is said.
    let _ = scan_object(item, |field| {
        if &item[field.key] == b"type" {
            let kind = plain_str(item, &field.value);
            empty = matches!(kind, Some("message" | "reasoning"));
        }
    });
    empty
}

#[cfg(test)]
mod tests;
