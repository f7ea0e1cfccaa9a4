//! An upstream's bytes → neutral events.

use std::collections::{BTreeMap, HashSet};

use super::json_progress::JsonProgress;
use crate::protocol::json_fields::{DecodeError, Fields, Path, text};
use crate::protocol::neutral::{
    Content, Delta, Dialect, Event, Failure, FailureKind, Opening, Raw, Stop, ToolCallKind,
};
use crate::protocol::openai_chat::answer::{made_id, reason};
use crate::protocol::openai_chat::decode_messages::{annotation, arguments, content, part};
use crate::protocol::openai_chat::errors::decode_error;
use crate::protocol::openai_chat::write_usage;
use crate::protocol::sse_events::EventReader;

/// Most choices of an answer, as OpenAI has it.
const MOST_CHOICES: usize = 128;
/// Most calls of one choice.
const MOST_CALLS: usize = 1024;
/// Most bytes of arguments that wait for the name of their function.
const MAX_HELD: usize = 16 * 1024 * 1024;
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

#[derive(Debug, Default)]
struct Choice {
    /// How many blocks have begun.
    begun: u32,
    /// The block that is no call and still open.
    open: Option<(u32, Opening)>,
    calls: BTreeMap<u64, Call>,
    last_call: Option<u64>,
    /// How many calls have begun.
    calls_begun: usize,
    held: usize,
    finished: bool,
}

#[derive(Debug, Default)]
struct Call {
    /// The block's number, once its name is known.
    block: Option<u32>,
    id: String,
    name: String,
    kind: ToolCallKind,
    held: String,
    progress: JsonProgress,
    closed: bool,
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
        self.tell_unknown(fields, events)
    }

    /// What nobody knows, once a name.
    fn tell_unknown(
        &mut self,
        fields: Fields<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        if fields.is_empty() {
            return Ok(());
        }
        for extension in fields.rest(Dialect::Chat, &Path::Body)?.0 {
            let is_noise = NOISE.contains(&extension.name.as_str());
            if is_noise
                || self.unknown.len() >= MOST_UNKNOWN
                || !self.unknown.insert(extension.name.clone())
            {
                continue;
            }
            events.push(Event::Unknown {
                dialect: Dialect::Chat,
                name: extension.name,
                raw: extension.value,
            });
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
            self.tell_unknown(delta, events)?;
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
        self.tell_unknown(fields, events)
    }
}

// === impl Choice ===

impl Choice {
    fn delta(
        &mut self,
        index: u32,
        id: &str,
        delta: &mut Fields<'_>,
        at: &Path<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        delta.take("role");
        self.thoughts(index, delta, at, events)?;
        self.texts(index, delta, at, events)?;
        if let Some(refusal) = delta.text("refusal", at)? {
            self.say(index, Opening::Refusal, Delta::Text(refusal), events);
        }
        for (place, item) in list(delta, "annotations", at)?.iter().enumerate() {
            let citation = annotation(item, &at.field("annotations").item(place))?;
            self.say(index, Opening::Text, Delta::Citation(citation), events);
        }
        self.media(index, delta, at, events)?;
        let place = at.field("tool_calls");
        for (number, item) in list(delta, "tool_calls", at)?.iter().enumerate() {
            self.call(index, id, item, &place.item(number), events)?;
        }
        if let Some(mut call) = delta.object("function_call", at)? {
            let at = at.field("function_call");
            let name = call.text("name", &at)?.unwrap_or_default();
            let said = arguments(&mut call, &at)?;
            // One call a choice, whose id is never said.
            self.add_to_call(
                index,
                id,
                0,
                Named {
                    name,
                    ..Named::default()
                },
                &said,
                events,
                &at,
            )?;
        }
        Ok(())
    }

