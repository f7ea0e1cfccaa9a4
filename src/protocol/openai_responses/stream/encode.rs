//! Neutral events → a client's bytes.

use super::head::Head;
use super::held::{Held, image, tell_held};
use super::items::CallHead;
use super::ladder::{
    Before, Between, Call, Ended, Message, Outcome, Reasoning, RefusalPart, TextPart,
};
use crate::protocol::neutral::{
    Delta, Event, Failure, FailureKind, InTurn, NotCarried, Notes, Opening, Raw, ServerCall, Step,
    Stop, StopReason, ToolCallKind, Unfit, UsageReport, Why,
};
use crate::protocol::openai_responses::decode_content::data_url;
use crate::protocol::openai_responses::names::Called;
use crate::protocol::openai_responses::{annotations, proofs};
use crate::protocol::resumption::{OpenItem, Passed, REOPENED};

/// Most bytes of content of one response: its last event repeats them all, so they must be kept.
const MAX_CONTENT: usize = 64 * 1024 * 1024;

/// Writes one stream.
///
/// Items follow one another: where an upstream has several blocks open at once, those behind the first wait. Texts and refusals
/// beside each other are parts of one message.
#[derive(Debug)]
pub struct Encoder {
    stage: Stage,
    turns: InTurn,
    kept: usize,
    /// Most bytes of content.
    limit: usize,
    usage: UsageReport,
    stop: Option<Stop>,
    refused: bool,
    /// OpenAI's, of the answer's text; only whole answers have them.
    logprobs: Option<Raw>,
    notes: Notes,
}

#[derive(Debug)]
enum Stage {
    Before(Before),
    Between(Between),
    /// Between the parts of a message.
    Message(Message),
    Text(TextPart),
    Refusal(RefusalPart),
    Reasoning(Reasoning, String),
    Call(Call),
    /// A call that is told when it is whole: of a tool with items of its own, or of a provider's.
    Held(Between, Held),
    /// A block of which the client is not told.
    Skipped(Box<Stage>),
    Ended(Ended),
    /// While a step is taken.
    Moving,
}

impl Encoder {
    pub fn new(head: Head) -> Self {
        Self {
            stage: Stage::Before(Before::new(head)),
            turns: InTurn::default(),
            kept: 0,
            limit: MAX_CONTENT,
            usage: UsageReport::default(),
            stop: None,
            refused: false,
            logprobs: None,
            notes: Notes::default(),
        }
    }

    /// Goes on with a response that has passed so far. Its open block is number [`REOPENED`]. Of `head` the id, the model and
    /// the time are those that have passed.
    pub fn going_on(head: Head, passed: &Passed) -> Self {
        let head = Head {
            id: passed.id.clone(),
            model: passed.model.clone(),
            created: passed.created.unwrap_or(head.created),
            ..head
        };
        let items = &passed.items;
        let between = Between::behind(head.clone(), items);
        let (stage, is_inside) = match items.open {
            None => (Stage::Between(between), false),
            Some(OpenItem::Message) if items.has_part => {
                let text = between.in_message(items).in_text(items);
                (Stage::Text(text), true)
            }
            Some(OpenItem::Message) => (Stage::Message(between.in_message(items)), false),
            Some(OpenItem::Reasoning) => {
                let thought = between.in_reasoning(items);
                (Stage::Reasoning(thought, String::new()), true)
            }
        };
        Self {
            stage,
            turns: match is_inside {
                true => InTurn::inside(REOPENED),
                false => InTurn::default(),
            },
            kept: items.output.len() + items.text.len(),
            ..Self::new(head)
        }
    }

    /// Writes what the event says, if anything is to be said yet. Any events in any order make a well-formed stream.
    pub fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        if matches!(self.stage, Stage::Ended(_)) {
            return;
        }
        match event {
            Event::Start { created, .. } => {
                if let (Stage::Before(before), Some(created)) = (&mut self.stage, created) {
                    before.created_at(created);
                }
                self.start(out);
            }
            Event::Usage(usage) => self.usage = usage,
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
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

    /// For an answer that is there already, as a whole.
    pub(in crate::protocol::openai_responses) fn of_whole(head: Head) -> Self {
        Self {
            limit: usize::MAX,
            ..Self::new(head)
        }
    }

    pub(in crate::protocol::openai_responses) fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }

