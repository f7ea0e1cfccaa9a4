//! From one protocol to another, by way of `neutral`: for calls whose client and upstream speak different ones.
//!
//! [`request`] goes from the client to the upstream; its [`Back`] goes back with a whole answer, and makes a [`Crossing`] for
//! a stream. Called by the journey. Holds no rule about any protocol: those are in their folders.

mod back;
mod stream;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::json_fields::DecodeError;
use crate::protocol::neutral::{Dialect, Encoded, NotCarried, Refused, Request};
use crate::protocol::{anthropic, openai_chat, openai_responses};
use crate::types::Operation;

pub use back::{Back, Form};
pub use stream::Crossing;

/// The protocol of a conversation; `None` for other operations.
pub fn dialect(operation: Operation) -> Option<Dialect> {
    match operation {
        Operation::Chat => Some(Dialect::Chat),
        Operation::Messages => Some(Dialect::Anthropic),
        Operation::Responses => Some(Dialect::Responses),
        Operation::Completion | Operation::Embedding | Operation::Compaction => None,
    }
}

/// Who a request is put to.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    Chat(openai_chat::Target<'a>),
    Anthropic(anthropic::Target<'a>),
    Responses(openai_responses::Target<'a>),
}

impl Target<'_> {
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Chat(_) => Dialect::Chat,
            Self::Anthropic(_) => Dialect::Anthropic,
            Self::Responses(_) => Dialect::Responses,
        }
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        match self {
            Self::Chat(target) => target.model,
            Self::Anthropic(target) => target.model,
            Self::Responses(target) => target.model,
        }
    }
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

/// A request in the upstream's protocol.
#[derive(Clone, Debug)]
pub struct Across {
    pub body: Vec<u8>,
    /// See [`Encoded::messages`].
    pub messages: Option<Range<usize>>,
    /// Values for Anthropic's `anthropic-beta` header that the body needs.
    pub betas: Vec<&'static str>,
    /// Fields as the client spells them.
    pub not_carried: Vec<NotCarried>,
    pub back: Back,
}

/// A client's request in the upstream's protocol.
pub fn request(from: Dialect, body: &Bytes, to: &Target<'_>) -> Result<Across, Stranded> {
    let (request, asked) = match from {
        Dialect::Chat => (openai_chat::decode_request(body)?, None),
        Dialect::Anthropic => (anthropic::decode_request(body)?, None),
        Dialect::Responses => {
            let (request, asked) = openai_responses::decode_request(body)?;
            (request, Some(asked))
        }
    };
    let path = |field: String| match &asked {
        Some(asked) => asked.path(&request, &field),
        None => field,
    };
    let encoded = encode(&request, to).map_err(|refused| Refused {
        field: path(refused.field),
        why: refused.why,
    })?;
    let not_carried = encoded.not_carried.into_iter().map(|note| NotCarried {
        field: path(note.field),
        why: note.why,
    });
    Ok(Across {
        body: encoded.body,
        messages: encoded.messages,
        betas: encoded.betas,
        not_carried: not_carried.collect(),
        back: Back {
            upstream: to.dialect(),
            client: from,
            reversal: encoded.reversal,
            asked: asked.map(Arc::new),
        },
    })
}

fn encode(request: &Request, to: &Target<'_>) -> Result<Encoded, Refused> {
    match to {
        Target::Chat(target) => openai_chat::encode_request(request, target),
        Target::Anthropic(target) => anthropic::encode_request(request, target),
        Target::Responses(target) => openai_responses::encode_request(request, target),
    }
}
