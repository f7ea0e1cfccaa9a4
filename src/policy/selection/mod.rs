//! What is known of a deployment at the moment of a decision, and whether it may take a call.
//!
//! The control thread keeps one [`Gauge`] a deployment in an array by number, written by the deployment's own state; a decision
//! reads them in one pass and asks nobody. Pure: functions of gauges, limits, what a call needs, and `now` (milliseconds of a
//! monotonic clock). Strategies choose among what is left here.

mod passed;
mod rates;

pub use passed::Passed;
pub use rates::{Booking, RateLimits, Rates};

use super::ewma::PeakEwma;
use super::latency::Measured;
use crate::types::NanoUsd;

/// No bound on calls at the same time.
pub const NO_SLOTS: u32 = u32::MAX;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    /// Calls under way, those assigned in this very turn included.
    pub in_flight: u32,
    /// Calls at the same time; [`NO_SLOTS`]: any number.
    pub slots: u32,
    /// It takes no calls before.
    pub cooling_until: u64,
    /// Until then a health check that failed counts.
    pub ill_until: u64,
    /// Until then one call finds out whether it has recovered from a cooldown.
    pub tried_until: u64,
    /// What was asked of it in this minute.
    pub rates: Rates,
    /// By its last answers, in the strategy's measure.
    pub latency: Measured,
    /// The same until the first token of streams.
    pub first_token: Measured,
    pub ewma: PeakEwma,
}

impl Default for Gauge {
    fn default() -> Self {
        Self {
            in_flight: 0,
            slots: NO_SLOTS,
            cooling_until: 0,
            ill_until: 0,
            tried_until: 0,
            rates: Rates::default(),
            latency: Measured::default(),
            first_token: Measured::default(),
            ewma: PeakEwma::default(),
        }
    }
}

/// What a call will take, as far as it is known before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Need {
    pub input_tokens: u64,
    /// Expected, for what is booked; a limit is never passed for its sake alone.
    pub output_tokens: u64,
    /// What it is expected to cost.
    pub cost: NanoUsd,
}

impl Gauge {
    /// It is left alone after failures.
    pub fn cooling(&self, now: u64) -> Option<Passed> {
        (now < self.cooling_until).then(|| Passed::Cooling {
            for_ms: self.cooling_until - now,
        })
    }

    /// It has no slot for a call, or a limit that the call would pass; limits are asked for only where they bind.
    pub fn is_full(&self, limits: Option<&RateLimits>, need: Need, now: u64) -> Option<Passed> {
        if self.in_flight >= self.slots {
            return Some(Passed::SlotsInUse { slots: self.slots });
        }
        limits.and_then(|limits| self.rates.over(limits, need.input_tokens, now))
    }

    /// It takes calls, but others of its group should take them: its health check failed, or one call is finding out whether it
    /// has recovered.
    pub fn spared(&self, now: u64) -> Option<Passed> {
        if now < self.ill_until {
            let for_ms = self.ill_until - now;
            return Some(Passed::Ill { for_ms });
        }
        (now < self.tried_until).then_some(Passed::OnTrial)
    }
}
