//! The line of the log that a call leaves: how large it was, who answered it, and how long that took.
//!
//! With auto mode, where nobody can tell beforehand who answers, it is told at `info`; otherwise at `debug`, because a line a
//! call costs more than its admission. Its target is `calls`, so that `RUST_LOG=calls=debug` shows these lines alone.

use super::charge::Charge;
use crate::protocol::continuity::field;
use crate::protocol::json;
use crate::protocol::openai::request::Request;

const TARGET: &str = "calls";

/// What a request brings, for its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSize {
    messages: usize,
    tools: usize,
    level: log::Level,
}

impl CallSize {
    /// `None` where nobody reads the line. `is_told` is what the configuration wants.
    pub fn of(request: &Request<'_>, is_told: bool) -> Option<Self> {
        let level = if is_told {
            log::Level::Info
        } else {
            log::Level::Debug
        };
        if !log::log_enabled!(target: TARGET, level) {
            return None;
        }
        let count = |name: &str| field(request.bytes(), name).map(items);
        Some(Self {
            // What Responses call their input is a text, or a list of messages.
            messages: count("messages").or_else(|| count("input")).unwrap_or(1),
            tools: count("tools").unwrap_or(0),
            level,
        })
    }

    /// Tells of a call that has ended with this status.
    pub fn tell(self, charge: &Charge, status: u16) {
        let Self {
            messages,
            tools,
            level,
        } = self;
        let seconds = charge.arrived.elapsed().as_secs_f64();
        let first = charge.first_token_after().map(|first| first.as_secs_f64());
        let first = first.map_or_else(String::new, |first| format!(", first chunk {first:.3} s"));
        log::log!(
            target: TARGET,
            level,
            "{} {} by {}: {status}, messages {messages}, tools {tools}, {seconds:.3} s{first}",
            charge.call_id,
            charge.group_name(),
            charge.deployment().id,
        );
    }
}

/// The elements of a list; anything else but null counts as one.
fn items(value: &[u8]) -> usize {
    if value == b"null" {
        return 0;
    }
    let mut count = 0;
    match json::scan_array(value, |_| count += 1) {
        Ok(()) => count,
        Err(_) => 1,
    }
}
