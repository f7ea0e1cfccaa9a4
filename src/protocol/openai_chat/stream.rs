//! A chat stream as it passes: each event is looked at once, edited where a rule names it, and forwarded.
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
            b"content" | b"reasoning_content" | b"reasoning" | b"arguments" | b"refusal" => {
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
    }
    let Ok(choices) = serde_json::from_slice::<Vec<Choice>>(choices) else {
        return false;
    };
    choices
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROLE: &str = r#"{"id":"c-1","object":"chat.completion.chunk","model":"gpt-up","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
    const TEXT: &str = r#"{"id":"c-1","usage":null,"model":"gpt-up","choices":[{"index":0,"delta":{"content":"Grüße \"usage\":{}"},"finish_reason":null}]}"#;
    const STOP: &str = r#"{"id":"c-1","model":"gpt-up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    const USAGE: &str = r#"{"id":"c-1","model":"gpt-up","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

    fn upstream() -> String {
        format!(
            ": ping\n\ndata: {ROLE}\n\ndata:{TEXT}\r\n\r\ndata: {STOP}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n"
        )
    }

    fn client(usage: bool) -> String {
        let edit = |text: &str| text.replace("gpt-up", "mine");
        let unasked = |text: &str| edit(text).replace(",\"usage\":null", "");
        if usage {
            let events =
                [ROLE, TEXT, STOP, USAGE].map(|event| format!("data: {}\n\n", edit(event)));
            events.concat() + "data: [DONE]\n\n"
        } else {
            let text = edit(TEXT).replace("\"usage\":null,", "");
            let events =
                [unasked(ROLE), text, edit(STOP)].map(|event| format!("data: {event}\n\n"));
            events.concat() + "data: [DONE]\n\n"
        }
    }

    fn run(
        usage: bool,
        pieces: impl Iterator<Item = Vec<u8>>,
    ) -> (String, StreamFacts, Option<StreamFault>) {
        let mut editor = StreamEditor::new(b"\"mine\"".to_vec(), usage);
        let mut out = Vec::new();
        let mut fault = None;
        for piece in pieces {
            let edited = editor.feed(Bytes::from(piece));
            out.extend_from_slice(&edited.out);
            fault = fault.or(edited.fault);
        }
        out.extend_from_slice(&editor.finish().out);
        (String::from_utf8(out).unwrap(), editor.facts, fault)
    }

    #[test]
    fn facts_are_learned() {
        let (_, facts, fault) = run(false, [upstream().into_bytes()].into_iter());
        assert_eq!(fault, None);
        assert_eq!(facts.id.as_deref(), Some("c-1"));
        assert_eq!(facts.model.as_deref(), Some("gpt-up"));
        assert!(facts.content_started && facts.finished && facts.done);
        assert_eq!(facts.content_bytes, r#"Grüße \"usage\":{}"#.len() as u64);
        let usage = facts.usage.unwrap().usage;
        assert_eq!((usage.prompt_tokens(), usage.completion_tokens()), (3, 2));
    }

    #[test]
    fn a_role_is_no_content_yet() {
        let (_, facts, _) = run(
            false,
            [format!("data: {ROLE}\n\n").into_bytes()].into_iter(),
        );
        assert!(!facts.content_started);
    }

    #[test]
    fn reads_that_need_no_edit_are_not_copied() {
        let mut editor = StreamEditor::new(b"\"gpt-up\"".to_vec(), true);
        let read = Bytes::from(format!("data: {TEXT}\n\ndata: {STOP}\n\n"));
        let edited = editor.feed(read.clone());
        assert_eq!(edited.out.as_ptr(), read.as_ptr());
        assert_eq!(edited.out, read);
    }

    #[test]
    fn errors_end_the_stream() {
        let text = format!(
            "data: {TEXT}\n\ndata: {{\"error\":{{\"message\":\"died\"}}}}\n\ndata: {STOP}\n\n"
        );
        let (out, _, fault) = run(true, [text.into_bytes()].into_iter());
        assert_eq!(
            fault,
            Some(StreamFault::Error(br#"{"message":"died"}"#.to_vec()))
        );
        assert_eq!(out, format!("data: {}\n\n", TEXT.replace("gpt-up", "mine")));
        let (_, _, fault) = run(true, [b"data: <html>\n\n".to_vec()].into_iter());
        assert_eq!(fault, Some(StreamFault::Malformed));
    }

    #[test]
    fn nothing_follows_done() {
        let text = format!("data: {STOP}\n\ndata: [DONE]\n\ndata: {TEXT}\n\n");
        let (out, _, _) = run(true, [text.into_bytes()].into_iter());
        assert!(out.ends_with("data: [DONE]\n\n"));
        assert_eq!(out.matches("data: ").count(), 2);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_stream(cuts in prop::collection::vec(1usize..40, 0..80), usage in any::<bool>()) {
            let bytes = upstream().into_bytes();
            let mut pieces = Vec::new();
            let mut rest = &bytes[..];
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece.to_vec());
                rest = after;
            }
            pieces.push(rest.to_vec());
            let (out, facts, fault) = run(usage, pieces.into_iter());
            prop_assert_eq!(out, client(usage));
            prop_assert_eq!(fault, None);
            prop_assert!(facts.done && facts.usage.is_some());
        }

        #[test]
        fn any_bytes_are_taken_without_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8)) {
            let mut editor = StreamEditor::new(b"\"m\"".to_vec(), false);
            for piece in pieces {
                editor.feed(Bytes::from(piece));
            }
            editor.finish();
        }
    }
}
