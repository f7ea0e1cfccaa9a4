//! What the configuration says about cooldowns, compiled for one deployment.

use super::fault::Fault;
use super::trial::Return;
use crate::policy::by_class::ByClass;

/// LiteLLM's `DEFAULT_COOLDOWN_TIME_SECONDS`.
const TIME_MS: u64 = 5_000;
/// LiteLLM's `DEFAULT_ALLOWED_FAILS`. A router whose `allowed_fails` is written as this number cannot be told from one that says
/// nothing, so that it counts as nothing.
const ALLOWED_FAILS: u32 = 3;
/// No upstream's `Retry-After` keeps a deployment away for longer than an hour: then one call asks again.
const LONGEST_ASKED_MS: u64 = 3_600_000;
/// LiteLLM: what is shorter is no cooldown.
const SHORTEST_MS: u64 = 1;

/// Thresholds of the mode in which nobody has said how many failures are allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// More than this share of the calls of a minute must have failed, from 0 to 1 (`DEFAULT_FAILURE_THRESHOLD_PERCENT`).
    pub share: f64,
    /// Of so many calls at least (`DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS`).
    pub minimum: u32,
    /// When so many calls have failed and none has succeeded, a deployment that is alone is left out too
    /// (`SINGLE_DEPLOYMENT_TRAFFIC_FAILURE_THRESHOLD`).
    pub alone: u32,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            share: 0.5,
            minimum: 5,
            alone: 1_000,
        }
    }
}

/// How many failures are allowed within one cooldown time: `allowed_fails`, and `allowed_fails_policy` by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllowedFails {
    pub any: Option<u32>,
    pub by_class: ByClass,
}

/// What a level of the configuration says: the router's, or a deployment's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `cooldown_time`, in milliseconds.
    pub time_ms: Option<u64>,
    pub allowed: AllowedFails,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rules {
    /// `disable_cooldowns`, and deployments that stand for many models by a wildcard.
    pub never: bool,
    /// Its group has no other deployment.
    pub is_alone: bool,
    pub own: Limits,
    pub router: Limits,
    pub shares: Shares,
    /// How it comes back where its group has others; a deployment that is alone takes all calls again at once.
    pub returns: Return,
}

/// By what a failure is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// By the share of failures.
    Share,
    /// By a counter (its place among [`COUNTERS`](super::health::COUNTERS)), which may reach this number.
    Count { place: usize, allowed: u32 },
}

impl Rules {
    /// How failures of this kind are judged, `None`: not at all.
    ///
    /// What the deployment says of the class comes first, and counts for errors too that would never count otherwise; then its
    /// own number, unless it is alone; then what the router says of the class, and the router's number.
    pub(super) fn measure(&self, fault: &Fault) -> Option<Measure> {
        let any = crate::policy::by_class::NAMES;
        let by_class = |limits: &Limits| {
            let (place, allowed) = limits.allowed.by_class.of(fault.class)?;
            Some(Measure::Count { place, allowed })
        };
        if let Some(named) = by_class(&self.own) {
            return Some(named);
        }
        if !fault.is_of_the_deployment() {
            return None;
        }
        let count = |allowed| Measure::Count {
            place: any,
            allowed,
        };
        let own = self.own.allowed.any.filter(|_| !self.is_alone).map(count);
        let router = &self.router.allowed;
        let counts =
            router.any.is_some_and(|any| any != ALLOWED_FAILS) || !router.by_class.is_empty();
        own.or_else(|| by_class(&self.router))
            .or_else(|| counts.then(|| count(router.any.unwrap_or(ALLOWED_FAILS))))
            .or(Some(Measure::Share))
    }

    /// How long a failure of this kind keeps the deployment away, in milliseconds; `None`: not at all.
    pub(super) fn time(&self, fault: &Fault) -> Option<u64> {
        let asked = || {
            fault
                .retry_after_ms
                .map(|ms| u64::from(ms).min(LONGEST_ASKED_MS))
        };
        let time = self
            .own
            .time_ms
            .or_else(asked)
            .unwrap_or(self.router_time());
        (time >= SHORTEST_MS).then_some(time)
    }

    /// The upstream said itself how long to stay away, and that counts.
    pub(super) fn is_told_how_long(&self, fault: &Fault) -> bool {
        self.own.time_ms.is_none() && fault.retry_after_ms.is_some()
    }

    pub(super) fn tries_first(&self) -> bool {
        self.returns == Return::OnTrial && !self.is_alone
    }

    /// How long failures are remembered where they are counted, in milliseconds.
    pub(super) fn memory(&self) -> u64 {
        self.own.time_ms.unwrap_or(self.router_time()).max(1)
    }

    fn router_time(&self) -> u64 {
        self.router.time_ms.unwrap_or(TIME_MS)
    }
}
