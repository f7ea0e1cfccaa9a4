//! A stream's frames in their order. A chat's are: the role, what is said, the finish reason, usage if asked for, `[DONE]`.

use std::time::Duration;

use super::ids::Stamp;
use super::json::{self, Part};
use super::message::{self, Delta, Said};
use super::request::{Ask, Kind};
use super::script::Cue;
use super::{Behaviour, Garbage, MidStreamError, anthropic, completions, errors, responses};

/// The body of a stream, one write a frame; `[DONE]` shares the last one.
pub fn cues(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Vec<Cue> {
    let payloads = Payloads::new(ask, behaviour, stamp);
    let send = |frame: &Frame| Cue::Send(frame.written(behaviour).into_bytes());
    let mut cues: Vec<Cue> = payloads.opening.iter().map(send).collect();
    let pace = Duration::from_millis(behaviour.chunk_delay_ms);
    let mut sent = payloads.opening.len();
    for number in 0..=payloads.middle.len() {
        if behaviour.silent_after_chunks == Some(number) {
            cues.push(Cue::Silence);
            return cues;
        }
        let fault = behaviour.error_mid_stream.as_ref();
        if let Some(fault) = fault.filter(|fault| fault.after_chunks == number) {
            cues.push(send(&failure(ask, behaviour, stamp, sent, fault)));
            return cues;
        }
        let chunk = payloads.middle.get(number).map_or(&[][..], Vec::as_slice);
        if !pace.is_zero() && !chunk.is_empty() {
            cues.push(Cue::Wait(pace));
        }
        cues.extend(chunk.iter().map(send));
        sent += chunk.len();
    }
    cues.extend(payloads.closing.iter().map(send));
    if !payloads.done.is_empty() && !behaviour.no_done {
        let done = Frame::unnamed(payloads.done.to_owned()).written(behaviour);
        match cues.last_mut() {
            Some(Cue::Send(last)) => last.extend_from_slice(done.as_bytes()),
            _ => cues.push(Cue::Send(done.into_bytes())),
        }
    }
    cues
}

/// One event.
pub struct Frame {
    /// Its `event:`, if it has a name.
    name: Option<String>,
    data: String,
}

// === impl Frame ===

impl Frame {
    /// Named by its own `type`.
    pub fn of(data: String) -> Self {
        let parsed: serde_json::Value = serde_json::from_str(&data).unwrap_or_default();
        let name = parsed["type"].as_str().map(str::to_owned);
        Self { name, data }
    }

    /// As OpenAI's chats have it.
    pub fn unnamed(data: String) -> Self {
        Self { name: None, data }
    }

    pub fn is(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    fn written(&self, behaviour: &Behaviour) -> String {
        let end = if behaviour.crlf { "\r\n" } else { "\n" };
        let comment = if behaviour.comments {
            format!(": keep-alive{end}{end}")
        } else {
            String::new()
        };
        let name = self.name.iter().map(|name| format!("event: {name}{end}"));
        let name: String = name.collect();
        format!("{comment}{name}data: {}{end}{end}", self.data)
    }
}

/// The frames of a stream.
#[derive(Default)]
pub struct Payloads {
    pub opening: Vec<Frame>,
    /// By chunk of what is said: paced, and counted by the faults that come after some chunks.
    pub middle: Vec<Vec<Frame>>,
    pub closing: Vec<Frame>,
    /// The last line, or nothing.
    pub done: &'static str,
}

impl Payloads {
    fn new(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Self {
        let is_chats = !matches!(ask.kind, Kind::Messages | Kind::Responses);
        let done = if is_chats { "[DONE]" } else { "" };
        if let Some(frames) = &behaviour.frames {
            let frame = if is_chats { Frame::unnamed } else { Frame::of };
            return Self {
                middle: frames
                    .iter()
                    .map(|data| vec![frame(data.clone())])
                    .collect(),
                done,
                ..Self::default()
            };
        }
        let mut payloads = match ask.kind {
            Kind::Messages => anthropic::payloads(ask, behaviour, stamp),
            Kind::Responses => responses::payloads(ask, behaviour, stamp),
            Kind::Completion => Self::of_texts(ask, behaviour, stamp),
            _ => Self::of_chat(ask, behaviour, stamp),
        };
        if behaviour.garbage == Some(Garbage::NotJson) {
            let oops = "{\"id\": \"chatcmpl-oops\", \"choices\": [{";
            payloads.opening.push(Frame::unnamed(oops.to_owned()));
        }
        payloads
    }

    fn of_chat(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Self {
        let said = Said::new(ask, behaviour);
        let chunks = |part, finish_reason| each_choice(ask, stamp, part, finish_reason);
        let opening = chunks(said.opening(), None);
        let parts = said.parts().into_iter();
        let mut closing = Vec::new();
        if !behaviour.no_finish {
            let reason = json::finish_reason(behaviour);
            closing = chunks((Delta::default(), None), Some(reason));
        }
        if (ask.include_usage || behaviour.usage_unasked) && !behaviour.no_usage {
            closing.push(json::usage_chunk(ask, behaviour, stamp));
        }
        let middle = parts.flat_map(|part| chunks(part, None));
        Self::unnamed(opening, middle.collect(), closing)
    }

    /// A text completion begins with its text.
    fn of_texts(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Self {
        let mut closing = Vec::new();
        if !behaviour.no_finish {
            closing = completions::endings(ask, behaviour, stamp);
        }
        if (ask.include_usage || behaviour.usage_unasked) && !behaviour.no_usage {
            closing.push(completions::usage_chunk(ask, behaviour, stamp));
        }
        let chunks = completions::chunks(ask, behaviour, stamp);
        Self::unnamed(Vec::new(), chunks, closing)
    }

    /// Frames without names, each a chunk.
    fn unnamed(opening: Vec<String>, middle: Vec<String>, closing: Vec<String>) -> Self {
        let frames = |all: Vec<String>| all.into_iter().map(Frame::unnamed);
        Self {
            opening: frames(opening).collect(),
            middle: frames(middle).map(|frame| vec![frame]).collect(),
            closing: frames(closing).collect(),
            done: "[DONE]",
        }
    }
}

/// This for every choice, a chunk each.
fn each_choice(
    ask: &Ask,
    stamp: &Stamp,
    (delta, logprobs): message::Part<'_>,
    finish_reason: Option<&str>,
) -> Vec<String> {
    let chunk = |index| {
        let part = Part {
            index,
            delta: delta.clone(),
            logprobs: logprobs.clone(),
            finish_reason,
        };
        json::chunk(ask, stamp, vec![part])
    };
    (0..ask.choices).map(chunk).collect()
}

/// The frame that breaks a stream off, when `sent` others have been sent.
fn failure(
    ask: &Ask,
    behaviour: &Behaviour,
    stamp: &Stamp,
    sent: usize,
    fault: &MidStreamError,
) -> Frame {
    let given = fault.error.as_ref().map(|error| error.get());
    match (ask.kind, given) {
        (Kind::Messages, given) => Frame::of(anthropic::mid_stream(given)),
        (Kind::Responses, given) => responses::failure(ask, behaviour, stamp, sent, given),
        (_, Some(error)) => Frame::unnamed(format!("{{\"error\":{error}}}")),
        (_, None) => Frame::unnamed(errors::for_status(500).body.replace('\n', "")),
    }
}
