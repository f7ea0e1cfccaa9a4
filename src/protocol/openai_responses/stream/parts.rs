//! The items of a stream and their parts, as blocks: told by deltas, or by what is said when they are whole, or by both.
//!
//! What is said twice is told once: a `.done` event adds what its deltas have not said yet. Hosts leave out events; an item of
//! which only the end is told is told whole.

use std::collections::{BTreeMap, HashSet};

use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::neutral::{Delta, Event, Opening, ToolCall};
use crate::protocol::openai_responses::annotations;
use crate::protocol::openai_responses::decode_answer::call;

/// Most parts of items that are open at once.
pub const MOST_OPEN: usize = 1024;

/// All that has been told.
#[derive(Debug, Default)]
pub struct Parts {
    /// How many blocks have begun.
    begun: u32,
    /// By the places of item and part. Calls and thoughts have one part.
    pub open: BTreeMap<(u64, u64), Part>,
    /// Items that are whole.
    pub whole: HashSet<u64>,
    /// Parts that are whole, of items that are not.
    pub closed: HashSet<(u64, u64)>,
    calls: bool,
}

#[derive(Debug)]
pub struct Part {
    pub block: u32,
    kind: Kind,
    /// Bytes told of the part, or of a thought's summary that is under way.
    said: usize,
    /// Something has been told.
    pub begun: bool,
    pub cited: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Refusal,
    Thought,
    Call,
}

impl Kind {
    fn delta(self, text: &str) -> Delta {
        let text = text.to_owned();
        match self {
            Self::Text | Self::Refusal => Delta::Text(text),
            Self::Thought => Delta::Thinking(text),
            Self::Call => Delta::Arguments(text),
        }
    }
}

impl Parts {
    /// The client's tools have been called.
    pub fn has_calls(&self) -> bool {
        self.calls
    }

