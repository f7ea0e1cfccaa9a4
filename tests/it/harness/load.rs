//! Calls that come in for as long as something else happens.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::{Client, Request};

/// Sets a flag when it goes, also by a panic.
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends chats with this body on so many connections, again and again, until `meanwhile` is done; how many there were.
///
/// # Panics
/// When one is answered with anything but 200.
pub fn under_load(
    caller: &Client,
    connections: usize,
    body: &Value,
    meanwhile: impl FnOnce(),
) -> usize {
    let stop = AtomicBool::new(false);
    let request = Request::post("/v1/chat/completions", body.to_string());
    let request = caller.signed(request);
    let calls = || {
        let (mut connection, mut count) = (caller.connect(), 0);
        while !stop.load(Ordering::Relaxed) {
            let reply = connection.ask(&request).expect("an answer");
            assert_eq!(reply.status, 200, "{}", reply.text());
            count += 1;
        }
        count
    };
    std::thread::scope(|scope| {
        let stopping = SetOnDrop(&stop);
        let callers: Vec<_> = (0..connections).map(|_| scope.spawn(calls)).collect();
        meanwhile();
        drop(stopping);
        let counts = callers.into_iter().map(|caller| caller.join());
        counts.map(|count| count.expect("no error")).sum()
    })
}
