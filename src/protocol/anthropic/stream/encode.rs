//! Neutral events → a client's bytes.

use super::ladder::{Before, Between, Ended, InputBlock, TextBlock, ThinkingBlock, UnderWay};
use crate::protocol::anthropic::answer::reason_with;
use crate::protocol::neutral::{
    Delta, Dialect, Event, Failure, FailureKind, InTurn, NotCarried, Notes, Opening, Step, Stop,
    StopReason, Unfit, UsageReport, Why,
};
use crate::protocol::resumption::{self, Passed, REOPENED};

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
    turns: InTurn,
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
    Inside(Open),
    /// In a block that was whole when it began, or of which the client is not told.
    Past(Between),
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

impl Encoder {
    /// `model` is the client's name of it; `id` stands in where the upstream gives none.
    pub fn new(model: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            stage: Stage::Before(Before::new()),
            model: model.into(),
            id: id.into(),
            turns: InTurn::default(),
            usage: UsageReport::default(),
            stop: None,
            refused: false,
            calls: false,
            notes: Notes::default(),
        }
    }

    /// Goes on with a stream that has passed so far. Its open block is number [`REOPENED`].
    pub fn going_on(passed: &Passed) -> Self {
        let between = Between::behind(passed.blocks.into());
        let (stage, turns) = match passed.open {
            None => (Stage::Between(between), InTurn::default()),
            Some(resumption::Open::Text) => (
                Stage::Inside(Open::Text(between.in_text())),
                InTurn::inside(REOPENED),
            ),
            Some(resumption::Open::Thinking) => (
                Stage::Inside(Open::Thinking(between.in_thinking())),
                InTurn::inside(REOPENED),
            ),
        };
        Self {
            stage,
            turns,
            ..Self::new(passed.model.as_str(), passed.id.as_str())
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
                Stage::Between(between) | Stage::Past(between) => between.ping(out),
                Stage::Inside(Open::Text(block)) => block.ping(out),
                Stage::Inside(Open::Thinking(block)) => block.ping(out),
                Stage::Inside(Open::Input(block)) => block.ping(out),
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
        if self.stop.is_some() {
            return self.notes.add("content", Why::Unsupported);
        }
        self.start(out);
        let mut turns = std::mem::take(&mut self.turns);
        let started = turns.start(block, opening, |step| self.take(step, out));
        self.turns = turns;
        self.unfit(started, out);
    }

    fn block_delta(&mut self, block: u32, delta: Delta, out: &mut Vec<u8>) {
        let mut turns = std::mem::take(&mut self.turns);
        let told = turns.delta(block, delta, |step| self.take(step, out));
        self.turns = turns;
        self.unfit(told, out);
    }

    fn block_stop(&mut self, block: u32, out: &mut Vec<u8>) {
        let mut turns = std::mem::take(&mut self.turns);
        turns.stop(block, |step| self.take(step, out));
        self.turns = turns;
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        let mut turns = std::mem::take(&mut self.turns);
        turns.close_all(|step| self.take(step, out));
        self.turns = turns;
    }

    fn unfit(&mut self, told: Result<(), Unfit>, out: &mut Vec<u8>) {
        match told {
            Ok(()) => {}
            Err(Unfit::Number) => self.notes.add("content", Why::Unsupported),
            Err(Unfit::TooMuch) => {
                let message = "the upstream keeps too many parts of its answer open at once";
                self.fail(&Failure::new(FailureKind::Api, message), out);
            }
        }
    }

    fn take(&mut self, step: Step, out: &mut Vec<u8>) {
        match step {
            Step::Open(opening) => {
                self.refused |= opening == Opening::Refusal;
                self.calls |= matches!(opening, Opening::ToolCall { .. });
                if let Some(what) = unwritable(&opening) {
                    self.notes.add(what, Why::Unsupported);
                }
                self.step(|_, stage| match stage {
                    Stage::Between(between) => open(between, &opening, out),
                    other => other,
                });
            }
            Step::Delta(delta) => {
                if let Stage::Inside(open) = &self.stage {
                    write_delta(open, &delta, &mut self.notes, out);
                }
            }
            Step::Close => self.step(|_, stage| match stage {
                Stage::Inside(Open::Text(block)) => Stage::Between(block.close(out)),
                Stage::Inside(Open::Thinking(block)) => Stage::Between(block.close(out)),
                Stage::Inside(Open::Input(block)) => Stage::Between(block.close(out)),
                Stage::Past(between) => Stage::Between(between),
                other => other,
            }),
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
        if self.turns.abandon() {
            self.take(Step::Close, out);
        }
        self.step(|_, stage| match stage {
            Stage::Before(before) => Stage::Ended(before.fail(out, failure)),
            Stage::Between(between) => Stage::Ended(between.fail(out, failure)),
            other => other,
        });
    }
}

fn open(between: Between, opening: &Opening, out: &mut Vec<u8>) -> Stage {
    match opening {
        Opening::Text | Opening::Refusal => Stage::Inside(Open::Text(between.text(out))),
        Opening::Thinking => Stage::Inside(Open::Thinking(between.thinking(out))),
        Opening::RedactedThinking(data) => Stage::Past(between.redacted(out, data)),
        Opening::ToolCall { id, name, .. } => {
            Stage::Inside(Open::Input(between.tool(out, id, name)))
        }
        Opening::ServerCall { id, name } => {
            Stage::Inside(Open::Input(between.server_tool(out, id, name)))
        }
        Opening::ServerResult(result) => Stage::Past(between.server_result(out, result)),
        // Not for clients of Anthropic: see `unwritable`.
        Opening::Image(_) | Opening::Audio(_) | Opening::Unknown { .. } => Stage::Past(between),
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
