//! The way back of an answer.

use std::sync::Arc;

use super::stream::Crossing;
use crate::protocol::neutral::{Answer, Dialect, Failure, NotCarried, Reversal, UsageReport};
use crate::protocol::openai_responses::stream::Head;
use crate::protocol::openai_responses::{self, Asked};
use crate::protocol::pass::{StreamFacts, StreamFault};
use crate::protocol::resumption::Passed;
use crate::protocol::{anthropic, json_write, openai_chat};
use crate::types::Usage;

/// What turns an upstream's answer into its client's.
#[derive(Clone, Debug)]
pub struct Back {
    pub upstream: Dialect,
    pub client: Dialect,
    pub reversal: Reversal,
    /// What a client of Responses asked.
    pub asked: Option<Arc<Asked>>,
}

/// What a client is to see of an answer.
#[derive(Clone, Debug)]
pub struct Form {
    /// The client's name of the model.
    pub model: String,
    /// Stands in where the upstream gives none. Clients of Responses always see it.
    pub id: String,
    /// Seconds since the Unix epoch, for an upstream that says no time.
    pub created: u64,
    /// A stream of chat tells its usage.
    pub wants_usage: bool,
    /// The upstream ends its answers with a reason; without one they were cut off.
    pub ends_with_reason: bool,
}

impl Back {
    /// For an answer to a request that did not have to get across.
    pub fn plain(upstream: Dialect, client: Dialect) -> Self {
        Self {
            upstream,
            client,
            reversal: Reversal::default(),
            asked: None,
        }
    }

    /// A whole answer of the upstream in its client's protocol, and what it told.
    pub fn answer(&self, body: &[u8], form: Form) -> Result<(Vec<u8>, StreamFacts), StreamFault> {
        let read = match self.upstream {
            Dialect::Chat => openai_chat::decode_answer(body),
            Dialect::Anthropic => anthropic::decode_answer(body),
            Dialect::Responses => openai_responses::decode_answer(body),
        };
        // Some hosts answer with an error and status 200.
        let failed = || self.failure(body).map(|failure| frame(&failure));
        let mut answer = match read {
            Ok(answer) if says_nothing(&answer) => match failed() {
                Some(frame) => return Err(StreamFault::Error(frame)),
                None => answer,
            },
            Ok(answer) => answer,
            Err(_) => return Err(failed().map_or(StreamFault::Malformed, StreamFault::Error)),
        };
        let facts = facts(&answer);
        self.reversal.undo(&mut answer);
        answer.model.clone_from(&form.model);
        if answer.id.is_empty() {
            answer.id.clone_from(&form.id);
        }
        let (body, _) = self.encode(&answer, form);
        Ok((body, facts))
    }

    fn encode(&self, answer: &Answer, form: Form) -> (Vec<u8>, Vec<NotCarried>) {
        match self.client {
            Dialect::Chat => openai_chat::encode_answer(answer, form.created),
            Dialect::Anthropic => anthropic::encode_answer(answer),
            Dialect::Responses => openai_responses::encode_answer(answer, self.head(form)),
        }
    }

    /// For a stream.
    pub fn stream(self, form: Form) -> Crossing {
        Crossing::new(self, form)
    }

    /// For the rest of a stream that broke; `before` is what the calls before this one used.
    pub fn stream_behind(self, form: Form, passed: &Passed, before: Usage) -> Crossing {
        Crossing::behind(self, form, passed, before)
    }

    pub(super) fn head(&self, form: Form) -> Head {
        Head {
            id: response_id(form.id),
            model: form.model,
            created: form.created,
            service_tier: None,
            asked: self.asked.clone().unwrap_or_default(),
        }
    }

    /// The error that an upstream's body tells of, if it does.
    fn failure(&self, body: &[u8]) -> Option<Failure> {
        match self.upstream {
            Dialect::Chat => openai_chat::decode_error(body, None),
            Dialect::Anthropic => anthropic::decode_error(body, None),
            Dialect::Responses => openai_responses::decode_error(body, None),
        }
    }
}

fn response_id(id: String) -> String {
    match id.starts_with("resp_") {
        true => id,
        false => format!("resp_{id}"),
    }
}

fn says_nothing(answer: &Answer) -> bool {
    answer.usage.is_none()
        && answer
            .choices
            .iter()
            .all(|choice| choice.content.is_empty())
}

fn facts(answer: &Answer) -> StreamFacts {
    let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let blocks = answer.choices.iter().flat_map(|choice| &choice.content);
    let bytes: usize = blocks.map(|block| block.content.content_bytes()).sum();
    let mut facts = StreamFacts {
        id: said(&answer.id),
        model: said(&answer.model),
        service_tier: answer.service_tier.clone(),
        content_bytes: bytes as u64,
        ..StreamFacts::default()
    };
    if let Some(usage) = &answer.usage {
        tell_usage(&mut facts, usage);
    }
    facts
}

pub(super) fn tell_usage(facts: &mut StreamFacts, usage: &UsageReport) {
    facts.usage = Some(usage.counts);
}

/// An error as upstreams tell it in the middle of a stream.
pub(super) fn frame(failure: &Failure) -> Vec<u8> {
    let mut frame = Vec::with_capacity(failure.message.len() + 64);
    json_write::object(&mut frame, |out| {
        out.text("type", anthropic::error_type(failure.kind));
        out.text("message", &failure.message);
        out.maybe_text("code", failure.code.as_deref());
        out.maybe_text("param", failure.param.as_deref());
    });
    frame
}
