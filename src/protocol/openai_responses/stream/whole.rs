//! Items that are whole: what of them has not been told yet is told.

use super::parts::{Kind, MOST_OPEN, Parts, delta};
use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::neutral::{Content, Delta, Event, Opening, Source};
use crate::protocol::openai_responses::decode_answer::{call, other};
use crate::protocol::openai_responses::decode_items::reasoning;

/// Most items of a response.
const MOST_ITEMS: usize = 4096;

impl Parts {
    /// An item is whole: what of it has not been told is told, and its parts are closed.
    pub fn whole_item(
        &mut self,
        index: u64,
        value: &[u8],
        at: &Path<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        if self.whole.contains(&index) {
            return Ok(());
        }
        if self.whole.len() >= MOST_ITEMS {
            return Err(at.expected("one of at most 4096 items"));
        }
        let mut item = Fields::read(value, at)?;
        let kind = item.required_text("type", at)?;
        let place = (index, 0);
        match kind.as_str() {
            "message" => {
                let parts = item.array("content", at)?.unwrap_or_default();
                let list = at.field("content");
                for (number, part) in parts.iter().enumerate() {
                    let place = (index, number as u64);
                    if !self.is_whole(place) {
                        self.message_part(place, part, &list.item(number), events)?;
                    }
                }
            }
            "reasoning" => {
                let block = reasoning(&mut item, at)?;
                self.thought(place, block.content, events)?;
            }
            "function_call" | "custom_tool_call" => {
                let call = call(&mut item, &kind, at)?;
                let arguments = call.arguments.clone();
                if !self.open.contains_key(&place) {
                    self.begin_call(place, call, events)?;
                }
                self.complete(place, Kind::Call, &arguments, events)?;
            }
            _ => {
                let opening = match other(kind, value, &mut item, at)? {
                    Content::Image {
                        source: Source::Base64 { media_type, data },
                        ..
                    } => Opening::Image(format!("data:{media_type};base64,{data}")),
                    Content::Unknown { dialect, kind, raw } => {
                        Opening::Unknown { dialect, kind, raw }
                    }
                    _ => return Ok(()),
                };
                let block = self.start(opening, events);
                events.push(Event::BlockStop { choice: 0, block });
            }
        }
        let last = (index, u64::MAX);
        let open: Vec<_> = self
            .open
            .range(place..=last)
            .map(|(place, _)| *place)
            .collect();
        for place in open {
            self.close(place, events);
        }
        self.whole.insert(index);
        self.closed.retain(|(of, _)| *of != index);
        Ok(())
    }

    fn thought(
        &mut self,
        place: (u64, u64),
        thought: Content,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let (text, signature) = match thought {
            Content::Thinking { text, signature } => (text, signature),
            Content::RedactedThinking(data) => {
                let block = self.start(Opening::RedactedThinking(data), events);
                events.push(Event::BlockStop { choice: 0, block });
                return Ok(());
            }
            _ => return Ok(()),
        };
        let told = self.open.get(&place).is_some_and(|part| part.begun);
        if !told {
            self.say(place, Kind::Thought, &text, events)?;
        }
        if let Some(signature) = signature
            && let Some(part) = self.part(place, Kind::Thought, events)?
        {
            events.push(delta(part.block, Delta::Signature(signature)));
        }
        Ok(())
    }

    /// A message's part is whole.
    pub fn message_part(
        &mut self,
        place: (u64, u64),
        value: &[u8],
        at: &Path<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let mut part = Fields::read(value, at)?;
        let (kind, field) = match part.text("type", at)?.as_deref() {
            Some("output_text" | "text") => (Kind::Text, "text"),
            Some("refusal") => (Kind::Refusal, "refusal"),
            // Of a thought; its item tells.
            _ => return Ok(()),
        };
        let text = part.text(field, at)?.unwrap_or_default();
        self.complete(place, kind, &text, events)?;
        let cited = part.array("annotations", at)?.unwrap_or_default();
        let told = self.open.get(&place).map_or(0, |part| part.cited);
        let list = at.field("annotations");
        for (number, annotation) in cited.iter().enumerate().skip(told) {
            self.cite(place, annotation, &list.item(number), events)?;
        }
        self.close(place, events);
        if self.closed.len() < MOST_OPEN {
            self.closed.insert(place);
        }
        Ok(())
    }
}
