//! How a decision came about: who was considered, and why each was passed over.

use crate::policy::selection::Passed;
use crate::policy::strategies::StrategyName;

/// Members of one decision that are told: enough to see what is going on, and bounded in a group of thousands.
const MOST_CONSIDERED: usize = 256;

/// See the module. Numbers are of the routing table in force at the decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    pub group: u32,
    pub strategy: StrategyName,
    /// In the order of the configuration.
    pub considered: Vec<Considered>,
    /// More that are not told.
    pub more: usize,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Considered {
    pub deployment: u32,
    /// `None`: it was chosen.
    pub passed: Option<Passed>,
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    Chosen {
        deployment: u32,
        by: Choice,
    },
    /// Nobody can take the call.
    None(Nobody),
}

/// What chose among those that could take the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Strategy,
    /// It goes on with what was made there.
    Pinned,
    /// Its session went there before.
    Session,
    /// Its key went there before.
    Caller,
    /// The beginning of its conversation went there before.
    Beginning,
}

impl Choice {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Pinned => "pinned",
            Self::Session => "session_affinity",
            Self::Caller => "deployment_affinity",
            Self::Beginning => "prompt_caching",
        }
    }
}

/// Why nobody takes a call that some of a group may take: what would help soonest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nobody {
    /// No deployment is left that this request has not tried, or may go to.
    Exhausted,
    /// All slots are in use.
    Busy { deployment: u32, slots: u32 },
    /// Limits of a minute are reached. Milliseconds until one is free again.
    Limited { resets_in_ms: u64 },
    /// Cooldowns. Milliseconds until the first of them returns, at least 1.
    Cooling { returns_in_ms: u64 },
    /// Budgets are spent.
    OverBudget { deployment: u32 },
}

impl Trace {
    pub fn new(group: u32, strategy: StrategyName) -> Self {
        Self {
            group,
            strategy,
            considered: Vec::new(),
            more: 0,
            verdict: Verdict::None(Nobody::Exhausted),
        }
    }

    /// Why there is nobody.
    pub fn nobody(&self) -> Nobody {
        match self.verdict {
            Verdict::None(nobody) => nobody,
            Verdict::Chosen { .. } => Nobody::Exhausted,
        }
    }

    /// One that takes no call.
    pub fn pass(&mut self, deployment: u32, passed: Passed) {
        let nobody = self.nobody().or(deployment, &passed);
        self.verdict = Verdict::None(nobody);
        self.add(deployment, Some(passed));
    }

    /// One that could have taken it.
    pub fn add(&mut self, deployment: u32, passed: Option<Passed>) {
        if self.considered.len() < MOST_CONSIDERED {
            self.considered.push(Considered { deployment, passed });
        } else {
            self.more += 1;
        }
    }
}

impl Nobody {
    /// With one more deployment that does not take the call. What may change any moment is told before what takes time, and
    /// of two times the shorter one.
    fn or(self, deployment: u32, passed: &Passed) -> Self {
        let own = match *passed {
            Passed::SlotsInUse { slots } => Self::Busy { deployment, slots },
            Passed::Requests { resets_in_ms, .. } | Passed::Tokens { resets_in_ms, .. } => {
                Self::Limited { resets_in_ms }
            }
            Passed::Cooling { for_ms } => Self::Cooling {
                returns_in_ms: for_ms,
            },
            Passed::OverBudget { .. } => Self::OverBudget { deployment },
            _ => return self,
        };
        if own.rank() < self.rank() { own } else { self }
    }

    fn rank(&self) -> (u8, u64) {
        match *self {
            Self::Busy { .. } => (0, 0),
            Self::Limited { resets_in_ms } => (1, resets_in_ms),
            Self::Cooling { returns_in_ms } => (2, returns_in_ms),
            Self::OverBudget { .. } => (3, 0),
            Self::Exhausted => (4, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_help_soonest_is_told() {
        let mut trace = Trace::new(0, StrategyName::default());
        assert_eq!(trace.nobody(), Nobody::Exhausted);
        let steps = [
            (Passed::Tried, Nobody::Exhausted),
            (
                Passed::Cooling { for_ms: 9 },
                Nobody::Cooling { returns_in_ms: 9 },
            ),
            (
                Passed::Cooling { for_ms: 12 },
                Nobody::Cooling { returns_in_ms: 9 },
            ),
            (
                Passed::Requests {
                    used: 1,
                    limit: 1,
                    resets_in_ms: 50_000,
                },
                Nobody::Limited {
                    resets_in_ms: 50_000,
                },
            ),
            (
                Passed::SlotsInUse { slots: 2 },
                Nobody::Busy {
                    deployment: 4,
                    slots: 2,
                },
            ),
        ];
        for (number, (passed, nobody)) in (0..).zip(steps) {
            trace.pass(number, passed);
            assert_eq!(trace.nobody(), nobody);
        }
        assert_eq!(trace.considered.len(), 5);
    }
}
