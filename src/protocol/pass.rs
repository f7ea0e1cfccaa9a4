//! A stream of server-sent events that passes: each event is looked at once and forwarded, left out or written anew.
//!
//! What the events mean is each protocol's own; here is what all have in common. Events leave with lines that end in LF. Reads in which nothing is to be edited are
//! forwarded as they came, without a copy. Any chunk boundary is accepted, in the middle of a UTF-8 character too.

use bytes::{Bytes, BytesMut};

use super::openai::usage::ParsedUsage;
use super::sse;
use super::sse_events::MAX_EVENT;

/// Why an answer cannot be used, or a stream cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// The upstream told an error: its JSON.
    Error(Vec<u8>),
    /// No JSON object, or an event larger than the bound.
    Malformed,
}

/// What one read became.
#[derive(Debug, Default)]
pub struct Edited {
    /// Bytes for the client: whole events.
    pub out: Bytes,
    /// The stream ended in an error; `out` holds what came before it.
    pub fault: Option<StreamFault>,
}

/// What an answer told on its way.
#[derive(Clone, Debug, Default)]
pub struct StreamFacts {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The provider's own name of the model.
    pub model: Option<String>,
    pub service_tier: Option<String>,
    pub usage: Option<ParsedUsage>,
    /// Content has begun: text, reasoning, a refusal, a tool call, audio.
    pub content_started: bool,
    /// Bytes of text, reasoning and tool arguments delivered: what tokens are estimated from.
    pub content_bytes: u64,
    /// A choice has ended with a reason.
    pub finished: bool,
    /// The last event arrived.
    pub done: bool,
}

/// What becomes of one event.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Keep,
    Drop,
    /// Something stands in its place: see [`Out::instead`].
    Written,
    Fault(StreamFault),
}

/// Keeps the beginning of an event until its end arrives.
#[derive(Debug, Default)]
pub struct Passing {
    carry: BytesMut,
}

/// What a read becomes: the read itself until something in it has to change.
pub struct Out<'r> {
    read: &'r Bytes,
    /// Events before this offset are judged.
    at: usize,
    changed: Option<BytesMut>,
}

impl Out<'_> {
    /// The buffer for what stands in an event's place.
    pub fn instead(&mut self) -> &mut BytesMut {
        let (read, at) = (self.read, self.at);
        self.changed.get_or_insert_with(|| {
            let mut out = BytesMut::with_capacity(read.len() + 64);
            out.extend_from_slice(&read[..at]);
            out
        })
    }

    fn judged(&mut self, event: usize, keep: bool) {
        if keep {
            if let Some(changed) = &mut self.changed {
                changed.extend_from_slice(&self.read[self.at..self.at + event]);
            }
        } else {
            self.instead();
        }
        self.at += event;
    }
}

/// An event whose lines end otherwise than in LF, written so: not every client knows all three ways.
fn in_lines(event: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\r', event)?;
    let mut plain = Vec::with_capacity(event.len());
    let mut rest = event;
    while let Some(at) = memchr::memchr(b'\r', rest) {
        let (line, after) = rest.split_at(at);
        plain.extend_from_slice(line);
        plain.push(b'\n');
        rest = after
            .strip_prefix(b"\r\n")
            .or(after.get(1..))
            .unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    Some(plain)
}

impl Passing {
    /// Takes the next bytes of the upstream; `judge` sees each event that is whole now, blank line included.
    pub fn feed(
        &mut self,
        read: Bytes,
        judge: impl FnMut(&[u8], &mut Out<'_>) -> Verdict,
    ) -> Edited {
        if self.carry.is_empty() {
            return self.events(read, judge);
        }
        // The end may have begun in the last bytes that were looked at; before them there is none.
        let from = self.carry.len().saturating_sub(4);
        self.carry.extend_from_slice(&read);
        if sse::event_end(&self.carry[from..]).is_none() {
            let fault = (self.carry.len() > MAX_EVENT).then_some(StreamFault::Malformed);
            return Edited {
                fault,
                ..Edited::default()
            };
        }
        let whole = self.carry.split().freeze();
        self.events(whole, judge)
    }

    /// The upstream ended: an event without its blank line is still an event.
    pub fn finish(&mut self, judge: impl FnMut(&[u8], &mut Out<'_>) -> Verdict) -> Edited {
        if self.carry.is_empty() {
            return Edited::default();
        }
        let mut rest = self.carry.split();
        rest.extend_from_slice(b"\n\n");
        self.events(rest.freeze(), judge)
    }

    fn events(
        &mut self,
        read: Bytes,
        mut judge: impl FnMut(&[u8], &mut Out<'_>) -> Verdict,
    ) -> Edited {
        let mut out = Out {
            read: &read,
            at: 0,
            changed: None,
        };
        let mut fault = None;
        while let Some(length) = sse::event_end(&read[out.at..]) {
            let event = &read[out.at..out.at + length];
            let plain = in_lines(event);
            let verdict = match &plain {
                None => judge(event, &mut out),
                Some(plain) => match judge(plain, &mut out) {
                    Verdict::Keep => {
                        out.instead().extend_from_slice(plain);
                        Verdict::Written
                    }
                    other => other,
                },
            };
            match verdict {
                Verdict::Keep => out.judged(length, true),
                Verdict::Drop | Verdict::Written => out.judged(length, false),
                Verdict::Fault(found) => {
                    fault = Some(found);
                    break;
                }
            }
        }
        let Out { at, changed, .. } = out;
        if fault.is_none() && at < read.len() {
            if read.len() - at > MAX_EVENT {
                fault = Some(StreamFault::Malformed);
            } else {
                self.carry.extend_from_slice(&read[at..]);
            }
        }
        let out = match changed {
            Some(changed) => changed.freeze(),
            None => read.slice(..at),
        };
        Edited { out, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_lf() {
        for (event, expected) in [
            ("data: a\n\n", None),
            ("event: e\r\ndata: a\r\n\r\n", Some("event: e\ndata: a\n\n")),
            ("data: a\rdata: b\r\r", Some("data: a\ndata: b\n\n")),
            ("data: a\r\n\n", Some("data: a\n\n")),
        ] {
            let plain = in_lines(event.as_bytes());
            assert_eq!(plain.as_deref(), expected.map(str::as_bytes), "{event:?}");
        }
    }
}
