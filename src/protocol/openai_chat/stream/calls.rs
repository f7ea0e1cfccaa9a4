//! The calls of one choice, whose deltas may come mixed, without an index, without an id, or before their name.

use std::collections::BTreeMap;

use super::choice::Choice;
use super::json_progress::JsonProgress;
use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::neutral::{Delta, Dialect, Event, Opening, Raw, ToolCallKind};
use crate::protocol::openai_chat::answer::made_id;
use crate::protocol::openai_chat::decode_messages::arguments;

/// Most calls of one choice.
const MOST_CALLS: usize = 1024;
/// Most bytes of arguments that wait for the name of their function.
const MAX_HELD: usize = 16 * 1024 * 1024;

/// All calls of a choice.
#[derive(Debug, Default)]
pub struct Calls {
    pub by_place: BTreeMap<u64, Call>,
    /// The place of the call that was named last.
    last: Option<u64>,
    begun: usize,
    held_bytes: usize,
}

#[derive(Debug, Default)]
pub struct Call {
    /// The block's number, once its name is known.
    pub block: Option<u32>,
    id: String,
    name: String,
    kind: ToolCallKind,
    held: String,
    progress: JsonProgress,
    pub closed: bool,
}

/// What a delta says of a call beside its arguments.
#[derive(Default)]
pub struct Named {
    pub id: String,
    pub name: String,
    pub kind: ToolCallKind,
}

impl Choice {
    /// Closes the calls whose arguments are whole, so that clients who read one block after another need not wait.
    pub fn close_whole_calls(&mut self, choice: u32, events: &mut Vec<Event>) {
        for call in self.calls.by_place.values_mut() {
            if let Some(block) = call.block
                && !call.closed
                && call.progress.is_whole()
            {
                call.closed = true;
                events.push(Event::BlockStop { choice, block });
            }
        }
    }

    pub fn call(
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
            let call = self.calls.by_place.get(place);
            !id.is_empty() && call.is_some_and(|call| !call.id.is_empty() && call.id != id)
        };
        let by_id = || {
            let mut calls = self.calls.by_place.iter();
            let found = calls.find(|(_, call)| !id.is_empty() && call.id == id);
            found.map(|(place, _)| *place)
        };
        let next = || {
            self.calls
                .by_place
                .keys()
                .next_back()
                .map_or(0, |last| last.saturating_add(1))
        };
        match said {
            Some(place) if is_other(&place) => by_id().unwrap_or_else(next),
            // Deltas without an id belong to the call of this index that began last.
            Some(place) if id.is_empty() => self.moved(place),
            Some(place) => place,
            None if id.is_empty() => self.calls.last.unwrap_or(0),
            None => by_id().unwrap_or_else(next),
        }
    }

    /// A host that says index 0 for all calls means the last one.
    fn moved(&self, place: u64) -> u64 {
        match self.calls.last {
            Some(last)
                if self
                    .calls
                    .by_place
                    .get(&place)
                    .is_some_and(|call| call.closed) =>
            {
                last
            }
            _ => place,
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a step of one loop, not an interface"
    )]
    pub fn add_to_call(
        &mut self,
        choice: u32,
        id: &str,
        place: u64,
        named: Named,
        arguments: &str,
        events: &mut Vec<Event>,
        at: &Path<'_>,
    ) -> Result<(), DecodeError> {
        if !self.calls.by_place.contains_key(&place) {
            if self.calls.by_place.len() >= MOST_CALLS {
                return Err(at.expected("one of at most 1024 calls"));
            }
            self.close_open(choice, events);
            self.close_whole_calls(choice, events);
        }
        self.calls.last = Some(place);
        let call = self.calls.by_place.entry(place).or_default();
        if call.block.is_none() {
            call.kind = named.kind;
            for (known, said) in [(&mut call.id, named.id), (&mut call.name, named.name)] {
                if known.is_empty() {
                    *known = said;
                }
            }
            call.held.push_str(arguments);
            self.calls.held_bytes = self.calls.held_bytes.saturating_add(arguments.len());
            if self.calls.held_bytes > MAX_HELD {
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

    pub fn open_call(&mut self, choice: u32, id: &str, place: u64, events: &mut Vec<Event>) {
        let ordinal = self.calls.begun;
        let Some(call) = self
            .calls
            .by_place
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
        self.calls.begun += 1;
        self.calls.held_bytes = self.calls.held_bytes.saturating_sub(held.len());
        let block = self.begin(choice, opening, events);
        if let Some(call) = self.calls.by_place.get_mut(&place) {
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
