//! From one protocol to another, by way of `neutral`: for calls whose client and upstream speak different ones.
//!
//! [`request`] goes from the client to the upstream; [`answer`] and [`Crossing`], for streams, go back. Called by the journey.
//! Holds no rule about any protocol: those are in their folders.

mod stream;

use crate::protocol::json_fields::DecodeError;
use crate::protocol::neutral::{
    Answer, Dialect, Encoded, Failure, NotCarried, Refused, Reversal, UsageReport,
};
use crate::protocol::pass::{StreamFacts, StreamFault};
use crate::protocol::{anthropic, json_write, openai_chat};
use crate::types::Operation;

pub use stream::Crossing;

/// The protocol of a conversation; `None` for other operations.
pub fn dialect(operation: Operation) -> Option<Dialect> {
    match operation {
        Operation::Chat => Some(Dialect::Chat),
        Operation::Messages => Some(Dialect::Anthropic),
        Operation::Completion | Operation::Embedding | Operation::Responses => None,
    }
}

/// Who a request is put to.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    Chat(openai_chat::Target<'a>),
    Anthropic(anthropic::Target<'a>),
}

impl Target<'_> {
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Chat(_) => Dialect::Chat,
            Self::Anthropic(_) => Dialect::Anthropic,
        }
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        match self {
            Self::Chat(target) => target.model,
            Self::Anthropic(target) => target.model,
        }
    }
}

/// What a client is to see of an answer.
#[derive(Clone, Debug)]
pub struct Form {
    /// The client's name of the model.
    pub model: String,
    /// Stands in where the upstream gives none.
    pub id: String,
    /// Seconds since the Unix epoch, for an upstream that says no time.
    pub created: u64,
    /// A stream of chat tells its usage.
    pub wants_usage: bool,
    /// The upstream ends its answers with a reason; without one they were cut off.
    pub ends_with_reason: bool,
}

/// A request that does not get across.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranded {
    /// The client's request is none.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
    /// The upstream's protocol cannot say it.
    #[error(transparent)]
    Unspeakable(#[from] Refused),
}

impl Stranded {
    /// The field that is at fault, as the client spells it.
    pub fn field(&self) -> &str {
        match self {
            Self::Unreadable(error) => &error.path,
            Self::Unspeakable(refused) => &refused.field,
        }
    }
}

/// A client's request in the upstream's protocol.
pub fn request(from: Dialect, body: &[u8], to: &Target<'_>) -> Result<Encoded, Stranded> {
    let request = match from {
        Dialect::Chat | Dialect::Responses => openai_chat::decode_request(body)?,
        Dialect::Anthropic => anthropic::decode_request(body)?,
    };
    Ok(match to {
        Target::Chat(target) => openai_chat::encode_request(&request, target)?,
        Target::Anthropic(target) => anthropic::encode_request(&request, target)?,
    })
}

/// A whole answer of an upstream in its client's protocol, and what it told.
pub fn answer(
    from: Dialect,
    body: &[u8],
    to: Dialect,
    form: &Form,
    reversal: &Reversal,
) -> Result<(Vec<u8>, StreamFacts), StreamFault> {
    let read = match from {
        Dialect::Chat | Dialect::Responses => openai_chat::decode_answer(body),
        Dialect::Anthropic => anthropic::decode_answer(body),
    };
    let Ok(mut answer) = read else {
        return Err(match failure(from, body) {
            Some(failure) => StreamFault::Error(frame(&failure)),
            None => StreamFault::Malformed,
        });
    };
    let facts = facts(&answer);
    reversal.undo(&mut answer);
    answer.model.clone_from(&form.model);
    if answer.id.is_empty() {
        answer.id.clone_from(&form.id);
    }
    let (body, _) = encode(to, &answer, form);
    Ok((body, facts))
}

fn encode(to: Dialect, answer: &Answer, form: &Form) -> (Vec<u8>, Vec<NotCarried>) {
    match to {
        Dialect::Chat | Dialect::Responses => openai_chat::encode_answer(answer, form.created),
        Dialect::Anthropic => anthropic::encode_answer(answer),
    }
}

fn facts(answer: &Answer) -> StreamFacts {
    let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let contents = answer.choices.iter().flat_map(|choice| &choice.content);
    let mut facts = StreamFacts {
        id: said(&answer.id),
        model: said(&answer.model),
        service_tier: answer.service_tier.clone(),
        content_bytes: contents
            .map(|block| block.content.content_bytes() as u64)
            .sum(),
        ..StreamFacts::default()
    };
    if let Some(usage) = &answer.usage {
        tell_usage(&mut facts, usage);
    }
    facts
}

fn tell_usage(facts: &mut StreamFacts, usage: &UsageReport) {
    facts.usage = Some(usage.counts);
}

/// The error that an upstream's body tells of, if it does.
fn failure(from: Dialect, body: &[u8]) -> Option<Failure> {
    match from {
        Dialect::Chat | Dialect::Responses => openai_chat::decode_error(body, None),
        Dialect::Anthropic => anthropic::decode_error(body, None),
    }
}

/// An error as upstreams tell it in the middle of a stream.
fn frame(failure: &Failure) -> Vec<u8> {
    let mut frame = Vec::with_capacity(failure.message.len() + 64);
    json_write::object(&mut frame, |out| {
        out.text("type", anthropic::error_type(failure.kind));
        out.text("message", &failure.message);
        out.maybe_text("code", failure.code.as_deref());
        out.maybe_text("param", failure.param.as_deref());
    });
    frame
}
