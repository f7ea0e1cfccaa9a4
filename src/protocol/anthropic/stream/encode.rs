//! Neutral events → a client's bytes.

use std::collections::VecDeque;

use super::ladder::{Before, Between, Ended, InputBlock, TextBlock, ThinkingBlock, UnderWay};
use crate::protocol::anthropic::answer::reason_with;
use crate::protocol::neutral::{
    Delta, Dialect, Event, Failure, FailureKind, NotCarried, Notes, Opening, Stop, StopReason,
    UsageReport, Why,
};

/// Most bytes of blocks that wait for one before them.
const MAX_WAITING: usize = 16 * 1024 * 1024;
/// Most blocks that wait.
const MOST_WAITING: usize = 1024;

/// Writes one stream.
///
/// Anthropic's clients read blocks one after another. Where an upstream has several open at once (parallel tool calls), those
/// behind the first wait in order until it is closed.
#[derive(Debug)]
pub struct Encoder {
    stage: Stage,
    /// The client's name of the model.
    model: String,
    id: String,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    usage: UsageReport,
    stop: Option<Stop>,
    refused: bool,
    calls: bool,
    notes: Notes,
}

#[derive(Debug)]
enum Stage {
    Before(Before),
    Between(Between),
    /// The number is the block's in the events.
    Inside(u32, Open),
    Ended(Ended),
    /// While a step is taken.
    Moving,
}

#[derive(Debug)]
enum Open {
    Text(TextBlock),
    Thinking(ThinkingBlock),
    Input(InputBlock),
}

#[derive(Debug)]
struct Waiting {
    block: u32,
    opening: Opening,
    deltas: Vec<Delta>,
    is_whole: bool,
}

impl Encoder {
    /// `model` is the client's name of it; `id` stands in where the upstream gives none.
    pub fn new(model: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            stage: Stage::Before(Before::new()),
            model: model.into(),
            id: id.into(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            usage: UsageReport::default(),
            stop: None,
            refused: false,
            calls: false,
            notes: Notes::default(),
        }
    }

