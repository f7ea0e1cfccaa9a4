//! A fixed window of requests and tokens, anchored at its first use (LiteLLM's windows; not the wall-clock minute).
//!
//! Owners call [`Window::roll`], ask whether everything fits, and only then [`Window::take`]: a refused call changes nothing.
//! Times are milliseconds of one monotonic clock, passed in.

/// What one entity has used in its current window. Empty until the first [`take`](Self::take).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// When the first request of this window was admitted; meaningless while `requests` is 0.
    start: u64,
    requests: u64,
    /// Reserved tokens of open calls and real tokens of settled ones.
    tokens: u64,
}

impl Window {
    /// Forgets a window that has ended. `size` is in milliseconds, at least 1; a clock that steps back ends nothing.
    pub fn roll(&mut self, now: u64, size: u64) {
        if self.requests > 0 && now.saturating_sub(self.start) >= size.max(1) {
            *self = Self::default();
        }
    }

    /// Whether one more request stays within `limit` requests. Ask after [`roll`](Self::roll).
    pub fn fits_requests(&self, limit: u64) -> bool {
        self.requests < limit
    }

    /// Whether `n` more tokens stay within `limit` tokens. Ask after [`roll`](Self::roll).
    pub fn fits_tokens(&self, n: u64, limit: u64) -> bool {
        self.tokens.checked_add(n).is_some_and(|sum| sum <= limit)
    }

    /// Books one request and the tokens reserved for it, beginning the window if it is the first.
    /// The answer names the window, for [`settle`](Self::settle).
    pub fn take(&mut self, now: u64, tokens: u64) -> u64 {
        if self.requests == 0 {
            self.start = now;
        }
        self.requests = self.requests.saturating_add(1);
        self.tokens = self.tokens.saturating_add(tokens);
        self.start
    }

    /// Takes one request and its reservation back as if it had never been admitted, if its window still runs.
    pub fn give_back(&mut self, reserved_in: u64, tokens: u64) {
        if self.requests > 0 && self.start == reserved_in {
            self.requests -= 1;
            self.tokens = self.tokens.saturating_sub(tokens);
        }
    }

    /// Replaces a reservation by what the call really used (0 gives all of it back), if the window it was made in still runs.
    pub fn settle(&mut self, reserved_in: u64, reserved: u64, actual: u64) {
        if self.requests > 0 && self.start == reserved_in {
            self.tokens = self.tokens.saturating_sub(reserved).saturating_add(actual);
        }
    }

    /// Books tokens that were not reserved, if a window runs.
    pub fn add(&mut self, tokens: u64) {
        if self.requests > 0 {
            self.tokens = self.tokens.saturating_add(tokens);
        }
    }

    /// Milliseconds until this window ends: 0 if it has, the whole `size` if none has begun.
    pub fn resets_in(&self, now: u64, size: u64) -> u64 {
        if self.requests == 0 {
            return size;
        }
        size.saturating_sub(now.saturating_sub(self.start))
    }

    pub const fn requests(&self) -> u64 {
        self.requests
    }

    pub const fn tokens(&self) -> u64 {
        self.tokens
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: u64 = 60_000;

    #[test]
    fn a_window_begins_at_its_first_use_and_ends_a_size_later() {
        let mut window = Window::default();
        window.roll(5_000, MINUTE);
        assert_eq!(window.resets_in(5_000, MINUTE), MINUTE);
        assert_eq!(window.take(7_000, 10), 7_000);
        assert_eq!(window.take(8_000, 10), 7_000);
        assert!(!window.fits_requests(2) && window.fits_requests(3));
        assert!(window.fits_tokens(5, 25) && !window.fits_tokens(6, 25));
        assert_eq!(window.resets_in(8_000, MINUTE), 59_000);
        window.roll(66_999, MINUTE);
        assert_eq!(window.requests(), 2);
        assert_eq!(window.resets_in(67_001, MINUTE), 0);
        window.roll(67_000, MINUTE);
        assert_eq!(window, Window::default());
    }

    #[test]
    fn a_settlement_reaches_only_the_window_it_was_reserved_in() {
        let mut window = Window::default();
        let first = window.take(0, 100);
        window.settle(first, 100, 30);
        assert_eq!(window.tokens(), 30);
        window.roll(MINUTE, MINUTE);
        window.settle(first, 100, 900);
        assert_eq!(window.tokens(), 0);
        let second = window.take(MINUTE, 7);
        window.settle(first, 100, 900);
        assert_eq!(window.tokens(), 7);
        window.settle(second, 700, 1);
        assert_eq!(window.tokens(), 1, "never below zero");
    }

    #[test]
    fn nothing_overflows_and_a_clock_may_step_back() {
        let mut window = Window::default();
        window.take(10_000, u64::MAX);
        window.take(9_000, u64::MAX);
        assert!(!window.fits_tokens(1, u64::MAX));
        window.roll(1_000, MINUTE);
        assert_eq!(window.requests(), 2);
        assert_eq!(window.resets_in(1_000, MINUTE), MINUTE);
        assert!(!Window::default().fits_requests(0));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Call(u64),
        /// Settles the n-th open call at this many tokens.
        End(usize, u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0u64..400).prop_map(Step::Wait),
            (0u64..60).prop_map(Step::Call),
            (any::<usize>(), 0u64..60).prop_map(|(nth, actual)| Step::End(nth, actual)),
        ];
        proptest::collection::vec(step, 1..200)
    }

    proptest! {
        /// A model that remembers every admission agrees, and neither limit is ever passed by an admission.
        #[test]
        fn admissions_stay_within_the_limits(steps in steps(), rpm in 0u64..8, tpm in 0u64..150, size in 1u64..1_000) {
            let (mut now, mut window) = (0, Window::default());
            let mut admitted: Vec<u64> = Vec::new();
            let mut open: Vec<(u64, u64)> = Vec::new();
            for step in steps {
                match step {
                    Step::Wait(ms) => now += ms,
                    Step::Call(tokens) => {
                        window.roll(now, size);
                        let before = window;
                        if window.fits_requests(rpm) && window.fits_tokens(tokens, tpm) {
                            let start = window.take(now, tokens);
                            if admitted.first().is_none_or(|first| *first != start) {
                                admitted.clear();
                                prop_assert_eq!(start, now, "a new window begins with its first request");
                            }
                            admitted.push(start);
                            open.push((start, tokens));
                            prop_assert!(now - start < size);
                            prop_assert!(admitted.len() as u64 <= rpm);
                            prop_assert_eq!(window.requests(), admitted.len() as u64);
                            prop_assert!(window.tokens() <= tpm);
                        } else {
                            prop_assert_eq!(window, before);
                        }
                    }
                    Step::End(nth, actual) if !open.is_empty() => {
                        let (start, reserved) = open.swap_remove(nth % open.len());
                        let before = window;
                        window.settle(start, reserved, actual);
                        prop_assert_eq!(window.requests(), before.requests());
                        if admitted.first() == Some(&start) && before.requests() > 0 {
                            prop_assert_eq!(window.tokens() + reserved, before.tokens() + actual);
                        } else {
                            prop_assert_eq!(window, before);
                        }
                    }
                    Step::End(..) => {}
                }
            }
        }
    }
}