    /// Reads an event about an item or a part; false for one that is about neither.
    pub fn event(
        &mut self,
        name: &str,
        fields: &mut Fields<'_>,
        events: &mut Vec<Event>,
    ) -> Result<bool, DecodeError> {
        let at = Path::Body;
        let (kind, said) = match name {
            "response.output_text.delta" => (Kind::Text, "delta"),
            "response.output_text.done" => (Kind::Text, "text"),
            "response.refusal.delta" => (Kind::Refusal, "delta"),
            "response.refusal.done" => (Kind::Refusal, "refusal"),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                (Kind::Thought, "delta")
            }
            "response.reasoning_summary_text.done" | "response.reasoning_text.done" => {
                (Kind::Thought, "text")
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                (Kind::Call, "delta")
            }
            "response.function_call_arguments.done" => (Kind::Call, "arguments"),
            "response.custom_tool_call_input.done" => (Kind::Call, "input"),
            _ => return self.other_event(name, fields, events),
        };
        let text = fields.text(said, &at)?.unwrap_or_default();
        let place = place(fields, kind)?;
        if self.is_whole(place) {
            return Ok(true);
        }
        if said == "delta" {
            self.say(place, kind, &text, events)?;
        } else {
            self.complete(place, kind, &text, events)?;
        }
        Ok(true)
    }

    fn other_event(
        &mut self,
        name: &str,
        fields: &mut Fields<'_>,
        events: &mut Vec<Event>,
    ) -> Result<bool, DecodeError> {
        let at = Path::Body;
        match name {
            "response.output_item.added" => {
                let index = index(fields, "output_index")?;
                if let Some(value) = fields.take("item") {
                    self.added(index, value, &at.field("item"), events)?;
                }
            }
            "response.output_item.done" => {
                let index = index(fields, "output_index")?;
                let value = fields.take("item").ok_or_else(|| at.missing("item"))?;
                self.whole_item(index, value, &at.field("item"), events)?;
            }
            "response.content_part.added" => {
                let place = place(fields, Kind::Text)?;
                let part = fields.object("part", &at)?;
                let kind = part.map(|mut part| part.text("type", &at.field("part")));
                let kind = match kind.transpose()?.flatten().as_deref() {
                    Some("output_text") => Kind::Text,
                    Some("refusal") => Kind::Refusal,
                    // Of a thought; its texts open it.
                    _ => return Ok(true),
                };
                if !self.is_whole(place) {
                    self.part(place, kind, events)?;
                }
            }
            "response.content_part.done" => {
                let place = place(fields, Kind::Text)?;
                if let Some(part) = fields.take("part").filter(|_| !self.is_whole(place)) {
                    self.message_part(place, part, &at.field("part"), events)?;
                }
            }
            "response.output_text.annotation.added" => {
                let place = place(fields, Kind::Text)?;
                if let Some(value) = fields.take("annotation").filter(|_| !self.is_whole(place)) {
                    self.cite(place, value, &at.field("annotation"), events)?;
                }
            }
            "response.reasoning_summary_part.added" => {
                let place = (index(fields, "output_index")?, 0);
                if let Some(part) = self.open.get_mut(&place)
                    && part.begun
                    && std::mem::take(&mut part.said) > 0
                {
                    let block = part.block;
                    events.push(delta(block, Delta::Thinking("\n\n".to_owned())));
                }
            }
            "response.reasoning_summary_part.done" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub fn is_whole(&self, place: (u64, u64)) -> bool {
        self.whole.contains(&place.0) || self.closed.contains(&place)
    }

    /// The part at a place, which begins if it has not.
    pub fn part(
        &mut self,
        place: (u64, u64),
        kind: Kind,
        events: &mut Vec<Event>,
    ) -> Result<Option<&mut Part>, DecodeError> {
        let opening = match kind {
            Kind::Text => Opening::Text,
            Kind::Refusal => Opening::Refusal,
            Kind::Thought => Opening::Thinking,
            // A call begins with its name: the item that is whole will tell.
            Kind::Call => return Ok(self.open.get_mut(&place)),
        };
        if !self.open.contains_key(&place) {
            self.begin(place, kind, opening, events)?;
        }
        Ok(self.open.get_mut(&place))
    }

    fn begin(
        &mut self,
        place: (u64, u64),
        kind: Kind,
        opening: Opening,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        if self.open.len() >= MOST_OPEN {
            return Err(Path::Body.expected("fewer parts open at once"));
        }
        let block = self.start(opening, events);
        self.open.insert(
            place,
            Part {
                block,
                kind,
                said: 0,
                begun: false,
                cited: 0,
            },
        );
        Ok(())
    }

    pub fn start(&mut self, opening: Opening, events: &mut Vec<Event>) -> u32 {
        let block = self.begun;
        self.begun = self.begun.saturating_add(1);
        events.push(Event::BlockStart {
            choice: 0,
            block,
            opening,
        });
        block
    }

    pub fn say(
        &mut self,
        place: (u64, u64),
        kind: Kind,
        text: &str,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        if text.is_empty() {
            return Ok(());
        }
        if let Some(part) = self.part(place, kind, events)?
            && part.kind == kind
        {
            part.said += text.len();
            part.begun = true;
            events.push(delta(part.block, kind.delta(text)));
        }
        Ok(())
    }

    /// Adds what of a whole text has not been told.
    pub fn complete(
        &mut self,
        place: (u64, u64),
        kind: Kind,
        whole: &str,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let said = self.open.get(&place).map_or(0, |part| part.said);
        let rest = whole.get(said..).unwrap_or_default();
        self.say(place, kind, rest, events)
    }

    pub fn cite(
        &mut self,
        place: (u64, u64),
        value: &[u8],
        at: &Path<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let citation = annotations::one(value, at)?;
        if let Some(part) = self.part(place, Kind::Text, events)?
            && part.kind == Kind::Text
        {
            part.cited += 1;
            events.push(delta(part.block, Delta::Citation(citation)));
        }
        Ok(())
    }

    pub fn close(&mut self, place: (u64, u64), events: &mut Vec<Event>) {
        if let Some(part) = self.open.remove(&place) {
            let block = part.block;
            events.push(Event::BlockStop { choice: 0, block });
        }
    }

    pub fn close_all(&mut self, events: &mut Vec<Event>) {
        while let Some((_, part)) = self.open.pop_first() {
            let block = part.block;
            events.push(Event::BlockStop { choice: 0, block });
        }
    }

    /// An item begins: of a call its name is known.
    fn added(
        &mut self,
        index: u64,
        value: &[u8],
        at: &Path<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let mut item = Fields::read(value, at)?;
        let kind = item.text("type", at)?.unwrap_or_default();
        let is_call = matches!(kind.as_str(), "function_call" | "custom_tool_call");
        let place = (index, 0);
        // Some hosts tell the name later.
        let named = item.has("name") && (item.has("call_id") || item.has("id"));
        if !is_call || !named || self.is_whole(place) || self.open.contains_key(&place) {
            return Ok(());
        }
        let call = call(&mut item, &kind, at)?;
        let arguments = call.arguments.clone();
        self.begin_call(place, call, events)?;
        self.say(place, Kind::Call, &arguments, events)
    }

    pub fn begin_call(
        &mut self,
        place: (u64, u64),
        call: ToolCall,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        self.calls = true;
        let opening = Opening::ToolCall {
            id: call.id,
            name: call.name,
            kind: call.kind,
        };
        self.begin(place, Kind::Call, opening, events)
    }
}

pub fn delta(block: u32, delta: Delta) -> Event {
    Event::BlockDelta {
        choice: 0,
        block,
        delta,
    }
}

fn index(fields: &mut Fields<'_>, name: &str) -> Result<u64, DecodeError> {
    let at = Path::Body;
    let index = fields.whole(name, &at)?;
    Ok(index.unwrap_or(0))
}

fn place(fields: &mut Fields<'_>, kind: Kind) -> Result<(u64, u64), DecodeError> {
    let item = index(fields, "output_index")?;
    let part = match kind {
        Kind::Text | Kind::Refusal => index(fields, "content_index")?,
        Kind::Thought | Kind::Call => 0,
    };
    Ok((item, part))
}
