//! A whole answer for a client: the response that the last event of its stream would repeat.

use super::stream::{Encoder, Head};
use crate::protocol::json_fields::{Fields, Path};
use crate::protocol::neutral::{
    Answer, Content, Delta, Dialect, Event, NotCarried, Opening, Raw, Source, Why,
};

/// The body of an answer, and what of it the client cannot be told.
///
/// Of several choices the first is the answer.
pub fn encode_answer(answer: &Answer, mut head: Head) -> (Vec<u8>, Vec<NotCarried>) {
    if answer.service_tier.is_some() {
        head.service_tier.clone_from(&answer.service_tier);
    }
    head.created = answer.created.unwrap_or(head.created);
    let mut encoder = Encoder::of_whole(head);
    // The events themselves are not wanted.
    let mut events = Vec::new();
    let choice = answer.choices.first();
    if answer.choices.len() > 1 {
        encoder.notes().add("choices", Why::Unsupported);
    }
    let foreign = answer.extensions.foreign(Dialect::Responses);
    let of_choice = choice.map(|choice| choice.extensions.foreign(Dialect::Responses));
    for extension in foreign.chain(of_choice.into_iter().flatten()) {
        encoder.notes().add(&extension.name, Why::Unsupported);
    }
    if let Some(choice) = choice {
        if let Some(logprobs) = choice.logprobs.as_ref().and_then(tokens) {
            encoder.set_logprobs(logprobs);
        }
        for (block, content) in choice.content.iter().enumerate() {
            let block = u32::try_from(block).unwrap_or(u32::MAX);
            let Some((opening, deltas)) = told(&content.content) else {
                encoder
                    .notes()
                    .add(format!("content.{block}"), Why::Unsupported);
                continue;
            };
            let start = Event::BlockStart {
                choice: 0,
                block,
                opening,
            };
            let stop = Event::BlockStop { choice: 0, block };
            let deltas = deltas.into_iter().map(|delta| Event::BlockDelta {
                choice: 0,
                block,
                delta,
            });
            for event in std::iter::once(start).chain(deltas).chain([stop]) {
                encoder.event(event, &mut events);
                events.clear();
            }
        }
        if let Some(stop) = choice.stop.clone() {
            encoder.event(Event::Finish { choice: 0, stop }, &mut events);
        }
    }
    if let Some(usage) = answer.usage.clone() {
        encoder.event(Event::Usage(usage), &mut events);
    }
    let notes = encoder.not_carried().to_vec();
    (encoder.into_body(&mut events), notes)
}

/// Chat Completions' `logprobs` as this protocol has them: the list of the content's tokens.
fn tokens(logprobs: &Raw) -> Option<Raw> {
    let mut fields = Fields::read(logprobs.as_bytes(), &Path::Body).ok()?;
    let tokens = fields.raw("content", &Path::Body).ok()??;
    tokens.as_str().starts_with('[').then_some(tokens)
}

/// A block as its stream would tell it; `None` for one of a request.
fn told(content: &Content) -> Option<(Opening, Vec<Delta>)> {
    Some(match content {
        Content::Text { text, citations } => {
            let citations = citations.iter().cloned().map(Delta::Citation);
            let text = Delta::Text(text.said().into_owned());
            (
                Opening::Text,
                std::iter::once(text).chain(citations).collect(),
            )
        }
        Content::Refusal(text) => (Opening::Refusal, vec![Delta::Text(text.clone())]),
        Content::Thinking { text, signature } => {
            let mut deltas = vec![Delta::Thinking(text.clone())];
            deltas.extend(signature.clone().map(Delta::Signature));
            (Opening::Thinking, deltas)
        }
        Content::RedactedThinking(data) => (Opening::RedactedThinking(data.clone()), Vec::new()),
        Content::ToolCall(call) => (
            Opening::ToolCall {
                id: call.id.clone(),
                name: call.name.clone(),
                kind: call.kind,
            },
            vec![Delta::Arguments(call.arguments.clone())],
        ),
        Content::ServerCall(call) => (
            Opening::ServerCall {
                id: call.id.clone(),
                name: call.name.clone(),
            },
            vec![Delta::Arguments(call.input.clone())],
        ),
        Content::ServerResult(result) => (Opening::ServerResult(result.clone()), Vec::new()),
        Content::Image { source, .. } => {
            let url = match source {
                Source::Url(url) => url.clone(),
                Source::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
                _ => return None,
            };
            (Opening::Image(url), Vec::new())
        }
        Content::Audio { id, .. } => (Opening::Audio(id.clone().unwrap_or_default()), Vec::new()),
        Content::Unknown { dialect, kind, raw } => (
            Opening::Unknown {
                dialect: *dialect,
                kind: kind.clone(),
                raw: raw.clone(),
            },
            Vec::new(),
        ),
        Content::Document { .. } | Content::ToolResult(_) => return None,
    })
}
