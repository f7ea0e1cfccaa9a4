//! A stream of chat or text completion as it passes: each event is looked at once, edited where a rule names it, and forwarded.
//!
//! The edits are: `model` becomes the client's name; usage that the client did not ask for is taken out (the gateway asks for
//! it because spend depends on it); comments of the upstream are dropped. Reads that need no edit are forwarded as they came,
//! without a copy. Any chunk boundary is accepted, in the middle of a UTF-8 character too.
//!
//! Chunks that are not as OpenAI sends them are written anew in its form ([`normal_form`]).

mod chunk;
mod edit;
mod normal_form;

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use self::chunk::{ChunkSpans, Said, has_content};
use self::edit::{EventEdit, Payload};
use self::normal_form::{Change, Stamp};
use super::reasoning;
use super::usage::parse_usage;
use crate::protocol::json;
use crate::protocol::pass::{self, Out, Passing};
use crate::protocol::sse::{self, Data};
use crate::types::Operation;

pub use crate::protocol::pass::{Edited, StreamFacts, StreamFault};

/// What the client of a stream is to see, and what is known of its host.
#[derive(Clone, Debug)]
pub struct StreamForm {
    /// The client's name of the model as a JSON string, quotes included.
    pub model_json: Vec<u8>,
    pub wants_usage: bool,
    /// Chat or text completion: what was asked for.
    pub operation: Operation,
    /// A text completion that a chat answers.
    pub from_chat: bool,
    /// Stands in for the id of a host that gives none.
    pub id: Arc<str>,
    /// Stands in for the time of a host that gives none, in seconds since the Unix epoch.
    pub created: i64,
    /// The host is OpenAI's or speaks for it: what its finish reasons say holds, and none at the end is an error.
    pub is_openai: bool,
    /// The host says `reasoning` where clients look for `reasoning_content`.
    pub says_reasoning: bool,
}

impl StreamForm {
    fn object(&self) -> &'static [u8] {
        match self.operation {
            Operation::Completion => b"\"text_completion\"",
            _ => b"\"chat.completion.chunk\"",
        }
    }
}

/// The state of one stream.
pub struct StreamEditor {
    form: StreamForm,
    passing: Passing,
    /// What the chunks so far had in common.
    stamp: Option<Stamp>,
    /// A chunk without id, choices and usage that came before all others (Azure's filter results).
    held: Option<Vec<u8>>,
    /// Usage that came with a choice and was asked for: it goes last.
    usage: Option<Vec<u8>>,
    usage_sent: bool,
    role_sent: bool,
    has_called_tools: bool,
    /// What the stream told so far.
    pub facts: StreamFacts,
}

