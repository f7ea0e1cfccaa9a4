//! An upstream's bytes → neutral events.

use std::collections::HashSet;

use super::parts::Parts;
use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::neutral::{Dialect, Event, Failure, FailureKind, Raw};
use crate::protocol::openai_responses::decode_answer::ended;
use crate::protocol::openai_responses::errors::decode_error;
use crate::protocol::openai_responses::usage;
use crate::protocol::sse_events::EventReader;

/// Most names of unknown events that are told.
const MOST_UNKNOWN: usize = 64;

/// Beginnings of the names of events that tell how far OpenAI's own tools are: their items say what came of it.
const PROGRESS: [&str; 5] = [
    "response.code_interpreter_call",
    "response.file_search_call.",
    "response.image_generation_call.",
    "response.mcp_",
    "response.web_search_call.",
];

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    events: EventReader,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    /// Nothing more is read: the stream has ended, well or badly.
    ended: bool,
    parts: Parts,
    unknown: HashSet<String>,
}

impl Decoder {
    /// Takes the next bytes, split anywhere.
    pub fn feed(&mut self, read: &[u8], events: &mut Vec<Event>) {
        let state = &mut self.state;
        if state.ended {
            return;
        }
        let fed = self.events.feed(read, |data| state.event(data, events));
        if let Err(error) = fed {
            state.fail(error.to_string(), events);
        }
    }

    /// The upstream ended in good order. An answer without its last event is not whole.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        let state = &mut self.state;
        self.events.finish(|data| state.event(data, events));
        if !state.ended {
            state.fail(
                "the upstream ended before its answer did".to_owned(),
                events,
            );
        }
    }
}

impl State {
    fn fail(&mut self, message: String, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.ended, true) {
            events.push(Event::Error(Failure::new(FailureKind::Api, message)));
        }
    }

    fn event(&mut self, data: &[u8], events: &mut Vec<Event>) {
        // Some hosts end as Chat Completions do.
        if self.ended || data.trim_ascii() == b"[DONE]" {
            return;
        }
        if let Err(error) = self.read(data, events) {
            self.fail(
                format!("an event of the upstream cannot be read: {error}"),
                events,
            );
        }
    }

    fn read(&mut self, data: &[u8], events: &mut Vec<Event>) -> Result<(), DecodeError> {
        let at = Path::Body;
        let mut fields = Fields::read(data, &at)?;
        let name = fields.text("type", &at)?;
        let name = name.unwrap_or_default();
        if name == "error" || name == "response.failed" || fields.take("error").is_some() {
            let missing = || Failure::new(FailureKind::Api, "the upstream reports an error");
            self.ended = true;
            events.push(Event::Error(
                decode_error(data, None).unwrap_or_else(missing),
            ));
            return Ok(());
        }
        if self.parts.event(&name, &mut fields, events)? {
            return Ok(());
        }
        match name.as_str() {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(&mut fields, events)
            }
            "response.completed" | "response.incomplete" => self.end(&mut fields, events),
            "keepalive" => {
                events.push(Event::Ping);
                Ok(())
            }
            name if PROGRESS.iter().any(|begin| name.starts_with(begin)) => Ok(()),
            _ => self.tell_unknown(name, data, events),
        }
    }

    fn start(
        &mut self,
        fields: &mut Fields<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let at = Path::Body;
        let inner = fields.object("response", &at)?;
        let mut response = inner.ok_or_else(|| at.missing("response"))?;
        self.tell_start(&mut response, events)
    }

    fn tell_start(
        &mut self,
        response: &mut Fields<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        let at = Path::Body;
        let at = at.field("response");
        events.push(Event::Start {
            id: response.text("id", &at)?.unwrap_or_default(),
            model: response.text("model", &at)?.unwrap_or_default(),
            created: response.whole("created_at", &at).unwrap_or_default(),
        });
        Ok(())
    }

    fn end(&mut self, fields: &mut Fields<'_>, events: &mut Vec<Event>) -> Result<(), DecodeError> {
        let at = Path::Body;
        let inner = fields.object("response", &at)?;
        let mut response = inner.ok_or_else(|| at.missing("response"))?;
        let at = at.field("response");
        self.tell_start(&mut response, events)?;
        // Some hosts tell whole items at the end alone.
        let output = response.array("output", &at)?.unwrap_or_default();
        let place = at.field("output");
        for (index, item) in output.iter().enumerate() {
            self.parts
                .whole_item(index as u64, item, &place.item(index), events)?;
        }
        self.parts.close_all(events);
        let usage = response.take("usage").and_then(usage::read);
        events.extend(usage.map(Event::Usage));
        if let Some(stop) = ended(&mut response, self.parts.has_calls(), &at)? {
            events.push(Event::Finish { choice: 0, stop });
        }
        self.ended = true;
        events.push(Event::End);
        Ok(())
    }

    /// What nobody knows, once a name.
    fn tell_unknown(
        &mut self,
        name: String,
        data: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        if self.unknown.len() >= MOST_UNKNOWN || self.unknown.contains(&name) {
            return Ok(());
        }
        let wrong = || Path::Body.expected("a JSON object");
        events.push(Event::Unknown {
            dialect: Dialect::Responses,
            name: name.clone(),
            raw: Raw::parse(data).ok_or_else(wrong)?,
        });
        self.unknown.insert(name);
        Ok(())
    }
}