    /// Thinking, by whatever name. Where it is said twice in a delta, as LiteLLM does, it is read once.
    fn thoughts(
        &mut self,
        index: u32,
        delta: &mut Fields<'_>,
        at: &Path<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let said = delta.take("reasoning_content");
        let said = said.or_else(|| delta.take_text("reasoning"));
        let said = said.map(|said| text(said, &at.field("reasoning_content")));
        let said = said.transpose()?;
        if let Some(text) = &said {
            self.say(
                index,
                Opening::Thinking,
                Delta::Thinking(text.clone()),
                events,
            );
        }
        let place = at.field("thinking_blocks");
        for (number, block) in list(delta, "thinking_blocks", at)?.iter().enumerate() {
            match part(block, &place.item(number))?.content {
                Content::Thinking { text, signature } => {
                    if said.is_none() {
                        self.say(index, Opening::Thinking, Delta::Thinking(text), events);
                    }
                    if let Some(signature) = signature {
                        let delta = Delta::Signature(signature);
                        self.say(index, Opening::Thinking, delta, events);
                        // What is signed is whole.
                        self.close_open(index, events);
                    }
                }
                Content::RedactedThinking(data) => {
                    self.whole(index, Opening::RedactedThinking(data), events);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A text, or parts of texts and thoughts, as Mistral sends them.
    fn texts(
        &mut self,
        index: u32,
        delta: &mut Fields<'_>,
        at: &Path<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let Some(value) = delta.take("content") else {
            return Ok(());
        };
        let at = at.field("content");
        if value.first() == Some(&b'"') {
            let delta = Delta::Text(text(value, &at)?);
            self.say(index, Opening::Text, delta, events);
            return Ok(());
        }
        for block in content(Some(value), &at)? {
            match block.content {
                Content::Text { text, .. } => {
                    self.say(index, Opening::Text, Delta::Text(text), events);
                }
                Content::Thinking { text, signature } => {
                    self.say(index, Opening::Thinking, Delta::Thinking(text), events);
                    if let Some(signature) = signature {
                        let delta = Delta::Signature(signature);
                        self.say(index, Opening::Thinking, delta, events);
                    }
                }
                Content::Unknown { dialect, kind, raw } => {
                    self.whole(index, Opening::Unknown { dialect, kind, raw }, events);
                }
                _ => return Err(at.expected("a string, or parts of text and thinking")),
            }
        }
        Ok(())
    }

    fn media(
        &mut self,
        index: u32,
        delta: &mut Fields<'_>,
        at: &Path<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        for (place, image) in list(delta, "images", at)?.iter().enumerate() {
            let at = at.field("images");
            let at = at.item(place);
            let mut image = Fields::read(image, &at)?;
            if let Some(mut inner) = image.object("image_url", &at)? {
                let url = inner.required_text("url", &at.field("image_url"))?;
                self.whole(index, Opening::Image(url), events);
            }
        }
        if let Some(mut audio) = delta.object("audio", at)? {
            let at = at.field("audio");
            let id = audio.text("id", &at)?.unwrap_or_default();
            let opening = Opening::Audio(id);
            let data = audio.text("data", &at)?.map(Delta::Audio);
            let transcript = audio.text("transcript", &at)?.map(Delta::Transcript);
            self.open_for(index, opening.clone(), events);
            for delta in [data, transcript].into_iter().flatten() {
                self.say(index, opening.clone(), delta, events);
            }
        }
        Ok(())
    }

    /// Adds to the open block if it is of this kind, else begins one. Nothing is said of an empty text.
    fn say(&mut self, choice: u32, opening: Opening, delta: Delta, events: &mut Vec<Event>) {
        let is_text = !matches!(delta, Delta::Citation(_) | Delta::Signature(_));
        if is_text && delta.content_bytes() == 0 {
            return;
        }
        let block = self.open_for(choice, opening, events);
        events.push(Event::BlockDelta {
            choice,
            block,
            delta,
        });
    }

    fn open_for(&mut self, choice: u32, opening: Opening, events: &mut Vec<Event>) -> u32 {
        let same =
            |open: &Opening| std::mem::discriminant(open) == std::mem::discriminant(&opening);
        if let Some((block, open)) = &self.open
            && same(open)
        {
            return *block;
        }
        self.close_open(choice, events);
        self.close_whole_calls(choice, events);
        let block = self.begin(choice, opening.clone(), events);
        self.open = Some((block, opening));
        block
    }

    /// A block that is whole when it begins.
    fn whole(&mut self, choice: u32, opening: Opening, events: &mut Vec<Event>) {
        self.close_open(choice, events);
        let block = self.begin(choice, opening, events);
        events.push(Event::BlockStop { choice, block });
    }

    fn begin(&mut self, choice: u32, opening: Opening, events: &mut Vec<Event>) -> u32 {
        let block = self.begun;
        self.begun = self.begun.saturating_add(1);
        events.push(Event::BlockStart {
            choice,
            block,
            opening,
        });
        block
    }

    fn close_open(&mut self, choice: u32, events: &mut Vec<Event>) {
        if let Some((block, _)) = self.open.take() {
            events.push(Event::BlockStop { choice, block });
        }
    }

    /// Closes the calls whose arguments are whole, so that clients who read one block after another need not wait.
    fn close_whole_calls(&mut self, choice: u32, events: &mut Vec<Event>) {
        for call in self.calls.values_mut() {
            if let Some(block) = call.block
                && !call.closed
                && call.progress.is_whole()
            {
                call.closed = true;
                events.push(Event::BlockStop { choice, block });
            }
        }
    }

    fn close_all(&mut self, choice: u32, id: &str, events: &mut Vec<Event>) {
        self.close_open(choice, events);
        let calls: Vec<u64> = self.calls.keys().copied().collect();
        for place in calls {
            // One whose name never came.
            self.open_call(choice, id, place, events);
            if let Some(call) = self.calls.get_mut(&place)
                && !std::mem::replace(&mut call.closed, true)
                && let Some(block) = call.block
            {
                events.push(Event::BlockStop { choice, block });
            }
        }
    }

    fn call(
        &mut self,
        choice: u32,
        id: &str,
        value: &[u8],
        at: &Path<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let mut fields = Fields::read(value, at)?;
        let said = fields.whole("index", at)?;
        let kind = match fields.text("type", at)?.as_deref() {
            Some("custom") => ToolCallKind::Custom,
            _ => ToolCallKind::Function,
        };
        let mut named = Named {
            id: fields.text("id", at)?.unwrap_or_default(),
            kind,
            ..Named::default()
        };
        let mut said_arguments = String::new();
        if let Some(mut function) = fields.object("function", at)? {
            let at = at.field("function");
            named.name = function.text("name", &at)?.unwrap_or_default();
            said_arguments = arguments(&mut function, &at)?;
        }
        if let Some(mut custom) = fields.object("custom", at)? {
            let at = at.field("custom");
            named.kind = ToolCallKind::Custom;
            named.name = custom.text("name", &at)?.unwrap_or_default();
            said_arguments = custom.text("input", &at)?.unwrap_or_default();
        }
        let place = self.place(said, &named.id);
        self.add_to_call(choice, id, place, named, &said_arguments, events, at)
    }

    /// Which call is meant. Some hosts give every call the index 0, or none: another id is another call.
    fn place(&self, said: Option<u64>, id: &str) -> u64 {
        let is_other = |place: &u64| {
            let call = self.calls.get(place);
            !id.is_empty() && call.is_some_and(|call| !call.id.is_empty() && call.id != id)
        };
        let by_id = || {
            let mut calls = self.calls.iter();
            let found = calls.find(|(_, call)| !id.is_empty() && call.id == id);
            found.map(|(place, _)| *place)
        };
        let next = || {
            self.calls
                .keys()
                .next_back()
                .map_or(0, |last| last.saturating_add(1))
        };
        match said {
            Some(place) if is_other(&place) => by_id().unwrap_or_else(next),
            // Deltas without an id belong to the call of this index that began last.
            Some(place) if id.is_empty() => self.moved(place),
            Some(place) => place,
            None if id.is_empty() => self.last_call.unwrap_or(0),
            None => by_id().unwrap_or_else(next),
        }
    }

    /// A host that says index 0 for all calls means the last one.
    fn moved(&self, place: u64) -> u64 {
        match self.last_call {
            Some(last) if self.calls.get(&place).is_some_and(|call| call.closed) => last,
            _ => place,
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a step of one loop, not an interface"
    )]
    fn add_to_call(
        &mut self,
        choice: u32,
        id: &str,
        place: u64,
        named: Named,
        arguments: &str,
        events: &mut Vec<Event>,
        at: &Path<'_>,
    ) -> Result<(), DecodeError> {
        if !self.calls.contains_key(&place) {
            if self.calls.len() >= MOST_CALLS {
                return Err(at.expected("one of at most 1024 calls"));
            }
            self.close_open(choice, events);
            self.close_whole_calls(choice, events);
        }
        self.last_call = Some(place);
        let call = self.calls.entry(place).or_default();
        if call.block.is_none() {
            call.kind = named.kind;
            for (known, said) in [(&mut call.id, named.id), (&mut call.name, named.name)] {
                if known.is_empty() {
                    *known = said;
                }
            }
            call.held.push_str(arguments);
            self.held = self.held.saturating_add(arguments.len());
            if self.held > MAX_HELD {
                return Err(at.expected("the name of a function before its arguments"));
            }
            if !call.name.is_empty() {
                self.open_call(choice, id, place, events);
            }
            return Ok(());
        }
        let Some(block) = call.block.filter(|_| !arguments.is_empty()) else {
            return Ok(());
        };
        if call.closed {
            if !arguments.trim().is_empty() {
                events.push(Event::Unknown {
                    dialect: Dialect::Chat,
                    name: "tool_calls".to_owned(),
                    raw: Raw::of_text(arguments),
                });
            }
            return Ok(());
        }
        call.progress.add(arguments);
        events.push(Event::BlockDelta {
            choice,
            block,
            delta: Delta::Arguments(arguments.to_owned()),
        });
        Ok(())
    }

    fn open_call(&mut self, choice: u32, id: &str, place: u64, events: &mut Vec<Event>) {
        let ordinal = self.calls_begun;
        let Some(call) = self
            .calls
            .get_mut(&place)
            .filter(|call| call.block.is_none())
        else {
            return;
        };
        if call.id.is_empty() {
            call.id = made_id(id, ordinal);
        }
        let opening = Opening::ToolCall {
            id: call.id.clone(),
            name: call.name.clone(),
            kind: call.kind,
        };
        let held = std::mem::take(&mut call.held);
        call.progress.add(&held);
        self.calls_begun += 1;
        self.held = self.held.saturating_sub(held.len());
        let block = self.begin(choice, opening, events);
        if let Some(call) = self.calls.get_mut(&place) {
            call.block = Some(block);
        }
        if !held.is_empty() {
            events.push(Event::BlockDelta {
                choice,
                block,
                delta: Delta::Arguments(held),
            });
        }
    }
}

/// What a delta says of a call beside its arguments.
#[derive(Default)]
struct Named {
    id: String,
    name: String,
    kind: ToolCallKind,
}

fn list<'a>(
    delta: &mut Fields<'a>,
    name: &str,
    at: &Path<'_>,
) -> Result<Vec<&'a [u8]>, DecodeError> {
    Ok(delta.array(name, at)?.unwrap_or_default())
}
