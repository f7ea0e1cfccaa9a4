//! A stream of chat or text completion as it passes: each event is looked at once, edited where a rule names it, and forwarded.
//!
//! The edits are: `model` becomes the client's name; usage that the client did not ask for is taken out (the gateway asks for
//! it because spend depends on it); comments of the upstream are dropped. Reads that need no edit are forwarded as they came,
//! without a copy. Any chunk boundary is accepted, in the middle of a UTF-8 character too.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::usage::{ParsedUsage, parse_usage};
use crate::protocol::json::{self, scan_object};
use crate::protocol::sse::{self, Data};

/// Most bytes kept of one unfinished event.
const MAX_EVENT: usize = 16 * 1024 * 1024;

/// Why a stream cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// The upstream sent an `error` frame: its JSON.
    Error(Vec<u8>),
    /// An event that is no JSON object, or is larger than the bound.
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

/// The state of one stream.
pub struct StreamEditor {
    /// The client's name of the model as a JSON string, quotes included.
    model_json: Vec<u8>,
    client_wants_usage: bool,
    /// The beginning of an event whose end has not arrived.
    carry: BytesMut,
    /// What the stream told so far.
    pub facts: StreamFacts,
}

/// What a stream told on its way.
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
    /// `[DONE]` arrived.
    pub done: bool,
}

impl StreamEditor {
    pub fn new(model_json: Vec<u8>, client_wants_usage: bool) -> Self {
        Self {
            model_json,
            client_wants_usage,
            carry: BytesMut::new(),
            facts: StreamFacts::default(),
        }
    }

    /// Takes the next bytes of the upstream.
    pub fn feed(&mut self, read: Bytes) -> Edited {
        if !self.carry.is_empty() {
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
            return self.events(whole);
        }
        self.events(read)
    }

    /// The upstream ended: an event without its blank line is still an event.
    pub fn finish(&mut self) -> Edited {
        if self.carry.is_empty() {
            return Edited::default();
        }
        let mut rest = self.carry.split();
        rest.extend_from_slice(b"\n\n");
        self.events(rest.freeze())
    }

    fn events(&mut self, read: Bytes) -> Edited {
        let mut out: Option<BytesMut> = None;
        // Events before this offset stand in `read` as the client shall get them, while `out` is none.
        let mut at = 0;
        let mut fault = None;
        while let Some(length) = sse::event_end(&read[at..]) {
            if self.facts.done {
                // Nothing may follow `[DONE]`.
                at += length;
                out.get_or_insert_with(|| BytesMut::from(&read[..at - length]));
                continue;
            }
            let event = &read[at..at + length];
            match self.event(event) {
                Verdict::Keep => {
                    if let Some(out) = &mut out {
                        out.extend_from_slice(event);
                    }
                }
                Verdict::Drop => {
                    out.get_or_insert_with(|| copied(&read, at));
                }
                Verdict::Replace(edit) => {
                    let out = out.get_or_insert_with(|| copied(&read, at));
                    edit.write(event, &self.model_json, out);
                }
                Verdict::Fault(found) => {
                    fault = Some(found);
                    break;
                }
            }
            at += length;
        }
        if fault.is_none() && at < read.len() {
            if read.len() - at > MAX_EVENT {
                fault = Some(StreamFault::Malformed);
            } else {
                self.carry.extend_from_slice(&read[at..]);
            }
        }
        let out = match out {
            Some(out) => out.freeze(),
            None => read.slice(..at),
        };
        Edited { out, fault }
    }

