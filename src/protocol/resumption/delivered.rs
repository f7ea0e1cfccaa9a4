//! What a client of a stream was sent, read back from its own bytes.

use super::items::{Items, OpenItem};
use crate::protocol::neutral::{Delta, Dialect, Event, Opening};
use crate::protocol::sse_events::EventReader;
use crate::protocol::{anthropic, openai_chat, openai_responses};

/// Longest text that is gone on with, in bytes. What is delivered beyond it is not kept, and then nothing is resumed.
pub const MOST_TEXT: usize = 1024 * 1024;

/// Why a stream is not gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error("a tool has been called")]
    Tool,
    #[error("a thought is open that its maker would have signed")]
    Thought,
    #[error("it holds more than text")]
    Content,
    #[error("it has several answers")]
    Choices,
    #[error("a part of it is just ending")]
    Closing,
    #[error("it has ended")]
    Ended,
    #[error("its text is longer than 1 MiB")]
    TooLong,
    #[error("what was sent cannot be read back")]
    Unreadable,
}

/// The block that a client's stream is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    Text,
    Thinking,
}

/// Where a client's stream stands: what the one who goes on with it must know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// The answer's id, as the client knows it.
    pub id: String,
    /// The client's name of the model.
    pub model: String,
    /// Seconds since the Unix epoch, where the stream says it.
    pub created: Option<u64>,
    /// Blocks that have ended.
    pub blocks: u32,
    pub open: Option<Open>,
    /// Characters of text.
    pub length: usize,
    /// Of a stream of the Responses API.
    pub items: Items,
}

/// See the module.
pub struct Delivered {
    reader: Reader,
    events: Vec<Event>,
    passed: Passed,
    text: String,
    obstacle: Option<Obstacle>,
}

#[allow(clippy::large_enum_variant, reason = "one a stream, behind its box")]
enum Reader {
    Chat(openai_chat::stream::Decoder),
    Anthropic(anthropic::stream::Decoder),
    Responses(openai_responses::stream::Decoder, EventReader),
}

impl Delivered {
    /// For a client that speaks `dialect`.
    pub fn new(dialect: Dialect) -> Self {
        let reader = match dialect {
            Dialect::Chat => Reader::Chat(openai_chat::stream::Decoder::new(
                "",
                openai_chat::stream::Ending::WithReason,
            )),
            Dialect::Anthropic => Reader::Anthropic(Default::default()),
            Dialect::Responses => Reader::Responses(Default::default(), Default::default()),
        };
        Self {
            reader,
            events: Vec::new(),
            passed: Passed::default(),
            text: String::new(),
            obstacle: None,
        }
    }

    /// Takes the next bytes that the client is sent, split anywhere.
    pub fn feed(&mut self, sent: &[u8]) {
        if self.obstacle.is_some() {
            return;
        }
        let mut events = std::mem::take(&mut self.events);
        match &mut self.reader {
            Reader::Chat(decoder) => decoder.feed(sent, &mut events),
            Reader::Anthropic(decoder) => decoder.feed(sent, &mut events),
            Reader::Responses(decoder, reader) => {
                let items = &mut self.passed.items;
                let fed = reader.feed(sent, |data| items.event(data));
                if fed.is_err() || items.is_too_large() {
                    self.obstacle = Some(Obstacle::TooLong);
                }
                decoder.feed(sent, &mut events);
            }
        }
        for event in events.drain(..) {
            if let Err(obstacle) = self.take(event) {
                self.obstacle.get_or_insert(obstacle);
            }
        }
        self.events = events;
        if self.obstacle.is_some() {
            // Nobody will ask for it any more.
            self.text = String::new();
            self.passed.items = Items::default();
        }
    }

    /// Where the stream stands, if it may be gone on with. `signs`: who made it signs its thoughts.
    pub fn passed(&self, signs: bool) -> Result<&Passed, Obstacle> {
        match self.obstacle {
            Some(obstacle) => Err(obstacle),
            None if self.passed.items.is_closing => Err(Obstacle::Closing),
            None if signs && self.is_thinking() => Err(Obstacle::Thought),
            None => Ok(&self.passed),
        }
    }

    fn is_thinking(&self) -> bool {
        self.passed.open == Some(Open::Thinking)
            || self.passed.items.open == Some(OpenItem::Reasoning)
    }

    /// All text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn take(&mut self, event: Event) -> Result<(), Obstacle> {
        let passed = &mut self.passed;
        match event {
            Event::Start { id, model, created } => {
                passed.id = id;
                passed.model = model;
                passed.created = created;
            }
            Event::BlockStart { choice, .. }
            | Event::BlockDelta { choice, .. }
            | Event::BlockStop { choice, .. }
                if choice > 0 =>
            {
                return Err(Obstacle::Choices);
            }
            Event::BlockStart { opening, .. } => {
                passed.open = match opening {
                    Opening::Text => Some(Open::Text),
                    Opening::Thinking => Some(Open::Thinking),
                    Opening::RedactedThinking(_) => None,
                    Opening::ToolCall { .. } | Opening::ServerCall { .. } => {
                        return Err(Obstacle::Tool);
                    }
                    _ => return Err(Obstacle::Content),
                };
            }
            Event::BlockDelta { delta, .. } => match delta {
                Delta::Text(text) => {
                    if self.text.len().saturating_add(text.len()) > MOST_TEXT {
                        return Err(Obstacle::TooLong);
                    }
                    passed.length += text.chars().count();
                    self.text.push_str(&text);
                }
                Delta::Thinking(_) | Delta::Signature(_) | Delta::Citation(_) => {}
                _ => return Err(Obstacle::Content),
            },
            Event::BlockStop { .. } => {
                passed.open = None;
                passed.blocks = passed.blocks.saturating_add(1);
            }
            Event::Finish { .. } | Event::End => return Err(Obstacle::Ended),
            Event::Error(_) => return Err(Obstacle::Unreadable),
            Event::Usage(_) | Event::Ping | Event::Unknown { .. } => {}
        }
        Ok(())
    }
}
