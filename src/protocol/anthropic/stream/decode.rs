//! An upstream's bytes → neutral events.

use std::collections::HashMap;

use crate::protocol::anthropic::blocks::citation;
use crate::protocol::anthropic::errors::decode_error;
use crate::protocol::anthropic::stop;
use crate::protocol::anthropic::usage::Counts;
use crate::protocol::json_fields::{DecodeError, Fields, Path};
use crate::protocol::neutral::{
    Delta, Dialect, Event, Failure, FailureKind, Opening, Raw, ServerResult, ToolCallKind,
};
use crate::protocol::sse_events::EventReader;

/// Most blocks open at once.
const MOST_OPEN: usize = 1024;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    events: EventReader,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    /// Open blocks by the upstream's index.
    open: HashMap<u64, Block>,
    /// How many blocks have begun.
    begun: u32,
    /// Nothing more is read: the stream has ended, well or badly.
    ended: bool,
}

#[derive(Debug)]
struct Block {
    number: u32,
    /// Input that was whole at the block's start; it holds if none follows.
    input: Option<String>,
}

impl Decoder {
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

    /// The upstream ended in good order. An answer without `message_stop` is not whole.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        let state = &mut self.state;
        self.events.finish(|data| state.event(data, events));
        if !state.ended {
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

    fn event(&mut self, data: &[u8], events: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if let Err(error) = self.read(data, events) {
            self.fail(
                format!("an event of the upstream cannot be read: {error}"),
                events,
            );
        }
    }

    fn read(&mut self, data: &[u8], events: &mut Vec<Event>) -> Result<(), DecodeError> {
        let at = Path::Body;
        let mut fields = Fields::read(data, &at)?;
        let kind = fields.required_text("type", &at)?;
        match kind.as_str() {
            "content_block_delta" => self.delta(&mut fields, events)?,
            "content_block_start" => self.block_start(&mut fields, events)?,
            "content_block_stop" => {
                let index = index(&mut fields)?;
                if let Some(block) = self.open.remove(&index) {
                    block.stop(events);
                }
            }
            "message_start" => self.message_start(&mut fields, events)?,
            "message_delta" => self.message_delta(fields, events)?,
            "message_stop" => {
                self.close_all(events);
                self.ended = true;
                events.push(Event::End);
            }
            "ping" => events.push(Event::Ping),
            "error" => {
                let failure = decode_error(data, None);
                let missing = || Failure::new(FailureKind::Api, "the upstream reports an error");
                self.ended = true;
                events.push(Event::Error(failure.unwrap_or_else(missing)));
            }
            _ => {
                let raw = Raw::parse(data).ok_or_else(|| at.expected("a JSON object"))?;
                events.push(Event::Unknown {
                    dialect: Dialect::Anthropic,
                    name: kind,
                    raw,
                });
            }
        }
        Ok(())
    }

    fn message_start(
        &mut self,
        fields: &mut Fields<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let at = Path::Body;
        let inner = fields.object("message", &at)?;
        let mut message = inner.ok_or_else(|| at.missing("message"))?;
        let at = at.field("message");
        if let Some(usage) = message.take("usage") {
            self.counts = Counts::read(usage);
            if let Some(mut report) = self.counts.report() {
                // The output is told at the end.
                report.counts.output_is_open = true;
                events.push(Event::Usage(report));
            }
        }
        events.push(Event::Start {
            id: message.text("id", &at)?.unwrap_or_default(),
            model: message.text("model", &at)?.unwrap_or_default(),
            created: None,
        });
        Ok(())
    }

    fn message_delta(
        &mut self,
        mut fields: Fields<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let at = Path::Body;
        if let Some(usage) = fields.take("usage") {
            self.counts.replace_with(Counts::read(usage));
            events.extend(self.counts.report().map(Event::Usage));
        }
        if let Some(mut delta) = fields.object("delta", &at)? {
            let at = at.field("delta");
            let sequence = delta.text("stop_sequence", &at)?;
            let reason = delta.text("stop_reason", &at)?;
            unknown(delta, events)?;
            if let Some(reason) = reason {
                self.close_all(events);
                events.push(Event::Finish {
                    choice: 0,
                    stop: stop(&reason, sequence),
                });
            }
        }
        unknown(fields, events)
    }

    fn close_all(&mut self, events: &mut Vec<Event>) {
        let mut open: Vec<_> = self.open.drain().map(|(_, block)| block).collect();
        open.sort_by_key(|block| block.number);
        for block in open {
            block.stop(events);
        }
    }

    fn block_start(
        &mut self,
        fields: &mut Fields<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let at = Path::Body;
        let index = index(fields)?;
        let value = fields.take("content_block");
        let value = value.ok_or_else(|| at.missing("content_block"))?;
        let at = at.field("content_block");
        let (opening, first, input) = opening(value, &at)?;
        if self.open.len() >= MOST_OPEN {
            return Err(at.expected("fewer blocks open at once"));
        }
        let number = self.begun;
        self.begun = self.begun.saturating_add(1);
        events.push(Event::BlockStart {
            choice: 0,
            block: number,
            opening,
        });
        for delta in first {
            events.push(Event::BlockDelta {
                choice: 0,
                block: number,
                delta,
            });
        }
        if let Some(unended) = self.open.insert(index, Block { number, input }) {
            unended.stop(events);
        }
        Ok(())
    }

    fn delta(
        &mut self,
        fields: &mut Fields<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let at = Path::Body;
        let index = index(fields)?;
        let value = fields.take("delta");
        let value = value.ok_or_else(|| at.missing("delta"))?;
        let at = at.field("delta");
        let mut delta = Fields::read(value, &at)?;
        let kind = delta.required_text("type", &at)?;
        let delta = match kind.as_str() {
            "text_delta" => Delta::Text(delta.required_text("text", &at)?),
            "input_json_delta" => Delta::Arguments(delta.required_text("partial_json", &at)?),
            "thinking_delta" => Delta::Thinking(delta.required_text("thinking", &at)?),
            "signature_delta" => Delta::Signature(delta.required_text("signature", &at)?),
            "citations_delta" => {
                let value = delta.take("citation");
                let value = value.ok_or_else(|| at.missing("citation"))?;
                Delta::Citation(citation(value, &at.field("citation"))?)
            }
            _ => Delta::Unknown {
                dialect: Dialect::Anthropic,
                kind,
                raw: Raw::parse(value).ok_or_else(|| at.expected("a JSON object"))?,
            },
        };
        let Some(block) = self.open.get_mut(&index) else {
            return Err(Path::Body
                .field("index")
                .expected("the index of an open block"));
        };
        if matches!(&delta, Delta::Arguments(text) if text.is_empty()) {
            return Ok(());
        }
        if matches!(delta, Delta::Arguments(_)) {
            block.input = None;
        }
        events.push(Event::BlockDelta {
            choice: 0,
            block: block.number,
            delta,
        });
        Ok(())
    }
}

impl Block {
    fn stop(self, events: &mut Vec<Event>) {
        let block = self.number;
        if let Some(input) = self.input {
            events.push(Event::BlockDelta {
                choice: 0,
                block,
                delta: Delta::Arguments(input),
            });
        }
        events.push(Event::BlockStop { choice: 0, block });
    }
}

fn index(fields: &mut Fields<'_>) -> Result<u64, DecodeError> {
    let at = Path::Body;
    let index = fields.whole("index", &at)?;
    index.ok_or_else(|| at.missing("index"))
}

/// What nobody knows beside what is known.
fn unknown(fields: Fields<'_>, events: &mut Vec<Event>) -> Result<(), DecodeError> {
    for extension in fields.rest(Dialect::Anthropic, &Path::Body)?.0 {
        events.push(Event::Unknown {
            dialect: extension.dialect,
            name: extension.name,
            raw: extension.value,
        });
    }
    Ok(())
}

/// A block's beginning, what it already holds, and input that may yet be said in deltas.
fn opening(
    value: &[u8],
    at: &Path<'_>,
) -> Result<(Opening, Vec<Delta>, Option<String>), DecodeError> {
    let mut fields = Fields::read(value, at)?;
    let kind = fields.required_text("type", at)?;
    let mut first = Vec::new();
    let mut input = None;
    let mut add = |text: Option<String>, delta: fn(String) -> Delta| {
        first.extend(text.filter(|text| !text.is_empty()).map(delta));
    };
    let opening = match kind.as_str() {
        "text" => {
            add(fields.text("text", at)?, Delta::Text);
            let citations = fields.array("citations", at)?.unwrap_or_default();
            for item in citations {
                first.push(Delta::Citation(citation(item, &at.field("citations"))?));
            }
            Opening::Text
        }
        "thinking" => {
            add(fields.text("thinking", at)?, Delta::Thinking);
            add(fields.text("signature", at)?, Delta::Signature);
            Opening::Thinking
        }
        "redacted_thinking" => Opening::RedactedThinking(fields.required_text("data", at)?),
        "tool_use" | "server_tool_use" => {
            let id = fields.required_text("id", at)?;
            let name = fields.required_text("name", at)?;
            let said = fields.raw("input", at)?.map(|raw| raw.as_str().to_owned());
            input = said.filter(|said| said.bytes().any(|byte| !b"{} \n\t\r".contains(&byte)));
            match kind.as_str() {
                "tool_use" => Opening::ToolCall {
                    id,
                    name,
                    kind: ToolCallKind::Function,
                },
                _ => Opening::ServerCall { id, name },
            }
        }
        kind if kind.ends_with("_tool_result") => Opening::ServerResult(ServerResult {
            kind: kind.to_owned(),
            call: fields.required_text("tool_use_id", at)?,
            content: fields
                .raw("content", at)?
                .ok_or_else(|| at.missing("content"))?,
        }),
        _ => Opening::Unknown {
            dialect: Dialect::Anthropic,
            kind,
            raw: Raw::parse(value).ok_or_else(|| at.expected("a JSON value"))?,
        },
    };
    Ok((opening, first, input))
}