    fn event(&mut self, event: &[u8]) -> Verdict {
        let data = sse::data(event);
        let Some(payload) = data.bytes() else {
            return Verdict::Drop;
        };
        if payload == b"[DONE]" {
            self.facts.done = true;
            return plain_form(event, &data, payload);
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
        self.learn(payload, &spans);
        let usage_unasked = spans.usage_field.is_some() && !self.client_wants_usage;
        if usage_unasked && spans.has_usage && spans.choices_empty {
            return Verdict::Drop;
        }
        let model = spans
            .model
            .filter(|model| payload[model.clone()] != self.model_json[..]);
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

    fn learn(&mut self, payload: &[u8], spans: &ChunkSpans) {
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
            return;
        };
        let (content, finished) = strings_in(choices);
        facts.content_bytes += content;
        facts.finished |= finished;
        if !facts.content_started {
            facts.content_started = has_content(choices);
        }
    }
}

fn copied(read: &Bytes, until: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(read.len() + 64);
    out.extend_from_slice(&read[..until]);
    out
}

enum Verdict {
    Keep,
    Drop,
    Replace(EventEdit),
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

enum Payload {
    Within(Range<usize>),
    Own(Vec<u8>),
}

struct EventEdit {
    payload: Payload,
    model: Option<Range<usize>>,
    usage_field: Option<UsageField>,
}

impl EventEdit {
    fn write(&self, event: &[u8], model_json: &[u8], out: &mut BytesMut) {
        let payload = match &self.payload {
            Payload::Within(span) => &event[span.clone()],
            Payload::Own(bytes) => bytes,
        };
        let model = self.model.clone().map(|span| (span, model_json));
        let usage = self
            .usage_field
            .as_ref()
            .map(|field| (field.removal(payload), &b""[..]));
        let mut edits = [model, usage];
        if let [Some((model, _)), Some((usage, _))] = &edits
            && usage.start < model.start
        {
            edits.swap(0, 1);
        }
        out.extend_from_slice(b"data: ");
        let mut cursor = 0;
        for (span, with) in edits.into_iter().flatten() {
            out.extend_from_slice(&payload[cursor..span.start]);
            out.extend_from_slice(with);
            cursor = span.end;
        }
        out.extend_from_slice(&payload[cursor..]);
        out.extend_from_slice(b"\n\n");
    }
}

struct UsageField {
    start: usize,
    value: Range<usize>,
    /// Where the next field begins; none for the last one.
    next: Option<usize>,
}

impl UsageField {
    /// The bytes to leave out so that the object stays well-formed.
    fn removal(&self, payload: &[u8]) -> Range<usize> {
        if let Some(next) = self.next {
            return self.start..next;
        }
        let before = &payload[..self.start];
        let kept = before
            .iter()
            .rposition(|byte| !byte.is_ascii_whitespace() && *byte != b',');
        kept.map_or(self.start, |kept| kept + 1)..self.value.end
    }
}

/// Where the fields of interest lie in one chunk.
#[derive(Default)]
struct ChunkSpans {
    id: Option<Range<usize>>,
    model: Option<Range<usize>>,
    choices: Option<Range<usize>>,
    choices_empty: bool,
    usage_field: Option<UsageField>,
    /// The usage is not null.
    has_usage: bool,
    service_tier: Option<Range<usize>>,
    error: Option<Range<usize>>,
}

impl ChunkSpans {
    fn read(payload: &[u8]) -> Option<Self> {
        let mut spans = Self {
            choices_empty: true,
            ..Self::default()
        };
        scan_object(payload, |field| {
            if let Some(UsageField {
                next: next @ None, ..
            }) = &mut spans.usage_field
            {
                *next = Some(field.start());
            }
            if field.key_is_escaped {
                return;
            }
            let start = field.start();
            let value = &payload[field.value.clone()];
            match &payload[field.key] {
                b"id" => spans.id = Some(field.value),
                b"model" => spans.model = Some(field.value),
                b"choices" => {
                    spans.choices_empty = value.len() <= 2 || value == b"null";
                    spans.choices = Some(field.value);
                }
                b"usage" => {
                    spans.has_usage = value.first() == Some(&b'{');
                    spans.usage_field = Some(UsageField {
                        start,
                        value: field.value,
                        next: None,
                    });
                }
                b"service_tier" => spans.service_tier = Some(field.value),
                b"error" if value != b"null" => spans.error = Some(field.value),
                _ => {}
            }
        })
        .ok()?;
        Some(spans)
    }
}

/// What the strings in `choices` tell: bytes of text, reasoning, refusals and arguments, and whether a choice has finished.
///
/// One pass from string to string; a quote inside model text is escaped, so keys are never mistaken.
fn strings_in(choices: &[u8]) -> (u64, bool) {
    let (mut content, mut finished) = (0, false);
    let mut at = 0;
    while let Some((key, after_key)) = next_string(choices, at) {
        at = after_key;
        let Some(value_at) = after_colon(choices, after_key) else {
            continue;
        };
        if choices.get(value_at) != Some(&b'"') {
            continue;
        }
        let Some((value, after_value)) = next_string(choices, value_at) else {
            break;
        };
        at = after_value;
        match &choices[key] {
            b"content" | b"text" | b"reasoning_content" | b"reasoning" | b"arguments"
            | b"refusal" => {
                content += value.len() as u64;
            }
            b"finish_reason" => finished |= !value.is_empty(),
            _ => {}
        }
    }
    (content, finished)
}

/// The inside of the first string at or after `from`, and the offset behind its closing quote.
fn next_string(bytes: &[u8], from: usize) -> Option<(Range<usize>, usize)> {
    let start = from + memchr::memchr(b'"', bytes.get(from..)?)? + 1;
    let mut at = start;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some((start..at, at + 1));
        }
        at += 2;
    }
}

/// Where a value begins, if a colon follows at `at`.
fn after_colon(bytes: &[u8], at: usize) -> Option<usize> {
    let space = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count()
    };
    let colon = space(at);
    (bytes.get(colon) == Some(&b':')).then(|| space(colon + 1))
}

/// Whether any delta holds more than a role. A full parse: it runs for the first events of a stream only.
fn has_content(choices: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Choice {
        #[serde(default)]
        delta: Option<serde_json::Map<String, serde_json::Value>>,
        /// Of a text completion.
        #[serde(default)]
        text: Option<String>,
    }
    let Ok(choices) = serde_json::from_slice::<Vec<Choice>>(choices) else {
        return false;
    };
    let texts = |choice: &Choice| choice.text.as_ref().is_some_and(|text| !text.is_empty());
    choices.iter().any(texts)
        || choices
            .iter()
            .filter_map(|choice| choice.delta.as_ref())
            .flatten()
            .any(|(key, value)| {
                key != "role"
                    && match value {
                        serde_json::Value::Null => false,
                        serde_json::Value::String(text) => !text.is_empty(),
                        serde_json::Value::Array(items) => !items.is_empty(),
                        serde_json::Value::Object(fields) => !fields.is_empty(),
                        _ => true,
                    }
            })
}

#[cfg(test)]
mod tests;
