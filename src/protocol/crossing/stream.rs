//! A stream that changes its protocol on the way.

use bytes::Bytes;

use super::{Form, frame, tell_usage};
use crate::protocol::neutral::{Dialect, Event, Failure, Reversal, StreamReversal};
use crate::protocol::pass::{Edited, StreamFacts, StreamFault};
use crate::protocol::{anthropic, openai_chat};

/// The state of one stream. Accepts any chunk boundary; what it writes is well-formed whatever comes.
pub struct Crossing {
    upstream: Upstream,
    reversal: StreamReversal,
    client: Client,
    /// Room for the events of one read.
    events: Vec<Event>,
    /// What the stream told so far.
    pub facts: StreamFacts,
}

#[allow(clippy::large_enum_variant, reason = "one a stream")]
enum Upstream {
    Chat(openai_chat::stream::Decoder),
    Anthropic(anthropic::stream::Decoder),
}

#[allow(clippy::large_enum_variant, reason = "one a stream")]
enum Client {
    Chat(openai_chat::stream::Encoder),
    Anthropic(anthropic::stream::Encoder),
}

impl Crossing {
    pub fn new(from: Dialect, to: Dialect, form: Form, reversal: Reversal) -> Self {
        let upstream = match from {
            Dialect::Chat | Dialect::Responses => {
                let ending = if form.ends_with_reason {
                    openai_chat::stream::Ending::WithReason
                } else {
                    openai_chat::stream::Ending::Anyhow
                };
                Upstream::Chat(openai_chat::stream::Decoder::new(&form.id, ending))
            }
            Dialect::Anthropic => Upstream::Anthropic(anthropic::stream::Decoder::default()),
        };
        let client = match to {
            Dialect::Chat | Dialect::Responses => Client::Chat(openai_chat::stream::Encoder::new(
                openai_chat::stream::StreamForm {
                    model: form.model,
                    id: form.id,
                    created: form.created,
                    wants_usage: form.wants_usage,
                },
            )),
            Dialect::Anthropic => {
                Client::Anthropic(anthropic::stream::Encoder::new(form.model, form.id))
            }
        };
        Self {
            upstream,
            reversal: StreamReversal::new(reversal),
            client,
            events: Vec::new(),
            facts: StreamFacts::default(),
        }
    }

    /// Takes the next bytes of the upstream.
    pub fn feed(&mut self, read: &[u8]) -> Edited {
        match &mut self.upstream {
            Upstream::Chat(decoder) => decoder.feed(read, &mut self.events),
            Upstream::Anthropic(decoder) => decoder.feed(read, &mut self.events),
        }
        self.across()
    }

    /// The upstream ended.
    pub fn finish(&mut self) -> Edited {
        match &mut self.upstream {
            Upstream::Chat(decoder) => decoder.finish(&mut self.events),
            Upstream::Anthropic(decoder) => decoder.finish(&mut self.events),
        }
        self.across()
    }

    /// The event that ends the stream with an error, and what must be said before it.
    pub fn fail(&mut self, failure: &Failure) -> Vec<u8> {
        let mut out = Vec::new();
        self.client.event(Event::Error(failure.clone()), &mut out);
        out
    }

    fn across(&mut self) -> Edited {
        let mut out = Vec::new();
        for event in self.events.drain(..) {
            if let Event::Error(failure) = &event {
                // Who called decides what the client is told of it.
                return Edited {
                    out: out.into(),
                    fault: Some(StreamFault::Error(frame(failure))),
                };
            }
            learn(&mut self.facts, &event);
            self.client.event(self.reversal.undo(event), &mut out);
        }
        Edited {
            out: Bytes::from(out),
            fault: None,
        }
    }
}

impl Client {
    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        match self {
            Self::Chat(encoder) => encoder.event(event, out),
            Self::Anthropic(encoder) => encoder.event(event, out),
        }
    }
}

fn learn(facts: &mut StreamFacts, event: &Event) {
    facts.content_started |= event.is_content();
    match event {
        Event::Start { id, model, .. } => {
            let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
            facts.id = said(id);
            facts.model = said(model);
        }
        Event::BlockDelta { delta, .. } => facts.content_bytes += delta.content_bytes() as u64,
        Event::Usage(usage) => tell_usage(facts, usage),
        Event::Finish { .. } => facts.finished = true,
        Event::End => facts.done = true,
        _ => {}
    }
}
