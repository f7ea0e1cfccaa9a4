//! What one deployment is asked for in a minute, against its limits.
//!
//! A call is booked when it is granted, with its expected tokens, and settled to what it used: so calls under way count, and a
//! limit holds however many come at once. The minute begins with its first call (as the windows of keys do), so that no two
//! minutes meet in a burst at the turn of the clock. Failed calls count as requests (LiteLLM 1.106.2).

use super::Passed;

/// In milliseconds.
pub const MINUTE: u64 = 60_000;

/// Limits of a minute; `u64::MAX`: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    pub rpm: u64,
    pub tpm: u64,
    /// Of input tokens alone.
    pub itpm: u64,
    /// Of output tokens alone.
    pub otpm: u64,
}

impl RateLimits {
    pub const NONE: Self = Self {
        rpm: u64::MAX,
        tpm: u64::MAX,
        itpm: u64::MAX,
        otpm: u64::MAX,
    };
}

/// What was booked for one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Booking {
    /// Names the minute.
    since: u64,
    input: u64,
    output: u64,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// When the first call of this minute was granted; meaningless while `requests` is 0.
    since: u64,
    requests: u64,
    input: u64,
    output: u64,
}

impl Rates {
    /// As they are at `now`: nothing, when the minute is over.
    fn at(&self, now: u64) -> Self {
        if self.requests > 0 && now.saturating_sub(self.since) >= MINUTE {
            Self::default()
        } else {
            *self
        }
    }

    /// The limit that one more call with so many input tokens would pass.
    pub fn over(&self, limits: &RateLimits, input: u64, now: u64) -> Option<Passed> {
        let here = self.at(now);
        let resets_in_ms = match here.requests {
            0 => MINUTE,
            _ => (here.since + MINUTE).saturating_sub(now),
        };
        if here.requests >= limits.rpm {
            return Some(Passed::Requests {
                used: here.requests,
                limit: limits.rpm,
                resets_in_ms,
            });
        }
        let over = |used: u64, needed: u64, limit: u64| {
            let fits = used.checked_add(needed).is_some_and(|sum| sum <= limit);
            (!fits).then_some(Passed::Tokens {
                used,
                needed,
                limit,
                resets_in_ms,
            })
        };
        over(here.tokens(), input, limits.tpm)
            .or_else(|| over(here.input, input, limits.itpm))
            // What the answer will need is not known: one token must be left for it.
            .or_else(|| over(here.output, 1, limits.otpm))
    }

    /// Books a call that was granted. What is expected of its answer takes no more than the limits leave.
    pub fn take(
        &mut self,
        limits: Option<&RateLimits>,
        input: u64,
        output: u64,
        now: u64,
    ) -> Booking {
        *self = self.at(now);
        if self.requests == 0 {
            self.since = now;
        }
        self.requests = self.requests.saturating_add(1);
        self.input = self.input.saturating_add(input);
        let limits = limits.unwrap_or(&RateLimits::NONE);
        let left = limits.tpm.saturating_sub(self.tokens());
        let output = output
            .min(left)
            .min(limits.otpm.saturating_sub(self.output));
        self.output = self.output.saturating_add(output);
        Booking {
            since: self.since,
            input,
            output,
        }
    }

    /// Puts what a call used in the place of what was booked for it, if its minute still runs.
    pub fn settle(&mut self, booking: &Booking, input: u64, output: u64) {
        if self.requests == 0 || self.since != booking.since {
            return;
        }
        let put = |kept: &mut u64, booked: u64, used: u64| {
            *kept = kept.saturating_sub(booked).saturating_add(used);
        };
        put(&mut self.input, booking.input, input);
        put(&mut self.output, booking.output, output);
    }

    /// Requests granted in this minute.
    pub fn requests(&self, now: u64) -> u64 {
        self.at(now).requests
    }

    /// Tokens used and booked in this minute.
    pub fn tokens_at(&self, now: u64) -> u64 {
        self.at(now).tokens()
    }

    fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: RateLimits = RateLimits {
        rpm: 3,
        tpm: 100,
        ..RateLimits::NONE
    };

    #[test]
    fn a_minute_begins_with_its_first_call() {
        let mut rates = Rates::default();
        assert_eq!(rates.over(&LIMITS, 100, 5), None);
        let booking = rates.take(Some(&LIMITS), 60, 500, 5);
        assert_eq!(rates.tokens_at(5), 100, "the answer takes what is left");
        assert_eq!(
            rates.over(&LIMITS, 1, 1_005),
            Some(Passed::Tokens {
                used: 100,
                needed: 1,
                limit: 100,
                resets_in_ms: 59_000
            })
        );
        rates.settle(&booking, 50, 10);
        assert_eq!(rates.over(&LIMITS, 40, 10), None);
        rates.take(Some(&LIMITS), 1, 1, 10);
        rates.take(Some(&LIMITS), 1, 1, 10);
        assert_eq!(
            rates.over(&LIMITS, 1, 10),
            Some(Passed::Requests {
                used: 3,
                limit: 3,
                resets_in_ms: 59_995
            })
        );
        assert_eq!(rates.over(&LIMITS, 1, 60_005), None);
        let next = rates.take(None, 7, 7, 60_005);
        rates.settle(&booking, 0, 900);
        assert_eq!(rates.tokens_at(60_005), 14, "that minute is over");
        rates.settle(&next, 0, 0);
        assert_eq!((rates.requests(60_006), rates.tokens_at(60_006)), (1, 0));
    }

    #[test]
    fn each_kind_of_token_has_its_limit() {
        let split = RateLimits {
            itpm: 10,
            otpm: 5,
            ..RateLimits::NONE
        };
        let mut rates = Rates::default();
        let passed = |rates: &Rates, input| match rates.over(&split, input, 0) {
            Some(Passed::Tokens { used, limit, .. }) => Some((used, limit)),
            _ => None,
        };
        assert_eq!(passed(&rates, 11), Some((0, 10)));
        let booking = rates.take(Some(&split), 10, 9, 0);
        assert_eq!(passed(&rates, 0), Some((5, 5)));
        rates.settle(&booking, 10, 4);
        assert_eq!(passed(&rates, 0), None);
        assert_eq!(passed(&rates, 1), Some((10, 10)));
    }

    proptest! {
        /// Granted only where nothing is over, no minute ever counts more than its limits, whatever is under way.
        #[test]
        fn never_above_a_limit(
            steps in prop::collection::vec((0u64..30_000, 0u64..60, 0u64..60, any::<bool>()), 1..120),
            rpm in 1u64..8, tpm in 1u64..200, otpm in 1u64..100,
        ) {
            let limits = RateLimits { rpm, tpm, otpm, ..RateLimits::NONE };
            let (mut rates, mut now) = (Rates::default(), 0);
            let mut open: Vec<(Booking, u64, u64)> = Vec::new();
            for (wait, input, output, ends) in steps {
                now += wait;
                if ends && let Some((booking, input, output)) = open.pop() {
                    // An answer is never longer than what was booked for it in this world.
                    rates.settle(&booking, input, output.min(booking.output));
                } else if rates.over(&limits, input, now).is_none() {
                    let booking = rates.take(Some(&limits), input, output, now);
                    open.push((booking, input, output));
                }
                prop_assert!(rates.requests(now) <= rpm);
                prop_assert!(rates.tokens_at(now) <= tpm);
                prop_assert!(rates.at(now).output <= otpm);
            }
        }
    }
}
