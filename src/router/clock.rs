//! The clock of the control thread, and of what it publishes.

use std::sync::LazyLock;
use std::time::Instant;

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since this process first asked. Never steps back.
pub fn now() -> u64 {
    ORIGIN.elapsed().as_millis() as u64
}
