//! What a deployment's state publishes, readable from any thread.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::policy::cooldown::State;

/// See the module. One writer, the control thread; a reader may be a moment late.
#[derive(Debug, Default)]
pub struct Gauges {
    pub in_flight: AtomicU32,
    /// See [`Self::cooling_for`]; in milliseconds of [`clock`](crate::router::clock), 0 before the first cooldown.
    pub cooling_until: AtomicU64,
    /// The last call failed.
    pub failing: AtomicBool,
}

impl Gauges {
    /// Milliseconds until the deployment takes calls again, `None` when it does. `now` is of the same clock.
    pub fn cooling_for(&self, now: u64) -> Option<u64> {
        let left = self
            .cooling_until
            .load(Ordering::Relaxed)
            .saturating_sub(now);
        (left > 0).then_some(left)
    }

    pub fn state(&self, now: u64) -> State {
        if self.cooling_for(now).is_some() {
            State::Cooling
        } else if self.failing.load(Ordering::Relaxed) {
            State::Failing
        } else {
            State::Healthy
        }
    }
}
