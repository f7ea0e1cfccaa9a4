//! What the simulator remembers of its callers.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests and hang-ups kept; older ones are forgotten.
const KEPT: usize = 20_000;

/// One request, whole.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Counts the simulator's requests from 1.
    pub number: u64,
    pub method: String,
    /// With the query.
    pub path: String,
    /// Lower-case names, in the order they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Counts the simulator's connections from 1: the same number is the same connection.
    pub connection: u64,
    /// When its last byte was here.
    pub at: Instant,
    /// The body's `model`, if it has one.
    pub model: Option<String>,
}

/// A peer that closed its connection before its answer was complete.
#[derive(Clone, Debug)]
pub struct Hangup {
    /// [`Recorded::number`] of the request.
    pub request: u64,
    pub connection: u64,
    pub model: Option<String>,
    pub at: Instant,
    /// Since the request was here.
    pub after: Duration,
    /// Bytes of the answer, head included, that had been given to the socket.
    pub sent: usize,
}

/// Bounded lists, newest last.
#[derive(Default)]
pub struct Records {
    requests: Mutex<VecDeque<Recorded>>,
    hangups: Mutex<VecDeque<Hangup>>,
}

impl Recorded {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON, `null` if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

// === impl Records ===

impl Records {
    pub fn request(&self, recorded: Recorded) {
        push(&mut lock(&self.requests), recorded);
    }

    pub fn hangup(&self, hangup: Hangup) {
        push(&mut lock(&self.hangups), hangup);
    }

    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.requests).iter().cloned().collect()
    }

    pub fn take(&self) -> Vec<Recorded> {
        lock(&self.requests).drain(..).collect()
    }

    pub fn hangups(&self) -> Vec<Hangup> {
        lock(&self.hangups).iter().cloned().collect()
    }
}

fn push<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == KEPT {
        list.pop_front();
    }
    list.push_back(item);
}

/// A panicking test must not hide what it was about.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
