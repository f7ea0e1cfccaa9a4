//! Neutral events → a client's bytes.

use std::collections::{BTreeMap, HashMap};

use super::chunks::{Chunks, Silent, Slot, Speaking};
use crate::protocol::neutral::{
    Citation, Content, Delta, Dialect, Event, Failure, NotCarried, Notes, Opening, Stop,
    StopReason, ToolCallKind, UsageReport, Why,
};
use crate::protocol::openai_chat::answer::{completion_id, reason_with};
use crate::protocol::resumption::{Open, Passed, REOPENED};

/// Most choices of an answer, as OpenAI has it.
const MOST_CHOICES: usize = 128;
/// Most blocks of a choice open at once.
const MOST_OPEN: usize = 1024;
/// Most pages that are told of one block of text.
const MOST_CITED: usize = 1024;

/// What a client of a stream is to see.
#[derive(Clone, Debug)]
pub struct StreamForm {
    /// The client's name of the model.
    pub model: String,
    /// Stands in where the upstream gives none.
    pub id: String,
    /// Seconds since the Unix epoch, for an upstream that says no time.
    pub created: u64,
    pub wants_usage: bool,
}

/// Writes one stream.
#[derive(Debug)]
pub struct Encoder {
    stage: Stage,
    choices: BTreeMap<u32, Choice>,
    wants_usage: bool,
    usage: UsageReport,
    notes: Notes,
}

#[derive(Debug)]
enum Stage {
    Open(Chunks),
    Closed,
}

#[derive(Debug)]
struct Choice {
    voice: Voice,
    open: HashMap<u32, Block>,
    /// Calls that the client has to run.
    calls: bool,
    images: u64,
    /// Of the text so far, in characters.
    length: usize,
}

#[derive(Debug)]
enum Voice {
    Silent(Silent),
    Speaking(Speaking),
    Finished,
}

#[derive(Debug)]
enum Block {
    Text {
        /// Where in the choice's text it begins, in characters.
        start: usize,
        /// Pages that it is founded on, told at its end.
        cited: Vec<Citation>,
    },
    Refusal,
    Thinking,
    Audio,
    Call {
        slot: Slot,
        is_empty: bool,
        is_function: bool,
    },
}

impl Encoder {
    pub fn new(form: StreamForm) -> Self {
        Self {
            stage: Stage::Open(Chunks {
                id: completion_id(&form.id),
                model: form.model,
                created: form.created,
            }),
            choices: BTreeMap::new(),
            wants_usage: form.wants_usage,
            usage: UsageReport::default(),
            notes: Notes::default(),
        }
    }

    /// Goes on with a stream that has passed so far. Its open block is number [`REOPENED`].
    pub fn going_on(form: StreamForm, passed: &Passed) -> Self {
        let mut encoder = Self::new(form);
        if let Stage::Open(chunks) = &mut encoder.stage {
            chunks.id.clone_from(&passed.id);
            chunks.model.clone_from(&passed.model);
            chunks.created = passed.created.unwrap_or(chunks.created);
        }
        let block = passed.open.map(|open| match open {
            Open::Text => Block::Text {
                start: passed.length,
                cited: Vec::new(),
            },
            Open::Thinking => Block::Thinking,
        });
        let spoken = Choice {
            voice: Voice::Speaking(Silent::new(0).spoken()),
            open: block.map(|block| (REOPENED, block)).into_iter().collect(),
            calls: false,
            images: 0,
            length: passed.length,
        };
        encoder.choices.insert(0, spoken);
        encoder
    }

