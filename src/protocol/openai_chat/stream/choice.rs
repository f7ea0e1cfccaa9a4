//! One choice of a stream: thoughts, texts and media as blocks, one after another.

use super::calls::{Calls, Named};
use crate::protocol::json_fields::{DecodeError, Fields, Path, text};
use crate::protocol::neutral::{Content, Delta, Event, Opening};
use crate::protocol::openai_chat::decode_messages::{annotation, arguments};
use crate::protocol::openai_chat::decode_parts::{content, part};

/// What one choice of a stream has said.
#[derive(Debug, Default)]
pub struct Choice {
    /// How many blocks have begun.
    pub begun: u32,
    /// The block that is no call and still open.
    pub open: Option<(u32, Opening)>,
    pub calls: Calls,
    pub finished: bool,
}

impl Choice {
    /// Reads one delta; takes what it knows out of the fields.
    pub fn delta(
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
                    self.say(index, Opening::Text, Delta::Text(text.into_said()), events);
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

    pub fn begin(&mut self, choice: u32, opening: Opening, events: &mut Vec<Event>) -> u32 {
        let block = self.begun;
        self.begun = self.begun.saturating_add(1);
        events.push(Event::BlockStart {
            choice,
            block,
            opening,
        });
        block
    }

    pub fn close_open(&mut self, choice: u32, events: &mut Vec<Event>) {
        if let Some((block, _)) = self.open.take() {
            events.push(Event::BlockStop { choice, block });
        }
    }

    /// Closes what is open, as before a finish reason.
    pub fn close_all(&mut self, choice: u32, id: &str, events: &mut Vec<Event>) {
        self.close_open(choice, events);
        let calls: Vec<u64> = self.calls.by_place.keys().copied().collect();
        for place in calls {
            // One whose name never came.
            self.open_call(choice, id, place, events);
            if let Some(call) = self.calls.by_place.get_mut(&place)
                && !std::mem::replace(&mut call.closed, true)
                && let Some(block) = call.block
            {
                events.push(Event::BlockStop { choice, block });
            }
        }
    }
}

fn list<'a>(
    delta: &mut Fields<'a>,
    name: &str,
    at: &Path<'_>,
) -> Result<Vec<&'a [u8]>, DecodeError> {
    Ok(delta.array(name, at)?.unwrap_or_default())
}
