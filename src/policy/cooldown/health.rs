//! What has happened to one deployment, and whether it takes calls.

use super::fault::Fault;
use super::rules::{Measure, Rules};
use super::trial::Trial;
use crate::policy::by_class;

/// Shares are counted over this time, from the first call in it (LiteLLM 1.106.2), in milliseconds.
const MINUTE: u64 = 60_000;
/// One counter a class that can be named, and one for the rest.
pub(super) const COUNTERS: usize = by_class::NAMES + 1;

/// How a deployment is, by its last calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Healthy,
    /// It takes calls; the last one failed.
    Failing,
    /// It takes no calls.
    Cooling,
}

/// Why and until when a deployment takes no calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooling {
    /// Milliseconds of the clock that `now` is of; when it is reached, calls come again.
    pub until: u64,
    /// What the last failure was.
    pub fault: Fault,
}

/// What is counted since a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    since: u64,
    count: u32,
}

impl Counter {
    /// One more, in a window of `size` milliseconds that begins with its first.
    fn add(&mut self, now: u64, size: u64) -> u32 {
        if self.count == 0 || now.saturating_sub(self.since) >= size {
            *self = Self {
                since: now,
                count: 0,
            };
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

/// See the module. `now` is in milliseconds of a monotonic clock; where it steps back nothing breaks.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Begin of the minute that the next two count.
    since: u64,
    succeeded: u32,
    failed: u32,
    /// Made at the first failure that is counted by number.
    counters: Option<Box<[Counter; COUNTERS]>>,
    cooling: Option<Cooling>,
    trial: Trial,
    last_failed: bool,
}

impl Health {
    /// A call was answered, which `decides` whether a deployment on trial works.
    pub fn succeeded(&mut self, decides: bool, now: u64) {
        if decides {
            self.works(now);
        }
        self.roll(now);
        self.succeeded = self.succeeded.saturating_add(1);
        self.last_failed = false;
    }

    /// Somebody has found out that it works: where that was in question, what was before counts no more.
    pub fn works(&mut self, now: u64) {
        if self.trial.is_due() && self.cooling(now).is_none() {
            self.trial.pass();
            (self.since, self.succeeded, self.failed) = (now, 0, 0);
            self.counters = None;
        }
    }

    /// A call was let through: the number of the trial that it decides; 0: of none.
    pub fn began(&mut self, now: u64) -> u32 {
        match self.cooling(now) {
            None => self.trial.begin(now),
            Some(_) => 0,
        }
    }

    /// Whether a call of this trial decides. Calls that began before the cooldown, or beside the trial, do not.
    pub fn is_decided_by(&self, trial: u32) -> bool {
        self.trial.is_decided_by(trial)
    }

    /// The call that was to decide ended, and tells nothing of the deployment.
    pub fn left(&mut self) {
        self.trial.leave_open();
    }

    /// It takes calls again, but whether it works is to be found out by one.
    pub fn is_on_trial(&self, now: u64) -> bool {
        self.trial.is_due() && self.cooling(now).is_none()
    }

    /// Until when such a call keeps others away; 0: there is none.
    pub fn tried_until(&self) -> u64 {
        self.trial.until()
    }

    /// A call failed, which `decides` whether a deployment on trial works; the cooldown that it begins or prolongs, if any. A
    /// cooldown never becomes shorter.
    pub fn failed(
        &mut self,
        fault: &Fault,
        rules: &Rules,
        decides: bool,
        now: u64,
    ) -> Option<Cooling> {
        self.roll(now);
        self.failed = self.failed.saturating_add(1);
        self.last_failed = true;
        if decides {
            self.trial.leave_open();
        }
        if rules.never || fault.is_callers_limit {
            return None;
        }
        let time = rules.time(fault)?;
        let is_trial = decides && rules.tries_first() && self.is_on_trial(now);
        let is_too_much = match rules.measure(fault)? {
            _ if is_trial => true,
            Measure::Share => self.is_too_much(fault, rules),
            // A request counts once, however often it is tried here.
            Measure::Count { .. } if fault.is_repeat => false,
            Measure::Count { place, allowed } => {
                let counters = self.counters.get_or_insert_default();
                let counter = counters.get_mut(place)?;
                counter.add(now, rules.memory()) > allowed
            }
        };
        if !is_too_much {
            return None;
        }
        let time = match is_trial {
            true if !rules.is_told_how_long(fault) => self.trial.fail(time),
            _ => time,
        };
        if rules.tries_first() {
            self.trial.arrange();
        }
        let until = now.saturating_add(time);
        let longest = self.cooling.map_or(0, |cooling| cooling.until);
        let cooling = Cooling {
            until: until.max(longest),
            fault: *fault,
        };
        self.cooling = Some(cooling);
        Some(cooling)
    }

    /// LiteLLM's rules where nobody has said how many failures are allowed.
    fn is_too_much(&self, fault: &Fault, rules: &Rules) -> bool {
        let calls = self.succeeded.saturating_add(self.failed);
        if fault.status == 429 && !rules.is_alone {
            return true;
        }
        if self.succeeded == 0 && self.failed >= rules.shares.alone {
            return true;
        }
        let share = f64::from(self.failed) / f64::from(calls.max(1));
        if share > rules.shares.share && calls >= rules.shares.minimum && !rules.is_alone {
            return true;
        }
        // An empty account fills without us, so that a deployment that is alone is asked again.
        fault.is_lasting() && !(fault.status == 402 && rules.is_alone)
    }

    /// Why it takes no calls now; `None`: it takes them.
    pub fn cooling(&self, now: u64) -> Option<Cooling> {
        self.cooling.filter(|cooling| now < cooling.until)
    }

    pub fn state(&self, now: u64) -> State {
        if self.cooling(now).is_some() {
            State::Cooling
        } else if self.last_failed {
            State::Failing
        } else {
            State::Healthy
        }
    }

    /// What readers of other threads need for [`Self::state`]: until when it cools (0: it never did), and whether the last
    /// call failed.
    pub fn published(&self) -> (u64, bool) {
        let until = self.cooling.map_or(0, |cooling| cooling.until);
        (until, self.last_failed)
    }

    fn roll(&mut self, now: u64) {
        let is_first = self.succeeded == 0 && self.failed == 0;
        if is_first || now.saturating_sub(self.since) >= MINUTE {
            (self.since, self.succeeded, self.failed) = (now, 0, 0);
        }
    }
}