    /// Probabilities of the tokens of the next text, as an array.
    pub(in crate::protocol::openai_responses) fn set_logprobs(&mut self, logprobs: Raw) {
        self.logprobs = Some(logprobs);
    }

    /// Ends the response and gives it as one body.
    pub(in crate::protocol::openai_responses) fn into_body(mut self, out: &mut Vec<u8>) -> Vec<u8> {
        let outcome = self.conclude(out);
        match self.stage {
            Stage::Between(between) => between.into_body(outcome, &self.usage),
            _ => Vec::new(),
        }
    }

    /// Takes the stage out for a step; what every step leaves behind it is put back.
    fn step(&mut self, step: impl FnOnce(&mut Self, Stage) -> Stage) {
        let stage = std::mem::replace(&mut self.stage, Stage::Moving);
        self.stage = step(self, stage);
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        self.step(|_, stage| match stage {
            Stage::Before(before) => Stage::Between(before.start(out)),
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
            Ok(()) if self.kept <= self.limit => {}
            Err(Unfit::Number) => self.notes.add("content", Why::Unsupported),
            Ok(()) | Err(Unfit::TooMuch) => {
                let message = "the upstream's answer is larger than a response can repeat";
                self.fail(&Failure::new(FailureKind::Api, message), out);
            }
        }
    }

    fn take(&mut self, step: Step, out: &mut Vec<u8>) {
        match step {
            Step::Open(opening) => self.step(|this, stage| this.open(stage, opening, out)),
            Step::Delta(delta) => self.delta(&delta, out),
            Step::Close => self.step(|this, stage| this.close(stage, out)),
        }
    }

    fn open(&mut self, stage: Stage, opening: Opening, out: &mut Vec<u8>) -> Stage {
        if let Opening::Text | Opening::Refusal = opening {
            let message = match stage {
                Stage::Message(message) => message,
                Stage::Between(between) => between.message(out),
                other => return other,
            };
            return if opening == Opening::Text {
                Stage::Text(message.text(out))
            } else {
                self.refused = true;
                Stage::Refusal(message.refusal(out))
            };
        }
        if let Some(what) = self.untellable(&opening) {
            self.notes.add(what, Why::Unsupported);
            return Stage::Skipped(Box::new(stage));
        }
        let between = match stage {
            Stage::Message(message) => message.close(out),
            Stage::Between(between) => between,
            other => return other,
        };
        match opening {
            Opening::Thinking => Stage::Reasoning(between.reasoning(out), String::new()),
            Opening::RedactedThinking(data) => {
                let encrypted = proofs::of_redacted(&data);
                self.kept += encrypted.len();
                let between = between.reasoning(out).close(out, Some(&encrypted));
                Stage::Skipped(Box::new(Stage::Between(between)))
            }
            Opening::ToolCall { id, name, kind } => self.open_call(between, id, &name, kind, out),
            Opening::ServerCall { id, name } => {
                let input = String::new();
                Stage::Held(between, Held::Server(ServerCall { id, name, input }))
            }
            Opening::Image(url) => {
                self.kept += url.len();
                let between = between.whole(out, "ig", |out, id| image(out, id, &url));
                Stage::Skipped(Box::new(Stage::Between(between)))
            }
            // Seen above.
            _ => Stage::Between(between),
        }
    }

    /// The name of a block of which the client cannot be told.
    fn untellable(&self, opening: &Opening) -> Option<String> {
        match opening {
            Opening::ServerResult(result) => Some(result.kind.clone()),
            Opening::ServerCall { name, .. } if name != WEB_SEARCH => Some(name.clone()),
            Opening::Audio(_) => Some("audio".to_owned()),
            Opening::Image(url) if data_url(url).is_none() => Some("images".to_owned()),
            Opening::Unknown { kind, .. } => Some(kind.clone()),
            _ => None,
        }
    }

    fn open_call(
        &mut self,
        mut between: Between,
        call_id: String,
        flat: &str,
        kind: ToolCallKind,
        out: &mut Vec<u8>,
    ) -> Stage {
        let called = between.head_mut().asked.names.get(flat).cloned();
        let mut call = CallHead {
            call_id,
            name: flat.to_owned(),
            namespace: None,
            is_custom: kind == ToolCallKind::Custom,
        };
        match called {
            Some(Called::Local(tool)) => {
                return Stage::Held(between, Held::Local(tool, call, String::new()));
            }
            Some(Called::Within { namespace, name }) => {
                call.name = name;
                call.namespace = Some(namespace);
            }
            None => {}
        }
        Stage::Call(between.call(out, call))
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        self.kept += delta.content_bytes();
        match (&mut self.stage, delta) {
            (Stage::Skipped(_), _) => {}
            (Stage::Text(part), Delta::Text(text)) => part.add(out, text),
            (Stage::Text(part), Delta::Citation(citation)) => {
                match annotations::encode(citation, (0, part.length())) {
                    Some(annotation) => {
                        self.kept += annotation.len();
                        part.annotate(out, &annotation);
                    }
                    None => self.notes.add("citations", Why::Unsupported),
                }
            }
            (Stage::Refusal(part), Delta::Text(text)) => part.add(out, text),
            (Stage::Reasoning(item, _), Delta::Thinking(text)) => {
                if !text.is_empty() {
                    item.add(out, text);
                }
            }
            (Stage::Reasoning(_, held), Delta::Signature(signature)) => {
                self.kept += signature.len();
                held.push_str(signature);
            }
            (Stage::Call(call), Delta::Arguments(text)) => {
                if !text.is_empty() {
                    call.add(out, text);
                }
            }
            (Stage::Held(_, Held::Local(_, _, held)), Delta::Arguments(text)) => {
                held.push_str(text);
            }
            (Stage::Held(_, Held::Server(call)), Delta::Arguments(text)) => {
                call.input.push_str(text);
            }
            (_, Delta::Unknown { kind, .. }) => self.notes.add(kind, Why::Unsupported),
            _ => self.notes.add("content", Why::Unsupported),
        }
    }

    fn close(&mut self, stage: Stage, out: &mut Vec<u8>) -> Stage {
        match stage {
            Stage::Text(part) => {
                let logprobs = self.logprobs.take();
                let logprobs = logprobs.as_ref().map_or(&b"[]"[..], Raw::as_bytes);
                Stage::Message(part.close(out, logprobs))
            }
            Stage::Refusal(part) => Stage::Message(part.close(out)),
            Stage::Reasoning(item, signature) => {
                let encrypted = proofs::of_signature(&signature);
                let encrypted = (!signature.is_empty()).then_some(encrypted.as_str());
                Stage::Between(item.close(out, encrypted))
            }
            Stage::Call(mut call) => {
                // A function that takes nothing is called with `{}`: clients parse it.
                if call.is_empty() && !call.is_custom() {
                    call.add(out, "{}");
                }
                Stage::Between(call.close(out))
            }
            Stage::Held(between, held) => Stage::Between(tell_held(between, held, out)),
            Stage::Skipped(before) => *before,
            other => other,
        }
    }

    /// Closes all that is open and says how the response ends.
    fn conclude(&mut self, out: &mut Vec<u8>) -> Outcome {
        self.start(out);
        self.close_all(out);
        self.step(|_, stage| match stage {
            Stage::Message(message) => Stage::Between(message.close(out)),
            other => other,
        });
        let reason = self
            .stop
            .take()
            .map_or(StopReason::EndTurn, |stop| stop.reason);
        outcome(reason, self.refused)
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let outcome = self.conclude(out);
        self.step(|this, stage| match stage {
            Stage::Between(between) => Stage::Ended(between.finish(out, outcome, &this.usage)),
            other => other,
        });
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.start(out);
        if self.turns.abandon() {
            self.step(|this, stage| this.close(stage, out));
        }
        self.step(|_, stage| {
            let between = match stage {
                Stage::Message(message) => message.close(out),
                Stage::Between(between) => between,
                other => return other,
            };
            Stage::Ended(between.fail(out, failure))
        });
    }
}

/// Anthropic's name of its search.
const WEB_SEARCH: &str = "web_search";

/// How a response ends. A refusal in words is an answer.
fn outcome(reason: StopReason, refused: bool) -> Outcome {
    match reason {
        StopReason::MaxTokens | StopReason::ContextWindow => {
            Outcome::Incomplete("max_output_tokens")
        }
        StopReason::Refusal if !refused => Outcome::Incomplete("content_filter"),
        _ => Outcome::Completed,
    }
}
