//! Remembers for a moment that a database is away, so that those who wait in line are told at once.
//!
//! A query that finds no connection waits for one as long as the settings say. Without this every query behind it would
//! wait as long again, one after the other, and a line of them would outlast the outage.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long nobody tries again.
const PAUSE: Duration = Duration::from_millis(500);

/// Shared by the threads of one pool.
#[derive(Debug)]
pub(super) struct Breaker {
    since: Instant,
    /// Milliseconds since `since` until which the database counts as away; 0 when it does not.
    away_until: AtomicU64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            away_until: AtomicU64::new(0),
        }
    }
}

impl Breaker {
    /// Whether the database was found away less than half a second ago.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.millis(now) < self.away_until.load(Ordering::Relaxed)
    }

    pub(super) fn found_away(&self, now: Instant) {
        let until = self.millis(now + PAUSE);
        self.away_until.store(until, Ordering::Relaxed);
    }

    pub(super) fn found_there(&self) {
        self.away_until.store(0, Ordering::Relaxed);
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.since);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_a_moment() {
        let breaker = Breaker::default();
        let now = Instant::now();
        assert!(!breaker.is_open(now));
        breaker.found_away(now);
        assert!(breaker.is_open(now) && breaker.is_open(now + PAUSE / 2));
        assert!(!breaker.is_open(now + PAUSE));
        breaker.found_away(now);
        breaker.found_there();
        assert!(!breaker.is_open(now));
    }
}