impl StreamEditor {
    pub fn new(form: StreamForm) -> Self {
        Self {
            form,
            passing: Passing::default(),
            stamp: None,
            held: None,
            usage: None,
            usage_sent: false,
            role_sent: false,
            has_called_tools: false,
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
        let facts = &self.facts;
        facts.done || facts.finished || (facts.content_started && !self.form.is_openai)
    }

    /// What is missing at the end of a whole answer, before its `[DONE]`: a finish reason that its host never gave, and the
    /// usage that was asked for and came with a choice.
    pub fn closing(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(stamp) = &self.stamp else {
            return out;
        };
        if !self.facts.finished && self.facts.content_started && !self.form.is_openai {
            self.facts.finished = true;
            let reason = if self.has_called_tools {
                "tool_calls"
            } else {
                "stop"
            };
            out = normal_form::ending_event(stamp, self.is_text(), reason);
        }
        if let Some(usage) = self.usage.take() {
            out.extend(normal_form::usage_event(stamp, &usage));
        }
        out
    }

    fn judge(&mut self, event: &[u8], out: &mut Out<'_>) -> pass::Verdict {
        if self.facts.done {
            // Nothing may follow `[DONE]`.
            return pass::Verdict::Drop;
        }
        match self.event(event) {
            Verdict::Keep => pass::Verdict::Keep,
            Verdict::Drop => pass::Verdict::Drop,
            Verdict::Replace(edit) => {
                edit.write(event, &self.form.model_json, out.instead());
                pass::Verdict::Written
            }
            Verdict::Instead(events) => {
                out.instead().extend_from_slice(&events);
                pass::Verdict::Written
            }
            Verdict::Fault(found) => pass::Verdict::Fault(found),
        }
    }

    fn event(&mut self, event: &[u8]) -> Verdict {
        let data = sse::data(event);
        let Some(payload) = data.bytes() else {
            return Verdict::Drop;
        };
        if self.form.says_reasoning
            && let Some(renamed) = reasoning::renamed(payload)
        {
            return self.renamed(&renamed);
        }
        if payload == b"[DONE]" {
            self.facts.done = true;
            let mut closing = self.closing();
            if closing.is_empty() {
                return plain_form(event, &data, payload);
            }
            closing.extend_from_slice(b"data: [DONE]\n\n");
            return Verdict::Instead(closing);
        }
        if payload.iter().all(u8::is_ascii_whitespace) {
            return Verdict::Drop;
        }
        let Some(spans) = ChunkSpans::read(payload) else {
            return Verdict::Fault(StreamFault::Malformed);
        };
        if let Some(error) = spans.error {
            return Verdict::Fault(StreamFault::Error(payload[error].to_vec()));
        }
        let said = self.learn(payload, &spans);
        let usage_unasked = spans.usage_field.is_some() && !self.form.wants_usage;
        if spans.choices_empty && spans.has_usage {
            if usage_unasked || std::mem::replace(&mut self.usage_sent, true) {
                return Verdict::Drop;
            }
            self.usage = None;
        }
        if !self.stamps(payload, &spans) {
            self.held = Some(payload.to_vec());
            return Verdict::Drop;
        }
        if !self.is_normal(payload, &spans, said) {
            return self.rewrite(payload, &spans, said);
        }
        self.role_sent |= !spans.choices_empty;
        let model = spans
            .model
            .filter(|model| payload[model.clone()] != self.form.model_json[..]);
        let usage_field = spans.usage_field.filter(|_| usage_unasked);
        if model.is_none() && usage_field.is_none() {
            return plain_form(event, &data, payload);
        }
        let payload = match data {
            Data::One(line) => {
                let from = line.as_ptr() as usize - event.as_ptr() as usize;
                Payload::Within(from..from + line.len())
            }
            _ => Payload::Own(payload.to_vec()),
        };
        Verdict::Replace(EventEdit {
            payload,
            model,
            usage_field,
        })
    }

    /// Goes on with a chunk that has been written anew.
    fn renamed(&mut self, payload: &[u8]) -> Verdict {
        let event = [b"data: ", payload, b"\n\n"].concat();
        match self.event(&event) {
            Verdict::Keep => Verdict::Instead(event),
            Verdict::Replace(edit) => {
                let mut out = BytesMut::with_capacity(event.len());
                edit.write(&event, &self.form.model_json, &mut out);
                Verdict::Instead(out.into())
            }
            other => other,
        }
    }

    /// Learns what all chunks have in common from the first that tells; false while there is nothing to learn from.
    fn stamps(&mut self, payload: &[u8], spans: &ChunkSpans) -> bool {
        if self.stamp.is_some() {
            return true;
        }
        let id = spans.id.clone().map(|id| &payload[id]);
        let id = id.filter(|id| id.starts_with(b"\"") && id.len() > 2);
        if id.is_none() && spans.choices_empty && !spans.has_usage {
            return false;
        }
        let created = spans.created.clone().map(|created| &payload[created]);
        let created = created.filter(|created| matches!(created.first(), Some(b'1'..=b'9')));
        if id.is_none() {
            // An answer's id finds its row.
            self.facts.id = Some(self.form.id.to_string());
        }
        self.stamp = Some(Stamp {
            id: id.map_or_else(|| json::quoted(&self.form.id), <[u8]>::to_vec),
            object: self.form.object().to_vec(),
            created: created.map_or_else(
                || self.form.created.to_string().into_bytes(),
                <[u8]>::to_vec,
            ),
            model: self.form.model_json.clone(),
        });
        true
    }

    /// Whether a chunk is as OpenAI would send it, but for its model and usage that nobody asked for.
    fn is_normal(&self, payload: &[u8], spans: &ChunkSpans, said: Said) -> bool {
        let Some(stamp) = &self.stamp else {
            return true;
        };
        let same = |span: &Option<Range<usize>>, value: &[u8]| {
            span.as_ref()
                .is_some_and(|span| payload[span.clone()] == *value)
        };
        let has_role = self.role_sent || spans.choices_empty || said.role || self.is_text();
        let usage_in_place = !spans.has_usage || spans.choices_empty || !self.form.wants_usage;
        !self.form.from_chat
            && same(&spans.id, &stamp.id)
            && same(&spans.created, &stamp.created)
            && same(&spans.object, &stamp.object)
            && spans.model.is_some()
            && spans.choices.is_some()
            && self.held.is_none()
            && has_role
            && usage_in_place
            && !said.blank_reason
            && !(said.finished && said.content > 0)
            && !self.stop_means_tools(said)
    }

    fn is_text(&self) -> bool {
        self.form.operation == Operation::Completion
    }

    /// Ollama, some vLLM and others end tool calls with `stop`. OpenAI does too, when a tool was forced, and is believed.
    fn stop_means_tools(&self, said: Said) -> bool {
        said.stopped && self.has_called_tools && !self.form.is_openai
    }

    fn rewrite(&mut self, payload: &[u8], spans: &ChunkSpans, said: Said) -> Verdict {
        let Some(stamp) = &self.stamp else {
            return Verdict::Fault(StreamFault::Malformed);
        };
        if spans.has_usage
            && !spans.choices_empty
            && self.form.wants_usage
            && !self.usage_sent
            && let Some(field) = &spans.usage_field
        {
            self.usage = Some(payload[field.value.clone()].to_vec());
        }
        let change = Change {
            add_role: !self.role_sent && !spans.choices_empty && !self.is_text(),
            drop_usage: !spans.choices_empty || !self.form.wants_usage,
            stop_means_tools: self.stop_means_tools(said),
            chat_to_text: self.form.from_chat,
        };
        let before = self.held.take();
        let before = before.and_then(|held| normal_form::write(&held, stamp, Change::default()));
        let Some(events) = normal_form::write(payload, stamp, change) else {
            return Verdict::Fault(StreamFault::Malformed);
        };
        self.role_sent |= !spans.choices_empty;
        Verdict::Instead(match before {
            Some(mut before) => {
                before.extend(events);
                before
            }
            None => events,
        })
    }

    fn learn(&mut self, payload: &[u8], spans: &ChunkSpans) -> Said {
        let facts = &mut self.facts;
        let text = |span: &Option<Range<usize>>| {
            json::plain_str(payload, span.as_ref()?)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        if facts.id.is_none() {
            facts.id = text(&spans.id);
        }
        if facts.model.is_none() {
            facts.model = text(&spans.model);
        }
        if spans.service_tier.is_some() && facts.service_tier.is_none() {
            facts.service_tier = text(&spans.service_tier);
        }
        if spans.has_usage
            && let Some(field) = &spans.usage_field
            && let Ok(usage) = parse_usage(&payload[field.value.clone()])
        {
            facts.usage = Some(usage);
        }
        let Some(choices) = spans
            .choices
            .as_ref()
            .map(|choices| &payload[choices.clone()])
        else {
            return Said::default();
        };
        let said = Said::read(choices);
        facts.content_bytes += said.content;
        facts.finished |= said.finished;
        self.has_called_tools |= said.tool_calls;
        if !facts.content_started {
            facts.content_started = has_content(choices);
        }
        said
    }
}

enum Verdict {
    Keep,
    Drop,
    Replace(EventEdit),
    /// These events in place of it.
    Instead(Vec<u8>),
    Fault(StreamFault),
}

/// Keeps an event that is already `data: …` and a blank line; anything else is written so.
fn plain_form(event: &[u8], data: &Data<'_>, payload: &[u8]) -> Verdict {
    let is_plain = event.len() == payload.len() + 8
        && event.starts_with(b"data: ")
        && event.ends_with(b"\n\n");
    if is_plain && matches!(data, Data::One(_)) {
        return Verdict::Keep;
    }
    Verdict::Replace(EventEdit {
        payload: Payload::Own(payload.to_vec()),
        model: None,
        usage_field: None,
    })
}

#[cfg(test)]
mod form_tests;
#[cfg(test)]
mod tests;
