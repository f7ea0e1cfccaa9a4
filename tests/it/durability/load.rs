//! Callers of every kind at once: whole answers and streams, upstreams that fail, clients that leave in the middle.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::harness::{
    Client, Connection, Ended, Gateway, Key, Request, Value, chat_with, json, streamed,
};
use pointsman::types::{CallStatus, NanoUsd};

pub const CALLERS: usize = 8;

/// What callers saw, over all lives of a gateway.
#[derive(Default)]
pub struct Seen {
    /// Ids of answers that arrived whole.
    complete: Mutex<Vec<String>>,
    /// Call ids of failures that arrived whole.
    failed: Mutex<Vec<String>>,
    /// Requests that were sent.
    sent: AtomicUsize,
    /// Answers that began and broke off.
    cut: AtomicUsize,
}

/// Keys of two teams and two users, one of neither.
pub fn keys(gateway: &Gateway) -> Vec<Key> {
    for team in ["t-1", "t-2"] {
        gateway.team(team, |_| {});
    }
    for user in ["u-1", "u-2"] {
        gateway.user(user, |_| {});
    }
    [
        json!({"user_id": "u-1", "team_id": "t-1", "max_budget": 1_000_000, "rpm_limit": 10_000_000}),
        json!({"user_id": "u-2", "team_id": "t-1"}),
        json!({"user_id": "u-1", "team_id": "t-2"}),
        json!({}),
    ]
    .map(|fields| gateway.key(fields))
    .into()
}

/// What one caller asks for, in turn.
fn bodies(lane: usize) -> [Value; 4] {
    let tokens =
        json!({"prompt_tokens": 10 + lane, "completion_tokens": 5, "total_tokens": 15 + lane});
    let mut usage = json!({"usage": tokens});
    let whole = chat_with("m", json!({"simulate": usage}));
    let stream = streamed("m", json!({"simulate": usage}));
    usage["content"] = json!("one two three four");
    usage["silent_after_chunks"] = json!(2);
    let left = streamed("m", json!({"simulate": usage}));
    let failing = chat_with("m", json!({"simulate": {"status": 500}}));
    [whole, stream, failing, left]
}

impl Seen {
    pub fn complete(&self) -> usize {
        self.complete.lock().unwrap().len()
    }

    pub fn cut(&self) -> usize {
        self.cut.load(Ordering::Relaxed)
    }

    /// One caller, until it is told to stop or its gateway is gone.
    pub fn call_until(&self, stop: &AtomicBool, caller: &Client, lane: usize) {
        let requests = bodies(lane)
            .map(|body| caller.signed(Request::post("/v1/chat/completions", body.to_string())));
        while !stop.load(Ordering::Relaxed) {
            let Ok(mut connection) = Connection::open(caller.address) else {
                return;
            };
            for turn in lane.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let kind = turn % requests.len();
                self.sent.fetch_add(1, Ordering::Relaxed);
                if kind == 3 {
                    // Leaves in the middle of a stream, whose head comes with its first chunk.
                    if connection.send(&requests[kind]).is_ok() {
                        let _ = connection.incoming();
                    }
                    break;
                }
                // None at all: the gateway is going, or the connection was idle too long.
                let Ok(reply) = connection.ask(&requests[kind]) else {
                    break;
                };
                if reply.ended != Ended::Whole {
                    self.cut.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                let text = String::from_utf8_lossy(&reply.body);
                match kind {
                    0 => {
                        assert_eq!(reply.status, 200, "{text}");
                        note(&self.complete, reply.json()["id"].as_str().unwrap());
                    }
                    1 => {
                        assert_eq!(reply.status, 200, "{text}");
                        assert!(reply.is_done(), "{text}");
                        note(&self.complete, reply.events()[0]["id"].as_str().unwrap());
                    }
                    _ => {
                        assert_eq!(reply.status, 500, "{text}");
                        note(&self.failed, reply.must("x-litellm-call-id"));
                    }
                }
            }
        }
    }

    /// Everything that must hold between what callers saw and the books.
    pub fn check(&self, gateway: &Gateway) {
        let rows = gateway.booked();
        let of = |status: CallStatus, id: fn(&crate::harness::Booked) -> &str| -> HashSet<&str> {
            let rows = rows.iter().filter(|row| row.status == status);
            rows.map(id).collect()
        };
        let succeeded = of(CallStatus::Success, |row| &row.request_id);
        let complete = self.complete.lock().unwrap();
        let lost: Vec<&String> = complete
            .iter()
            .filter(|id| !succeeded.contains(id.as_str()))
            .collect();
        assert!(lost.is_empty(), "complete answers without a row: {lost:?}");
        let failures = of(CallStatus::Failure, |row| &row.call_id);
        let failed = self.failed.lock().unwrap();
        let lost: Vec<&String> = failed
            .iter()
            .filter(|id| !failures.contains(id.as_str()))
            .collect();
        assert!(lost.is_empty(), "failures without a row: {lost:?}");
        let of_answers: Vec<&str> = rows
            .iter()
            .filter(|row| row.status == CallStatus::Success)
            .map(|row| row.request_id.as_str())
            .collect();
        assert_eq!(succeeded.len(), of_answers.len(), "a row stands twice");
        let sent = self.sent.load(Ordering::Relaxed);
        assert!(rows.len() <= sent, "{} rows of {sent} calls", rows.len());
        let found = gateway.verified();
        let sum: NanoUsd = rows.iter().map(|row| row.spend).sum();
        assert_eq!(
            (&found["rows"], &found["spend"]),
            (&json!(rows.len()), &json!(sum.0))
        );
    }
}

fn note(ids: &Mutex<Vec<String>>, id: &str) {
    ids.lock().unwrap().push(id.to_owned());
}

/// Ends the load also when the test fails: nobody would wait for callers without end.
pub struct StopAtEnd<'a>(pub &'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
