//! The way back after a cooldown: one call at a time finds out whether the deployment works, before all of them come again.

/// How a deployment comes back. Pointsman's own: LiteLLM lets all calls back at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Return {
    /// One call is let through while others of its group take the rest; if it fails, a longer cooldown follows.
    #[default]
    OnTrial,
    /// All calls at once, as in LiteLLM.
    AtOnce,
}

/// A call that has not ended after this time keeps no other one away, in milliseconds: it may be a long stream.
const LONGEST_TRIAL_MS: u64 = 10_000;
/// Cooldowns that follow failed trials grow no further than this (unless the first one is longer), in milliseconds.
const LONGEST_MS: u64 = 300_000;
/// Doublings that any duration survives.
const MOST_DOUBLINGS: u32 = 16;

/// Whether one is due, and how the last ones ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trial {
    /// No call has been answered since a cooldown began.
    is_due: bool,
    /// A call that tries is under way, and keeps others away until then.
    until: u64,
    /// Those that failed one after the other.
    failed: u32,
    /// Which one it is, from 1: calls of the one before decide nothing any more.
    number: u32,
}

impl Trial {
    /// A cooldown has begun: what comes after it is one.
    pub fn arrange(&mut self) {
        self.is_due = true;
        self.until = 0;
        self.number = self.number.wrapping_add(1).max(1);
    }

    pub fn is_due(&self) -> bool {
        self.is_due
    }

    /// Until when a call that tries keeps others away; 0: there is none.
    pub fn until(&self) -> u64 {
        if self.is_due { self.until } else { 0 }
    }

    /// A call has been let through: the number of the trial that it decides, 0 for none.
    pub fn begin(&mut self, now: u64) -> u32 {
        if !self.is_due || now < self.until {
            return 0;
        }
        self.until = now.saturating_add(LONGEST_TRIAL_MS);
        self.number
    }

    /// A call that began it decides whether the deployment works.
    pub fn is_decided_by(&self, number: u32) -> bool {
        self.is_due && number != 0 && number == self.number
    }

    /// A call ended that decides nothing: the next one tries.
    pub fn leave_open(&mut self) {
        self.until = 0;
    }

    /// It failed; how long the deployment stays away, where `time` is what a first failure costs.
    pub fn fail(&mut self, time: u64) -> u64 {
        self.failed = (self.failed + 1).min(MOST_DOUBLINGS);
        time.saturating_mul(1 << self.failed)
            .min(LONGEST_MS.max(time))
    }

    /// The deployment works.
    pub fn pass(&mut self) {
        *self = Self {
            number: self.number,
            ..Self::default()
        };
    }
}
