//! An upstream's bytes → neutral events.

use std::collections::{BTreeMap, HashSet};

use super::choice::Choice;
use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::neutral::{Dialect, Event, Failure, FailureKind, Raw, Stop};
use crate::protocol::openai_chat::answer::reason;
use crate::protocol::openai_chat::errors::decode_error;
use crate::protocol::openai_chat::write_usage;
use crate::protocol::sse_events::EventReader;

/// Most choices of an answer, as OpenAI has it.
const MOST_CHOICES: usize = 128;
/// Most names of unknown fields that are told.
const MOST_UNKNOWN: usize = 64;

/// Fields of a chunk that say nothing a client of another protocol could be told.
const NOISE: [&str; 5] = [
    "object",
    "system_fingerprint",
    "service_tier",
    "obfuscation",
    "prompt_filter_results",
];

/// How an upstream ends an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// With a finish reason, as OpenAI and its kin do: without one the answer was cut off.
    #[default]
    WithReason,
    /// Some hosts just stop.
    Anyhow,
}

/// Reads one stream.
#[derive(Debug)]
pub struct Decoder {
    events: EventReader,
    state: State,
}

#[derive(Debug)]
struct State {
    id: String,
    ending: Ending,
    started: bool,
    has_content: bool,
    /// Nothing more is read: the stream has ended, well or badly.
    ended: bool,
    choices: BTreeMap<u32, Choice>,
    unknown: HashSet<String>,
}

impl Decoder {
    /// `id` stands in where the upstream gives none.
    pub fn new(id: impl Into<String>, ending: Ending) -> Self {
        Self {
            events: EventReader::default(),
            state: State {
                id: id.into(),
                ending,
                started: false,
                has_content: false,
                ended: false,
                choices: BTreeMap::new(),
                unknown: HashSet::new(),
            },
        }
    }

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

    /// The upstream ended in good order.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        let state = &mut self.state;
        self.events.finish(|data| state.event(data, events));
        if state.ended {
            return;
        }
        let finished = state.choices.values().all(|choice| choice.finished);
        let is_whole = finished && !state.choices.is_empty();
        if is_whole || state.has_content && state.ending == Ending::Anyhow {
            state.end(events);
        } else {
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

    fn end(&mut self, events: &mut Vec<Event>) {
        for (index, choice) in &mut self.choices {
            choice.close_all(*index, &self.id, events);
        }
        self.ended = true;
        events.push(Event::End);
    }

    fn event(&mut self, data: &[u8], events: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if data.trim_ascii() == b"[DONE]" {
            return self.end(events);
        }
        if let Err(error) = self.chunk(data, events) {
            self.fail(
                format!("a chunk of the upstream cannot be read: {error}"),
                events,
            );
        }
    }

    fn chunk(&mut self, data: &[u8], events: &mut Vec<Event>) -> Result<(), DecodeError> {
        let at = Path::Body;
        let mut fields = Fields::read(data, &at)?;
        if fields.take("error").is_some() {
            let failure = decode_error(data, None);
            let missing = || Failure::new(FailureKind::Api, "the upstream reports an error");
            self.ended = true;
            events.push(Event::Error(failure.unwrap_or_else(missing)));
            return Ok(());
        }
        let choices = fields.array("choices", &at)?.unwrap_or_default();
        let id = fields.text("id", &at)?.filter(|id| !id.is_empty());
        let model = fields.text("model", &at)?;
        let created = fields.whole("created", &at).unwrap_or_default();
        // Azure's first chunk holds nothing but the results of its filter.
        if !self.started && (id.is_some() || !choices.is_empty()) {
            self.started = true;
            self.id = id.unwrap_or_else(|| std::mem::take(&mut self.id));
            events.push(Event::Start {
                id: self.id.clone(),
                model: model.unwrap_or_default(),
                created: created.filter(|created| *created > 0),
            });
        }
        let place = at.field("choices");
        for (index, value) in choices.iter().enumerate() {
            self.choice(value, &place.item(index), events)?;
        }
        let usage = fields.take("usage").and_then(write_usage::read);
        // Groq's.
        let other = fields.object("x_groq", &at).ok().flatten();
        let other = other.and_then(|mut other| write_usage::read(other.take("usage")?));
        events.extend(usage.or(other).map(Event::Usage));
        self.tell_unknown(&fields, events)
    }

    /// What nobody knows, once a name.
    fn tell_unknown(
        &mut self,
        fields: &Fields<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        for (name, value) in fields.untaken() {
            if NOISE.contains(&name)
                || self.unknown.contains(name)
                || self.unknown.len() >= MOST_UNKNOWN
            {
                continue;
            }
            let wrong = || Path::Body.field(name).expected("a JSON value");
            events.push(Event::Unknown {
                dialect: Dialect::Chat,
                name: name.to_owned(),
                raw: Raw::parse(value).ok_or_else(wrong)?,
            });
            self.unknown.insert(name.to_owned());
        }
        Ok(())
    }

    fn choice(
        &mut self,
        value: &[u8],
        at: &Path<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let mut fields = Fields::read(value, at)?;
        let index = fields.whole("index", at)?.unwrap_or(0);
        let index = u32::try_from(index).ok();
        let index = index
            .filter(|index| self.choices.contains_key(index) || self.choices.len() < MOST_CHOICES);
        let index =
            index.ok_or_else(|| at.field("index").expected("one of at most 128 choices"))?;
        let choice = self.choices.entry(index).or_default();
        let before = events.len();
        let finish = fields.text("finish_reason", at)?;
        if let Some(mut delta) = fields.object("delta", at)? {
            let at = at.field("delta");
            choice.delta(index, &self.id, &mut delta, &at, events)?;
            self.tell_unknown(&delta, events)?;
        }
        self.has_content |= events.iter().skip(before).any(Event::is_content);
        let finish = finish.filter(|name| !name.is_empty());
        if let Some(name) = finish
            && let Some(choice) = self.choices.get_mut(&index)
            && !choice.finished
        {
            choice.close_all(index, &self.id, events);
            choice.finished = true;
            events.push(Event::Finish {
                choice: index,
                stop: Stop::from(reason(&name)),
            });
        }
        self.tell_unknown(&fields, events)
    }
}
