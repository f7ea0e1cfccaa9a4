//! A stream's frames in OpenAI's order: the role, what is said, the finish reason, usage if asked for, `[DONE]`.

use std::time::Duration;

use super::ids::Stamp;
use super::json::{self, Part};
use super::message::{self, Delta, Said};
use super::request::{Ask, Kind};
use super::script::Cue;
use super::{Behaviour, Garbage, completions, errors};

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
        if ask.kind == Kind::Completion {
            return Self::of_texts(ask, behaviour, stamp);
        }
        let said = Said::new(ask, behaviour);
        let chunks = |part, finish_reason| each_choice(ask, stamp, part, finish_reason);
        let mut opening = chunks(said.opening(), None);
        if behaviour.garbage == Some(Garbage::NotJson) {
            opening.push("{\"id\": \"chatcmpl-oops\", \"choices\": [{".to_owned());
        }
        let parts = said.parts().into_iter();
        let mut closing = Vec::new();
        if !behaviour.no_finish {
            let reason = json::finish_reason(behaviour);
            closing = chunks((Delta::default(), None), Some(reason));
        }
        if (ask.include_usage || behaviour.usage_unasked) && !behaviour.no_usage {
            closing.push(json::usage_chunk(ask, behaviour, stamp));
        }
        Self {
            opening,
            middle: parts.flat_map(|part| chunks(part, None)).collect(),
            closing,
        }
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
        Self {
            opening: Vec::new(),
            middle: completions::chunks(ask, behaviour, stamp),
            closing,
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
