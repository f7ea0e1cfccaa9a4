//! A stream that changes its protocol on the way.

use bytes::Bytes;

use super::back::{Back, Form, frame, tell_usage};
use crate::protocol::neutral::{Dialect, Event, Failure, StreamReversal};
use crate::protocol::pass::{Edited, StreamFacts, StreamFault};
use crate::protocol::resumption::{Passed, Splice};
use crate::protocol::{anthropic, openai_chat, openai_responses};
use crate::types::Usage;

/// The state of one stream. Accepts any chunk boundary; what it writes is well-formed whatever comes.
pub struct Crossing {
    upstream: Upstream,
    reversal: StreamReversal,
    /// Where it is the rest of a stream that broke.
    splice: Option<Splice>,
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
        let upstream = Upstream::new(back.upstream, &form);
        let client = match back.client {
            Dialect::Chat => Client::Chat(openai_chat::stream::Encoder::new(chat_form(form))),
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
            splice: None,
            client,
            events: Vec::new(),
            facts: StreamFacts::default(),
        }
    }

    pub(super) fn behind(back: Back, form: Form, passed: &Passed, before: Usage) -> Self {
        let upstream = Upstream::new(back.upstream, &form);
        let client = match back.client {
            Dialect::Chat => {
                let form = chat_form(form);
                Client::Chat(openai_chat::stream::Encoder::going_on(form, passed))
            }
            Dialect::Anthropic => Client::Anthropic(anthropic::stream::Encoder::going_on(passed)),
            Dialect::Responses => {
                let head = back.head(form);
                Client::Responses(openai_responses::stream::Encoder::going_on(head, passed))
            }
        };
        Self {
            upstream,
            reversal: StreamReversal::new(back.reversal),
            splice: Some(Splice::new(passed, before)),
            client,
            events: Vec::new(),
            facts: StreamFacts::default(),
        }
    }

    /// What the upstream speaks.
    pub fn upstream(&self) -> Dialect {
        match &self.upstream {
            Upstream::Chat(_) => Dialect::Chat,
            Upstream::Anthropic(_) => Dialect::Anthropic,
            Upstream::Responses(_) => Dialect::Responses,
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
            let event = self.reversal.undo(event);
            match &mut self.splice {
                None => self.client.event(event, &mut out),
                Some(splice) => splice.edit(event, |event| self.client.event(event, &mut out)),
            }
        }
        Edited {
            out: Bytes::from(out),
            fault: None,
        }
    }
}

impl Upstream {
    fn new(dialect: Dialect, form: &Form) -> Self {
        use openai_chat::stream::{Decoder, Ending};
        match dialect {
            Dialect::Chat => {
                let ending = match form.ends_with_reason {
                    true => Ending::WithReason,
                    false => Ending::Anyhow,
                };
                Self::Chat(Decoder::new(&form.id, ending))
            }
            Dialect::Anthropic => Self::Anthropic(Default::default()),
            Dialect::Responses => Self::Responses(Default::default()),
        }
    }
}

fn chat_form(form: Form) -> openai_chat::stream::StreamForm {
    openai_chat::stream::StreamForm {
        model: form.model,
        id: form.id,
        created: form.created,
        wants_usage: form.wants_usage,
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