    /// Writes what the event says, if anything is to be said yet. Any events in any order make a well-formed stream.
    pub fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        let Stage::Open(chunks) = &mut self.stage else {
            return;
        };
        match event {
            Event::Start { id, created, .. } => {
                // What has been said on one chunk holds for all.
                if self.choices.is_empty() && !id.is_empty() {
                    chunks.id = completion_id(&id);
                    chunks.created = created.unwrap_or(chunks.created);
                }
            }
            Event::Usage(usage) => self.usage = usage,
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::BlockStart {
                choice,
                block,
                opening,
            } => self.block_start(choice, block, &opening, out),
            Event::BlockDelta {
                choice,
                block,
                delta,
            } => self.block_delta(choice, block, delta, out),
            Event::BlockStop { choice, block } => {
                let known = self.choices.get_mut(&choice);
                if let Some(choice) = known {
                    choice.stop(chunks, block, out);
                }
            }
            Event::Finish { choice, stop } => self.finish(choice, &stop, out),
            Event::Unknown { name, .. } => self.notes.add(name, Why::Unsupported),
            Event::Error(failure) => self.fail(&failure, out),
            Event::End => self.end(out),
        }
    }

    /// What the client could not be told.
    pub fn not_carried(&self) -> &[NotCarried] {
        self.notes.list()
    }

    /// A choice, if there may be one of this number.
    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        if !self.choices.contains_key(&index) && self.choices.len() >= MOST_CHOICES {
            self.notes.add("choices", Why::Unsupported);
            return None;
        }
        let choice = self.choices.entry(index);
        Some(choice.or_insert_with(|| Choice {
            voice: Voice::Silent(Silent::new(index)),
            open: HashMap::new(),
            calls: false,
            images: 0,
            length: 0,
        }))
    }

    fn block_start(&mut self, index: u32, block: u32, opening: &Opening, out: &mut Vec<u8>) {
        if let Opening::Unknown { kind, .. } = opening {
            return self.notes.add(kind, Why::Unsupported);
        }
        if self.choice(index).is_none() {
            return;
        }
        let Stage::Open(chunks) = &self.stage else {
            return;
        };
        let Some(choice) = self.choices.get_mut(&index) else {
            return;
        };
        if choice.open.contains_key(&block) || choice.open.len() >= MOST_OPEN {
            return self.notes.add("content", Why::Unsupported);
        }
        choice.start(chunks, block, opening, out);
    }

    fn block_delta(&mut self, index: u32, block: u32, delta: Delta, out: &mut Vec<u8>) {
        let Stage::Open(chunks) = &self.stage else {
            return;
        };
        let choice = self.choices.get_mut(&index);
        let carried = choice.is_some_and(|choice| choice.delta(chunks, block, &delta, out));
        if !carried {
            let name = match &delta {
                Delta::Unknown { kind, .. } => kind,
                _ => "content",
            };
            self.notes.add(name, Why::Unsupported);
        }
    }

    fn finish(&mut self, index: u32, stop: &Stop, out: &mut Vec<u8>) {
        if self.choice(index).is_none() {
            return;
        }
        if let Stage::Open(chunks) = &self.stage
            && let Some(choice) = self.choices.get_mut(&index)
        {
            choice.finish(chunks, stop.reason, out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        // An answer has a choice at least.
        if self.choices.is_empty() {
            self.choice(0);
        }
        let Stage::Open(chunks) = std::mem::replace(&mut self.stage, Stage::Closed) else {
            return;
        };
        for choice in self.choices.values_mut() {
            choice.finish(&chunks, StopReason::EndTurn, out);
        }
        chunks.done(out, self.wants_usage.then_some(&self.usage));
        self.choices.clear();
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if let Stage::Open(chunks) = std::mem::replace(&mut self.stage, Stage::Closed) {
            chunks.fail(out, failure);
        }
        self.choices.clear();
    }
}

// === impl Choice ===

impl Choice {
    /// The voice to say something with; none after the finish reason.
    fn speak(&mut self) -> Option<&mut Speaking> {
        let voice = std::mem::replace(&mut self.voice, Voice::Finished);
        self.voice = match voice {
            Voice::Silent(silent) => Voice::Speaking(silent.speak()),
            other => other,
        };
        match &mut self.voice {
            Voice::Speaking(speaking) => Some(speaking),
            _ => None,
        }
    }

    fn start(&mut self, chunks: &Chunks, number: u32, opening: &Opening, out: &mut Vec<u8>) {
        let place = self.images;
        let Some(voice) = self.speak() else {
            return;
        };
        let block = match opening {
            Opening::Text => Block::Text {
                start: self.length,
                cited: Vec::new(),
            },
            Opening::Refusal => Block::Refusal,
            Opening::Thinking => Block::Thinking,
            Opening::Audio(id) => {
                voice.audio(chunks, out, "id", id);
                Block::Audio
            }
            Opening::ToolCall { id, name, kind } => {
                let slot = voice.call(chunks, out, id, name, *kind);
                self.calls = true;
                Block::Call {
                    slot,
                    is_empty: true,
                    is_function: *kind == ToolCallKind::Function,
                }
            }
            Opening::ServerCall { id, name } => Block::Call {
                slot: voice.call(chunks, out, id, name, ToolCallKind::Function),
                is_empty: true,
                is_function: true,
            },
            Opening::RedactedThinking(data) => {
                let thought = Content::RedactedThinking(data.clone());
                return voice.thought(chunks, out, &thought);
            }
            Opening::ServerResult(result) => return voice.server_result(chunks, out, result),
            Opening::Image(url) => {
                voice.image(chunks, out, place, url);
                self.images += 1;
                return;
            }
            // The encoder has noted it.
            Opening::Unknown { .. } => return,
        };
        self.open.insert(number, block);
    }

    /// False for what cannot be said here.
    fn delta(&mut self, chunks: &Chunks, number: u32, delta: &Delta, out: &mut Vec<u8>) -> bool {
        let Some(block) = self.open.get_mut(&number) else {
            return false;
        };
        let Voice::Speaking(voice) = &mut self.voice else {
            return false;
        };
        match (block, delta) {
            (Block::Text { .. }, Delta::Text(text)) => {
                self.length += text.chars().count();
                voice.content(chunks, out, text);
            }
            (Block::Text { cited, .. }, Delta::Citation(citation)) => match citation.dialect {
                Dialect::Chat => voice.annotation(chunks, out, citation),
                Dialect::Anthropic => {
                    voice.citation(chunks, out, citation);
                    if citation.url.is_some() && cited.len() < MOST_CITED {
                        cited.push(citation.clone());
                    }
                }
                // It names a file that only the provider has.
                Dialect::Responses => return false,
            },
            (Block::Refusal, Delta::Text(text)) => voice.refusal(chunks, out, text),
            (Block::Thinking, Delta::Thinking(text)) => {
                let thought = Content::Thinking {
                    text: text.clone(),
                    signature: None,
                };
                voice.thought(chunks, out, &thought);
            }
            (Block::Thinking, Delta::Signature(signature)) => {
                let thought = Content::Thinking {
                    text: String::new(),
                    signature: Some(signature.clone()),
                };
                voice.thought(chunks, out, &thought);
            }
            (Block::Call { slot, is_empty, .. }, Delta::Arguments(text)) => {
                *is_empty &= text.trim().is_empty();
                voice.arguments(chunks, out, slot, text);
            }
            (Block::Audio, Delta::Audio(data)) => voice.audio(chunks, out, "data", data),
            (Block::Audio, Delta::Transcript(text)) => {
                voice.audio(chunks, out, "transcript", text);
            }
            _ => return false,
        }
        true
    }

    fn stop(&mut self, chunks: &Chunks, number: u32, out: &mut Vec<u8>) {
        let Some(block) = self.open.remove(&number) else {
            return;
        };
        let Voice::Speaking(voice) = &mut self.voice else {
            return;
        };
        match block {
            // A function that takes nothing is called with `{}`: clients parse it.
            Block::Call {
                slot,
                is_empty: true,
                is_function: true,
            } => voice.arguments(chunks, out, &slot, "{}"),
            Block::Text { start, cited } if !cited.is_empty() => {
                voice.pages(chunks, out, &cited, (start, self.length));
            }
            _ => {}
        }
    }

    fn finish(&mut self, chunks: &Chunks, reason: StopReason, out: &mut Vec<u8>) {
        let mut open: Vec<u32> = self.open.keys().copied().collect();
        open.sort_unstable();
        for number in open {
            self.stop(chunks, number, out);
        }
        let reason = reason_with(reason, self.calls);
        match std::mem::replace(&mut self.voice, Voice::Finished) {
            Voice::Silent(silent) => silent.speak().finish(chunks, out, reason),
            Voice::Speaking(speaking) => speaking.finish(chunks, out, reason),
            Voice::Finished => {}
        }
    }
}
