//! A stream that changes its protocol on the way.

use bytes::Bytes;

use super::back::{Back, Form, frame, tell_usage};
use crate::protocol::neutral::{Dialect, Event, Failure, StreamReversal};
use crate::protocol::pass::{Edited, StreamFacts, StreamFault};
use crate::protocol::{anthropic, openai_chat, openai_responses};

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
    Responses(openai_responses::stream::Decoder),
}

#[allow(clippy::large_enum_variant, reason = "one a stream")]
enum Client {
    Chat(openai_chat::stream::Encoder),
    Anthropic(anthropic::stream::Encoder),
    Responses(openai_responses::stream::Encoder),
}

impl Crossing {
    pub(super) fn new(back: Back, form: Form) -> Self {
        use openai_chat::stream::{Decoder, Encoder, Ending, StreamForm};
        let upstream = match back.upstream {
            Dialect::Chat => {
                let ending = match form.ends_with_reason {
                    true => Ending::WithReason,
                    false => Ending::Anyhow,
                };
                Upstream::Chat(Decoder::new(&form.id, ending))
            }
            Dialect::Anthropic => Upstream::Anthropic(Default::default()),
            Dialect::Responses => Upstream::Responses(Default::default()),
        };
        let client = match back.client {
            Dialect::Chat => Client::Chat(Encoder::new(StreamForm {
                model: form.model,
                id: form.id,
                created: form.created,
                wants_usage: form.wants_usage,
            })),
            Dialect::Anthropic => {
                Client::Anthropic(anthropic::stream::Encoder::new(form.model, form.id))
            }
            Dialect::Responses => {
                let head = back.head(form);
                Client::Responses(openai_responses::stream::Encoder::new(head))
            }
        };
        Self {
            upstream,
            reversal: StreamReversal::new(back.reversal),
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
            Upstream::Responses(decoder) => decoder.feed(read, &mut self.events),
        }
        self.across()
    }

    /// The upstream ended.
    pub fn finish(&mut self) -> Edited {
        match &mut self.upstream {
            Upstream::Chat(decoder) => decoder.finish(&mut self.events),
            Upstream::Anthropic(decoder) => decoder.finish(&mut self.events),
            Upstream::Responses(decoder) => decoder.finish(&mut self.events),
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
            Self::Responses(encoder) => encoder.event(event, out),
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
