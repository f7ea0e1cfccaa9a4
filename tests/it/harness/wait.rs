//! Waiting for what must come, not for a time.

use std::time::{Duration, Instant};

/// Long enough for a loaded machine; nothing waits for it when all is well.
pub const SOON: Duration = Duration::from_secs(20);

const POLL: Duration = Duration::from_millis(4);

/// Asks until there is an answer.
///
/// # Panics
/// When none came in time; `what` is told.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(POLL);
    }
}

/// Waits until a condition holds.
#[track_caller]
pub fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    eventually(what, limit, || holds().then_some(()));
}
