//! A response as a stream of numbered events.

use super::items::{self, Item, annotation, summary_part, text_part};
use super::object::{self, State, object};
use crate::simulator::blocks::quoted;
use crate::simulator::ids::Stamp;
use crate::simulator::request::Ask;
use crate::simulator::sse::{Frame, Payloads};
use crate::simulator::{Behaviour, Block, text};

/// The events of a stream.
pub fn payloads(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Payloads {
    let mut writer = Writer::default();
    let of = |state| format!(r#""response":{}"#, object(ask, behaviour, stamp, state));
    let mut opening = vec![writer.event("response.created", &of(State::InProgress))];
    if ask.is_in_background() {
        opening.push(writer.event("response.queued", &of(State::Queued)));
    }
    opening.push(writer.event("response.in_progress", &of(State::InProgress)));
    let said = items::said(behaviour);
    let mut middle = Vec::new();
    for (at, item) in items::of(&said).iter().enumerate() {
        let begun = item.begun(ask, stamp, at);
        let place = format!(r#""output_index":{at}"#);
        let added = writer.event(
            "response.output_item.added",
            &format!(r#"{place},"item":{begun}"#),
        );
        let mut groups = vec![vec![added]];
        let place = format!(r#""item_id":"{}",{place}"#, item.id(stamp, at));
        writer.inside(item, &place, behaviour, &mut groups);
        let done = format!(
            r#""output_index":{at},"item":{}"#,
            item.done(ask, stamp, at)
        );
        let done = writer.event("response.output_item.done", &done);
        if let Some(last) = groups.last_mut() {
            last.push(done);
        }
        middle.extend(groups);
    }
    let mut closing = Vec::new();
    if !behaviour.no_finish && !behaviour.no_done {
        let (status, _) = object::ended(behaviour, &said);
        let kind = format!("response.{status}");
        closing.push(writer.event(&kind, &of(State::Ended)));
    }
    Payloads {
        opening,
        middle,
        closing,
        done: "",
    }
}

/// What ends a stream that fails: `given` is the `error` of a `response.failed`, or a whole `error` event.
pub fn failure(
    ask: &Ask,
    behaviour: &Behaviour,
    stamp: &Stamp,
    sequence: usize,
    given: Option<&str>,
) -> Frame {
    let mut writer = Writer {
        sequence,
        unheard: false,
    };
    let error = given.unwrap_or(
        r#"{"code":"server_error","message":"The server had an error processing your request. Sorry about that!"}"#,
    );
    let fields = serde_json::from_str::<serde_json::Value>(error).unwrap_or_default();
    if fields["type"] == "error" {
        return Frame::of(error.to_owned());
    }
    let response = object(ask, behaviour, stamp, State::Failed(error));
    writer.event("response.failed", &format!(r#""response":{response}"#))
}

#[derive(Default)]
struct Writer {
    sequence: usize,
    unheard: bool,
}

// === impl Writer ===

impl Writer {
    fn event(&mut self, kind: &str, fields: &str) -> Frame {
        let sequence = self.sequence;
        self.sequence += 1;
        Frame::of(format!(
            r#"{{"type":"{kind}","sequence_number":{sequence},{fields}}}"#
        ))
    }

    /// The events between an item's two ends.
    fn inside(
        &mut self,
        item: &Item<'_>,
        place: &str,
        behaviour: &Behaviour,
        groups: &mut Vec<Vec<Frame>>,
    ) {
        self.unheard = behaviour.unknown_events;
        match item {
            Item::Reasoning { summary: None } => {}
            Item::Reasoning {
                summary: Some(summary),
            } => {
                let place = format!(r#"{place},"summary_index":0"#);
                let begun = format!(r#"{place},"part":{}"#, summary_part(""));
                self.append(groups, "response.reasoning_summary_part.added", &begun);
                self.pieces(
                    groups,
                    "response.reasoning_summary_text.delta",
                    &place,
                    summary,
                    behaviour,
                );
                let done = format!(r#"{place},"text":{}"#, quoted(summary));
                self.append(groups, "response.reasoning_summary_text.done", &done);
                let done = format!(r#"{place},"part":{}"#, summary_part(summary));
                self.append(groups, "response.reasoning_summary_part.done", &done);
            }
            Item::Message { parts } => {
                for (at, part) in parts.iter().enumerate() {
                    let place = format!(r#"{place},"content_index":{at}"#);
                    self.part(part, &place, behaviour, groups);
                }
            }
            Item::Call { input, custom, .. } => {
                let (kind, field) = if *custom {
                    ("response.custom_tool_call_input", "input")
                } else {
                    ("response.function_call_arguments", "arguments")
                };
                if !behaviour.whole_arguments {
                    self.pieces(groups, &format!("{kind}.delta"), place, input, behaviour);
                }
                let done = format!(r#"{place},"{field}":{}"#, quoted(input));
                self.append(groups, &format!("{kind}.done"), &done);
            }
            Item::Search { .. } => {
                for step in ["in_progress", "searching", "completed"] {
                    self.append(groups, &format!("response.web_search_call.{step}"), place);
                }
            }
        }
    }

    fn part(
        &mut self,
        part: &Block,
        place: &str,
        behaviour: &Behaviour,
        groups: &mut Vec<Vec<Frame>>,
    ) {
        match part {
            Block::Refusal { text } => {
                let empty = r#"{"type":"refusal","refusal":""}"#;
                self.append(
                    groups,
                    "response.content_part.added",
                    &format!(r#"{place},"part":{empty}"#),
                );
                self.pieces(groups, "response.refusal.delta", place, text, behaviour);
                let done = format!(r#"{place},"refusal":{}"#, quoted(text));
                self.append(groups, "response.refusal.done", &done);
            }
            Block::Text { text, cites } => {
                let begun = format!(r#"{place},"part":{}"#, text_part("", ""));
                self.append(groups, "response.content_part.added", &begun);
                self.pieces(groups, "response.output_text.delta", place, text, behaviour);
                for (at, source) in cites.iter().enumerate() {
                    let annotation = annotation(source, text);
                    let fields =
                        format!(r#"{place},"annotation_index":{at},"annotation":{annotation}"#);
                    self.append(groups, "response.output_text.annotation.added", &fields);
                }
                let done = format!(r#"{place},"text":{},"logprobs":[]"#, quoted(text));
                self.append(groups, "response.output_text.done", &done);
            }
            _ => return,
        }
        let done = format!(r#"{place},"part":{}"#, items::part(part));
        self.append(groups, "response.content_part.done", &done);
    }

    /// Goes with the chunk before it.
    fn append(&mut self, groups: &mut [Vec<Frame>], kind: &str, fields: &str) {
        let event = self.event(kind, fields);
        if let Some(last) = groups.last_mut() {
            last.push(event);
        }
    }

    /// A chunk a piece; the first goes with what stands before it.
    fn pieces(
        &mut self,
        groups: &mut Vec<Vec<Frame>>,
        kind: &str,
        place: &str,
        what: &str,
        behaviour: &Behaviour,
    ) {
        let logprobs = if kind == "response.output_text.delta" {
            r#","logprobs":[],"obfuscation":"aX9""#
        } else {
            ""
        };
        for (at, piece) in text::pieces(what, behaviour).into_iter().enumerate() {
            if self.unheard {
                self.append(
                    groups,
                    "response.weather.reported",
                    r#""weather":{"sky":"blue"}"#,
                );
            }
            let delta = format!(r#"{place},"delta":{}{logprobs}"#, quoted(piece));
            let event = self.event(kind, &delta);
            match groups.last_mut() {
                Some(first) if at == 0 => first.push(event),
                _ => groups.push(vec![event]),
            }
        }
    }
}