    /// Writes what the event says, if anything is to be said yet. Any events in any order make a well-formed stream.
    pub fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        if matches!(self.stage, Stage::Ended(_)) {
            return;
        }
        match event {
            Event::Start { id, .. } => {
                if matches!(self.stage, Stage::Before(_)) && !id.is_empty() {
                    self.id = id;
                }
                self.start(out);
            }
            Event::Usage(usage) => self.usage = usage,
            Event::Ping => match &self.stage {
                Stage::Between(between) => between.ping(out),
                Stage::Inside(_, Open::Text(block)) => block.ping(out),
                Stage::Inside(_, Open::Thinking(block)) => block.ping(out),
                Stage::Inside(_, Open::Input(block)) => block.ping(out),
                Stage::Before(_) | Stage::Ended(_) | Stage::Moving => {}
            },
            Event::BlockStart {
                choice: 0,
                block,
                opening,
            } => self.block_start(block, opening, out),
            Event::BlockDelta {
                choice: 0,
                block,
                delta,
            } => self.block_delta(block, delta, out),
            Event::BlockStop { choice: 0, block } => self.block_stop(block, out),
            Event::Finish { choice: 0, stop } => {
                self.start(out);
                self.close_all(out);
                self.stop.get_or_insert(stop);
            }
            Event::BlockStart { .. }
            | Event::BlockDelta { .. }
            | Event::BlockStop { .. }
            | Event::Finish { .. } => self.notes.add("choices", Why::Unsupported),
            Event::Unknown { name, .. } => self.notes.add(name, Why::Unsupported),
            Event::Error(failure) => self.fail(&failure, out),
            Event::End => self.end(out),
        }
    }

    /// What the client could not be told.
    pub fn not_carried(&self) -> &[NotCarried] {
        self.notes.list()
    }

    /// Takes the stage out for a step; what every step leaves behind it is put back.
    fn step(&mut self, step: impl FnOnce(&mut Self, Stage) -> Stage) {
        let stage = std::mem::replace(&mut self.stage, Stage::Moving);
        self.stage = step(self, stage);
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        self.step(|this, stage| match stage {
            Stage::Before(before) => {
                Stage::Between(before.start(out, &this.id, &this.model, &this.usage))
            }
            other => other,
        });
    }

    fn block_start(&mut self, block: u32, opening: Opening, out: &mut Vec<u8>) {
        if self.stop.is_some() || self.knows(block) {
            return self.notes.add("content", Why::Unsupported);
        }
        if let Some(what) = unwritable(&opening) {
            return self.notes.add(what, Why::Unsupported);
        }
        self.start(out);
        self.refused |= opening == Opening::Refusal;
        self.calls |= matches!(opening, Opening::ToolCall { .. });
        let size = size(&opening);
        let waiting = Waiting {
            block,
            opening,
            deltas: Vec::new(),
            is_whole: false,
        };
        self.waiting.push_back(waiting);
        if self.waiting.len() > MOST_WAITING {
            return self.too_much(out);
        }
        self.waits(size, out);
        self.go_on(out);
    }

    fn block_delta(&mut self, block: u32, delta: Delta, out: &mut Vec<u8>) {
        if let Stage::Inside(open_block, open) = &self.stage
            && *open_block == block
        {
            return write_delta(open, &delta, &mut self.notes, out);
        }
        let place = self
            .waiting
            .iter_mut()
            .find(|waiting| waiting.block == block);
        match place.filter(|waiting| !waiting.is_whole) {
            Some(waiting) => {
                let size = delta.content_bytes() + std::mem::size_of::<Delta>();
                waiting.deltas.push(delta);
                self.waits(size, out);
            }
            None => self.notes.add("content", Why::Unsupported),
        }
    }

    fn block_stop(&mut self, block: u32, out: &mut Vec<u8>) {
        if matches!(self.stage, Stage::Inside(open, _) if open == block) {
            self.close(out);
            return self.go_on(out);
        }
        let place = self
            .waiting
            .iter_mut()
            .find(|waiting| waiting.block == block);
        if let Some(waiting) = place {
            waiting.is_whole = true;
        }
    }

    fn knows(&self, block: u32) -> bool {
        matches!(self.stage, Stage::Inside(open, _) if open == block)
            || self.waiting.iter().any(|waiting| waiting.block == block)
    }

    fn waits(&mut self, bytes: usize, out: &mut Vec<u8>) {
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        if self.waiting_bytes > MAX_WAITING {
            self.too_much(out);
        }
    }

    fn too_much(&mut self, out: &mut Vec<u8>) {
        let message = "the upstream keeps too many parts of its answer open at once";
        self.fail(&Failure::new(FailureKind::Api, message), out);
    }

    /// Opens the blocks whose turn it is.
    fn go_on(&mut self, out: &mut Vec<u8>) {
        while matches!(self.stage, Stage::Between(_)) {
            let Some(waiting) = self.waiting.pop_front() else {
                self.waiting_bytes = 0;
                return;
            };
            self.open(waiting, out);
        }
    }

    fn open(&mut self, waiting: Waiting, out: &mut Vec<u8>) {
        let freed = size(&waiting.opening);
        self.waiting_bytes = self.waiting_bytes.saturating_sub(freed);
        self.step(|_, stage| match stage {
            Stage::Between(between) => open(between, waiting.block, &waiting.opening, out),
            other => other,
        });
        for delta in &waiting.deltas {
            let freed = delta.content_bytes() + std::mem::size_of::<Delta>();
            self.waiting_bytes = self.waiting_bytes.saturating_sub(freed);
            if let Stage::Inside(_, open) = &self.stage {
                write_delta(open, delta, &mut self.notes, out);
            }
        }
        if waiting.is_whole {
            self.close(out);
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.step(|_, stage| match stage {
            Stage::Inside(_, Open::Text(block)) => Stage::Between(block.close(out)),
            Stage::Inside(_, Open::Thinking(block)) => Stage::Between(block.close(out)),
            Stage::Inside(_, Open::Input(block)) => Stage::Between(block.close(out)),
            other => other,
        });
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        while !self.waiting.is_empty() && matches!(self.stage, Stage::Between(_)) {
            self.go_on(out);
            self.close(out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        self.close_all(out);
        let stop = self.stop.take();
        let mut stop = stop.unwrap_or_else(|| StopReason::EndTurn.into());
        stop.reason = reason_with(stop.reason, self.refused, self.calls);
        self.step(|this, stage| match stage {
            Stage::Between(between) => Stage::Ended(between.finish(out, &stop, &this.usage)),
            other => other,
        });
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.close(out);
        self.waiting.clear();
        self.step(|_, stage| match stage {
            Stage::Before(before) => Stage::Ended(before.fail(out, failure)),
            Stage::Between(between) => Stage::Ended(between.fail(out, failure)),
            other => other,
        });
    }
}

fn open(between: Between, number: u32, opening: &Opening, out: &mut Vec<u8>) -> Stage {
    match opening {
        Opening::Text | Opening::Refusal => Stage::Inside(number, Open::Text(between.text(out))),
        Opening::Thinking => Stage::Inside(number, Open::Thinking(between.thinking(out))),
        Opening::RedactedThinking(data) => Stage::Between(between.redacted(out, data)),
        Opening::ToolCall { id, name, .. } => {
            Stage::Inside(number, Open::Input(between.tool(out, id, name)))
        }
        Opening::ServerCall { id, name } => {
            Stage::Inside(number, Open::Input(between.server_tool(out, id, name)))
        }
        Opening::ServerResult(result) => Stage::Between(between.server_result(out, result)),
        // `unwritable` keeps these out.
        Opening::Image(_) | Opening::Audio(_) | Opening::Unknown { .. } => Stage::Between(between),
    }
}

fn write_delta(open: &Open, delta: &Delta, notes: &mut Notes, out: &mut Vec<u8>) {
    match (open, delta) {
        (Open::Text(block), Delta::Text(text)) => block.add(out, text),
        (Open::Text(block), Delta::Citation(citation))
            if citation.dialect == Dialect::Anthropic =>
        {
            block.cite(out, citation);
        }
        (Open::Text(_), Delta::Citation(_)) => notes.add("annotations", Why::Unverifiable),
        (Open::Thinking(block), Delta::Thinking(text)) => block.add(out, text),
        (Open::Thinking(block), Delta::Signature(signature)) => block.sign(out, signature),
        (Open::Input(block), Delta::Arguments(json)) => block.add(out, json),
        (_, Delta::Unknown { kind, .. }) => notes.add(kind, Why::Unsupported),
        _ => notes.add("content", Why::Unsupported),
    }
}

/// The name of an opening that Anthropic's clients do not know.
fn unwritable(opening: &Opening) -> Option<&str> {
    match opening {
        Opening::Image(_) => Some("images"),
        Opening::Audio(_) => Some("audio"),
        Opening::Unknown { kind, .. } => Some(kind),
        _ => None,
    }
}

/// About how many bytes an opening holds.
fn size(opening: &Opening) -> usize {
    let held = match opening {
        Opening::RedactedThinking(text) | Opening::Image(text) | Opening::Audio(text) => text.len(),
        Opening::ToolCall { id, name, .. } | Opening::ServerCall { id, name } => {
            id.len() + name.len()
        }
        Opening::ServerResult(result) => result.content.as_bytes().len(),
        Opening::Unknown { raw, .. } => raw.as_bytes().len(),
        Opening::Text | Opening::Refusal | Opening::Thinking => 0,
    };
    held + std::mem::size_of::<Waiting>()
}
