//! An answer as a sequence of writes and waits, and what can be done to such a sequence.

use std::io::Write;
use std::ops::Range;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::ids::{Marks, Stamp};
use super::{CutWith, Split};

/// One act of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cue {
    /// One TCP write.
    Send(Vec<u8>),
    /// Counted from the end of the wait before, not from now, so that a pace does not drift.
    Wait(Duration),
    /// Until the test releases it.
    Hold,
    /// Until the peer leaves.
    Silence,
    Close(CutWith),
}

/// Cuts each write into several.
pub fn split(cues: Vec<Cue>, how: &Split, pause: Duration) -> Vec<Cue> {
    let mut sizes = sizes(how);
    let mut pieces = Vec::new();
    // What a piece still lacks when a write ends in the middle of it: boundaries do not depend on how frames were written.
    let mut lacking = 0;
    for cue in cues {
        let Cue::Send(bytes) = cue else {
            pieces.push(cue);
            continue;
        };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            if lacking == 0 {
                lacking = sizes().max(1);
            }
            let (piece, after) = rest.split_at(lacking.min(rest.len()));
            lacking -= piece.len();
            pieces.push(Cue::Send(piece.to_vec()));
            if !pause.is_zero() {
                pieces.push(Cue::Wait(pause));
            }
            rest = after;
        }
    }
    pieces
}

fn sizes(how: &Split) -> Box<dyn FnMut() -> usize> {
    match how {
        Split::EveryByte => Box::new(|| 1),
        Split::Sizes(list) => {
            let mut list = list.clone().into_iter();
            Box::new(move || list.next().unwrap_or(usize::MAX))
        }
        Split::Random(seed) => {
            let mut random = fastrand::Rng::with_seed(*seed);
            Box::new(move || random.usize(1..=40))
        }
    }
}

/// Ends the connection after `limit` bytes; an answer that is shorter stays as it is.
pub fn cut(cues: Vec<Cue>, limit: usize, with: CutWith) -> Vec<Cue> {
    let mut left = limit;
    let mut kept = Vec::new();
    for cue in cues {
        match cue {
            Cue::Send(mut bytes) if bytes.len() > left => {
                bytes.truncate(left);
                kept.push(Cue::Send(bytes));
                kept.push(Cue::Close(with));
                return kept;
            }
            Cue::Send(bytes) => {
                left -= bytes.len();
                kept.push(Cue::Send(bytes));
            }
            other => kept.push(other),
        }
    }
    kept
}

/// One gzip member of all writes; each is flushed, so that it can be read when it comes.
pub fn compressed(cues: Vec<Cue>) -> Vec<Cue> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut cues: Vec<Cue> = cues
        .into_iter()
        .map(|cue| match cue {
            Cue::Send(bytes) => {
                let flushed = encoder.write_all(&bytes).and_then(|()| encoder.flush());
                flushed.expect("a Vec takes all");
                Cue::Send(std::mem::take(encoder.get_mut()))
            }
            other => other,
        })
        .collect();
    cues.push(Cue::Send(encoder.finish().expect("a Vec takes all")));
    cues
}

/// Bytes of all writes.
pub fn length(cues: &[Cue]) -> usize {
    cues.iter()
        .map(|cue| {
            if let Cue::Send(bytes) = cue {
                bytes.len()
            } else {
                0
            }
        })
        .sum()
}

/// A finished answer, ready to be played any number of times.
#[derive(Debug, Default)]
pub struct Script {
    pub wire: Vec<u8>,
    pub steps: Vec<Step>,
    /// The connection serves another request afterwards.
    pub keep_alive: bool,
    /// Empty unless the script is to be played again under another stamp.
    pub marks: Marks,
}

/// A [`Cue`] whose bytes lie in the script's `wire`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Send(Range<usize>),
    Wait(Duration),
    Hold,
    Silence,
    Close(CutWith),
}

// === impl Script ===

impl Script {
    pub fn new(cues: Vec<Cue>, keep_alive: bool) -> Self {
        let mut script = Self {
            keep_alive,
            ..Self::default()
        };
        for cue in cues {
            let step = match cue {
                Cue::Send(bytes) if bytes.is_empty() => continue,
                Cue::Send(bytes) => {
                    let start = script.wire.len();
                    script.wire.extend_from_slice(&bytes);
                    Step::Send(start..script.wire.len())
                }
                Cue::Wait(pause) => Step::Wait(pause),
                Cue::Hold => Step::Hold,
                Cue::Silence => Step::Silence,
                Cue::Close(with) => Step::Close(with),
            };
            script.steps.push(step);
        }
        script
    }

    /// Prepares the script, planned under `stamp`, for being played again under others.
    pub fn repeatable(mut self, stamp: &Stamp) -> Self {
        self.marks = Marks::find(&self.wire, stamp);
        self
    }
}
