//! A stream's frames in OpenAI's order: the role, the text or tool calls, the finish reason, usage if asked for, `[DONE]`.

use std::time::Duration;

use super::ids::Stamp;
use super::json::{self, Call, Delta, Part};
use super::request::Ask;
use super::script::Cue;
use super::{Behaviour, Garbage, errors, text};

/// The body of a stream, one write a frame; `[DONE]` shares the last one.
pub fn cues(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Vec<Cue> {
    let payloads = Payloads::new(ask, behaviour, stamp);
    let mut cues: Vec<Cue> = payloads
        .opening
        .iter()
        .map(|data| send(data, behaviour))
        .collect();
    let pace = Duration::from_millis(behaviour.chunk_delay_ms);
    for (number, data) in payloads.middle.iter().enumerate() {
        if breaks_off(number, behaviour, &mut cues) {
            return cues;
        }
        if !pace.is_zero() {
            cues.push(Cue::Wait(pace));
        }
        cues.push(send(data, behaviour));
    }
    if breaks_off(payloads.middle.len(), behaviour, &mut cues) {
        return cues;
    }
    cues.extend(payloads.closing.iter().map(|data| send(data, behaviour)));
    if !behaviour.no_done {
        let done = frame("[DONE]", behaviour);
        match cues.last_mut() {
            Some(Cue::Send(last)) => last.extend_from_slice(done.as_bytes()),
            _ => cues.push(Cue::Send(done.into_bytes())),
        }
    }
    cues
}

struct Payloads {
    opening: Vec<String>,
    /// Paced, and counted by the faults that come after some chunks.
    middle: Vec<String>,
    closing: Vec<String>,
}

impl Payloads {
    fn new(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Self {
        if let Some(frames) = &behaviour.frames {
            return Self {
                opening: Vec::new(),
                middle: frames.clone(),
                closing: Vec::new(),
            };
        }
        let each_choice =
            |delta: &dyn Fn() -> Delta<'static>, finish_reason: Option<&str>| -> Vec<String> {
                (0..ask.choices)
                    .map(|index| {
                        json::chunk(
                            ask,
                            stamp,
                            vec![Part {
                                index,
                                delta: delta(),
                                logprobs: (),
                                finish_reason,
                            }],
                        )
                    })
                    .collect()
            };
        let content = if behaviour.tool_calls.is_empty() {
            Some("")
        } else {
            None
        };
        let role = || Delta {
            role: Some("assistant"),
            content: Some(content),
            refusal: Some(()),
            ..Delta::default()
        };
        let mut opening = each_choice(&role, None);
        if behaviour.garbage == Some(Garbage::NotJson) {
            opening.push("{\"id\": \"chatcmpl-oops\", \"choices\": [{".to_owned());
        }
        let mut closing = Vec::new();
        if !behaviour.no_finish {
            closing.extend(each_choice(
                &Delta::default,
                Some(json::finish_reason(behaviour)),
            ));
        }
        if (ask.include_usage || behaviour.usage_unasked) && !behaviour.no_usage {
            closing.push(json::usage_chunk(ask, behaviour, stamp));
        }
        Self {
            opening,
            middle: spoken(ask, behaviour, stamp),
            closing,
        }
    }
}

/// The chunks between the role and the finish reason.
fn spoken(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Vec<String> {
    let chunk = |index, delta| {
        json::chunk(
            ask,
            stamp,
            vec![Part {
                index,
                delta,
                logprobs: (),
                finish_reason: None,
            }],
        )
    };
    if behaviour.tool_calls.is_empty() {
        let text = text::whole(behaviour);
        let say = |piece| {
            let delta = move || Delta {
                content: Some(Some(piece)),
                ..Delta::default()
            };
            (0..ask.choices).map(move |index| (index, delta()))
        };
        return text::pieces(&text, behaviour)
            .into_iter()
            .flat_map(say)
            .map(|(index, delta)| chunk(index, delta))
            .collect();
    }
    let mut chunks = Vec::new();
    for choice in 0..ask.choices {
        for (index, call) in behaviour.tool_calls.iter().enumerate() {
            let arguments = text::pieces(&call.arguments, behaviour);
            let parts = arguments.into_iter().map(|piece| Call::more(index, piece));
            for part in std::iter::once(Call::opening(index, call)).chain(parts) {
                chunks.push(chunk(
                    choice,
                    Delta {
                        tool_calls: vec![part],
                        ..Delta::default()
                    },
                ));
            }
        }
    }
    chunks
}

/// Whether the stream ends before text chunk `number`, and how.
fn breaks_off(number: usize, behaviour: &Behaviour, cues: &mut Vec<Cue>) -> bool {
    if behaviour.silent_after_chunks == Some(number) {
        cues.push(Cue::Silence);
        return true;
    }
    let Some(fault) = behaviour
        .error_mid_stream
        .as_ref()
        .filter(|fault| fault.after_chunks == number)
    else {
        return false;
    };
    let payload = match &fault.error {
        Some(error) => format!("{{\"error\":{}}}", error.get()),
        None => errors::for_status(500).body.replace("\n", ""),
    };
    cues.push(send(&payload, behaviour));
    true
}

fn send(data: &str, behaviour: &Behaviour) -> Cue {
    Cue::Send(frame(data, behaviour).into_bytes())
}

fn frame(data: &str, behaviour: &Behaviour) -> String {
    let end = if behaviour.crlf { "\r\n" } else { "\n" };
    let comment = if behaviour.comments {
        format!(": keep-alive{end}{end}")
    } else {
        String::new()
    };
    format!("{comment}data: {data}{end}{end}")
}
