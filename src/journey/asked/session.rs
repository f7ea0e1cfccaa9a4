//! To which session a call belongs, by the headers of agents and tracers (LiteLLM 1.106.2's order).

use std::sync::Arc;

/// Shortest `x-session-id` that is believed, in bytes.
const SHORTEST: usize = 8;
/// Longest session id of a header.
const LONGEST: usize = 256;

/// The best session header seen so far.
#[derive(Debug, Default)]
pub struct SessionHeaders {
    rank: u8,
    pub chosen: Option<Arc<str>>,
    /// `session.id` of a W3C `baggage`.
    pub baggage: Option<Arc<str>>,
}

impl SessionHeaders {
    /// Looks at one header; `name` is in lower case.
    pub fn see(&mut self, name: &str, value: &str) {
        if name == "baggage" {
            self.baggage = self.baggage.take().or_else(|| of_baggage(value));
            return;
        }
        let value = value.trim();
        let Some(rank) = rank(name).filter(|_| is_id(value)) else {
            return;
        };
        if rank == LOOSE && !(value.len() >= SHORTEST && value.bytes().all(is_word)) {
            return;
        }
        if self.chosen.is_none() || rank < self.rank {
            self.rank = rank;
            self.chosen = Some(value.into());
        }
    }
}

/// `x-session-id`, which anybody may send for anything.
const LOOSE: u8 = 5;

fn rank(name: &str) -> Option<u8> {
    match name {
        "x-litellm-trace-id" => Some(0),
        "x-litellm-session-id" => Some(1),
        "session-id" => Some(3),
        "thread-id" => Some(4),
        "x-session-id" => Some(LOOSE),
        // Of coding agents: `x-claude-code-session-id` and its like.
        _ if name.starts_with("x-") && name.ends_with("-session-id") => Some(2),
        _ => None,
    }
}

fn is_id(value: &str) -> bool {
    !value.is_empty() && value.len() <= LONGEST && value.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The trace id of a W3C `traceparent`: `00-<32 hex digits>-<16>-<2>`.
pub fn trace(traceparent: &str) -> Option<Arc<str>> {
    let id = traceparent.trim().split('-').nth(1)?;
    let is_trace = id.len() == 32
        && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        && id.bytes().any(|byte| byte != b'0');
    is_trace.then(|| id.into())
}

fn of_baggage(baggage: &str) -> Option<Arc<str>> {
    baggage.split(',').find_map(|member| {
        let (key, value) = member.split(';').next()?.split_once('=')?;
        let value = value.trim();
        (key.trim() == "session.id" && is_id(value)).then(|| value.into())
    })
}
